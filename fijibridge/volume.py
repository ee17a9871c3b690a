"""The Volume: a plain `xarray.DataArray` that knows its physical size and how it was made.

A Volume has dims ``("z", "y", "x")``; each axis has an evenly spaced coordinate of voxel centres with the attrs
``units`` (one for all axes) and ``spacing``; ``attrs["history"]`` is a tuple of JSON-able steps. Bool data is a mask,
integers are labels where the name says so, anything else is grey. Everything that reads or writes coordinates and attrs
stands in this file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias, cast, get_args

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .choices import Units as Units  # noqa: PLC0414  part of a volume: imported from here
from .errors import VolumeError

Volume: TypeAlias = xr.DataArray
Step: TypeAlias = Mapping[str, Any]

DIMS = ("z", "y", "x")
#: Coordinates that differ by less than this share of a voxel are the same grid (float rounding in files).
_SAME = 1e-3
_NM: dict[str, float] = {"nm": 1.0, "um": 1000.0}


class VoxelSize(NamedTuple):
    """Edge lengths of one voxel, in `units`."""

    z: float
    y: float
    x: float
    units: Units

    def to(self, units: Units) -> VoxelSize:
        """Give the same size in other units (``nm`` or ``um``); an uncalibrated size cannot be converted."""
        if units == self.units:
            return self
        if "voxel" in (units, self.units):
            raise VolumeError(
                f"cannot convert a voxel size in {self.units!r} to {units!r}; "
                "give the volume its size first: make_volume(volume.data, spacing=(z, y, x), units='nm')"
            )
        factor = _NM[self.units] / _NM[units]
        return VoxelSize(self.z * factor, self.y * factor, self.x * factor, units)


def make_volume(
    array: ArrayLike,
    *,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    units: Units = "nm",
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    history: tuple[Step, ...] = (),
) -> Volume:
    """Make a Volume from a (z, y, x) array.

    Parameters
    ----------
    array : (z, y, x) NumPy array, memory map or dask array of bool, integer or float; it is not copied.
    spacing : voxel size along z, y, x, each > 0, in `units`.
    units : ``"nm"``, ``"um"``, or ``"voxel"`` where the size is not known.
    origin : centre of the first voxel, in `units`.
    history : steps that led here.

    Returns
    -------
    Volume on a new grid.

    Raises
    ------
    VolumeError : the array is not 3-D, is empty or not real-valued, or a size is not a positive number.
    """
    data = _as_array(array)
    _check_data(data)
    _check_spacing(spacing, origin, units)
    coords = {
        dim: xr.Variable(dim, start + step * np.arange(size), {"units": units, "spacing": float(step)})
        for dim, size, step, start in zip(DIMS, data.shape, spacing, origin, strict=True)
    }
    return xr.DataArray(data, dims=DIMS, coords=coords, attrs={"history": tuple(history)})


def check_volume(volume: object) -> Volume:
    """Give `volume` back if it keeps the Volume contract; raise VolumeError with what is wrong if not."""
    if not isinstance(volume, xr.DataArray):
        raise VolumeError(
            f"expected a Volume, got {type(volume).__name__}; wrap the array: "
            "make_volume(array, spacing=(z, y, x), units='nm')"
        )
    if volume.dims != DIMS:
        raise VolumeError(f"expected dims {DIMS}, got {volume.dims}; use volume.transpose('z', 'y', 'x')")
    _check_data(volume.data)
    units = {_units(volume, dim) for dim in DIMS}
    if len(units) > 1:
        raise VolumeError(f"all axes need the same units, got {sorted(units)}; make the volume anew with make_volume")
    for dim in DIMS:
        _axis_spacing(volume, dim)
    return volume


def voxel_size(volume: Volume) -> VoxelSize:
    """Read the voxel size off the coordinates: ``voxel_size(volume).z``; cropped and strided volumes stay right."""
    z, y, x = (_axis_spacing(volume, dim) for dim in DIMS)
    return VoxelSize(z, y, x, _units(volume, "z"))


def origin(volume: Volume) -> tuple[float, float, float]:
    """Give the centre of the first voxel along z, y, x in the units of the volume."""
    z, y, x = (float(volume.coords[dim].values[0]) for dim in DIMS)
    return (z, y, x)


def same_grid(a: Volume, b: Volume) -> bool:
    """Tell whether two volumes have the same shape and voxel centres (to a thousandth of a voxel) and units."""
    if a.shape != b.shape:
        return False
    size_a, size_b = voxel_size(a), voxel_size(b)
    if size_a.units != size_b.units:
        return False
    return all(
        np.allclose(a.coords[dim].values, b.coords[dim].values, rtol=0, atol=_SAME * step)
        for dim, step in zip(DIMS, size_a[:3], strict=True)
    )


def check_same_grid(a: Volume, b: Volume, *, names: tuple[str, str] = ("volume", "other")) -> None:
    """Raise VolumeError if two volumes do not lie on the same grid; `names` go into the message."""
    if not same_grid(a, b):
        raise VolumeError(
            f"{names[0]} and {names[1]} do not lie on the same grid: {describe_grid(a)} against {describe_grid(b)}; "
            "crop or resample one of them first"
        )


def describe_grid(volume: Volume) -> str:
    """Say shape and voxel size in words, for messages and reports."""
    size = voxel_size(volume)
    shape = " x ".join(str(n) for n in volume.shape)
    return f"{shape} voxels of {size.z:.6g} x {size.y:.6g} x {size.x:.6g} {size.units}"


def with_data(volume: Volume, data: ArrayLike) -> Volume:
    """Make a Volume with new data of the same shape on the grid (and with the history) of `volume`."""
    array = _as_array(data)
    if array.shape != volume.shape:
        raise VolumeError(
            f"with_data needs data of the volume's shape {volume.shape}, got {array.shape}; "
            "use make_volume for a new grid"
        )
    _check_data(array)
    return xr.DataArray(array, dims=DIMS, coords=volume.coords, attrs=dict(volume.attrs))


def history(volume: Volume) -> tuple[Step, ...]:
    """Give the steps that led to this volume, oldest first."""
    return tuple(volume.attrs.get("history", ()))


def hash_voxels(volume: Volume, *, before: str = "") -> str:
    """Hash a text and the voxels behind it (SHA-256), slice by slice: the volume may be larger than memory."""
    digest = hashlib.sha256(before.encode())
    for z in range(volume.shape[0]):
        digest.update(np.ascontiguousarray(volume.data[z]).data)
    return digest.hexdigest()


def record(volume: Volume, step: Step, *, after: tuple[Step, ...] | None = None) -> Volume:
    """Give the same volume with `step` written behind its history (or behind `after`, where given)."""
    recorded = volume.copy(deep=False)
    recorded.attrs = {**volume.attrs, "history": (*(history(volume) if after is None else after), step)}
    return recorded


def _as_array(data: Any) -> Any:
    """Leave memory maps and dask arrays as they are; turn nested lists into NumPy arrays."""
    return data if hasattr(data, "dtype") and hasattr(data, "shape") else np.asarray(data)


def _check_data(data: Any) -> None:
    if data.ndim != 3:
        raise VolumeError(f"a volume has three axes (z, y, x), got an array of shape {data.shape}; add or pick an axis")
    if 0 in data.shape:
        raise VolumeError(f"a volume needs at least one voxel along each axis, got shape {data.shape}")
    if data.dtype.kind not in "buif":
        raise VolumeError(f"a volume holds bool, integers or floats, got dtype {data.dtype}; convert it with astype")


def _check_spacing(spacing: tuple[float, ...], start: tuple[float, ...], units: str) -> None:
    if units not in get_args(Units):
        raise VolumeError(f"units must be one of {', '.join(get_args(Units))}, got {units!r}")
    if len(spacing) != 3 or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise VolumeError(f"spacing needs three positive numbers (z, y, x), got {spacing}")
    if len(start) != 3 or not all(np.isfinite(value) for value in start):
        raise VolumeError(f"origin needs three finite numbers (z, y, x), got {start}")


def _units(volume: Volume, dim: str) -> Units:
    if dim not in volume.coords or "units" not in volume.coords[dim].attrs:
        raise VolumeError(
            f"axis {dim!r} has no coordinate with units; make the volume with make_volume(array, spacing=(z, y, x))"
        )
    units = volume.coords[dim].attrs["units"]
    if units not in get_args(Units):
        raise VolumeError(f"units must be one of {', '.join(get_args(Units))}, got {units!r} on axis {dim!r}")
    return cast(Units, units)


def _axis_spacing(volume: Volume, dim: str) -> float:
    centres = volume.coords[dim].values
    if len(centres) == 1:
        # One centre has no distance to a next one; a strided or cropped axis keeps the attr it came with.
        return float(volume.coords[dim].attrs.get("spacing", 1.0))
    steps = np.diff(centres)
    step = float(centres[-1] - centres[0]) / (len(centres) - 1)
    if not step > 0 or not np.allclose(steps, step, rtol=0, atol=_SAME * step):
        raise VolumeError(
            f"axis {dim!r} is not evenly spaced and ascending (steps from {steps.min():.6g} to {steps.max():.6g}); "
            "resample the volume to an even grid"
        )
    return step
