"""Put a volume on another grid: averaging down, splines up, labels by majority; uneven slices too."""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError, VolumeError
from ..io.spill import new_array
from ..operation import Engine, operation
from ..volume import Units, Volume, history, make_volume, origin, voxel_size
from . import _fiji as imagej
from ._resample_shares import SPLINE_REACH, sharing_matrix
from ._running import told

Size: TypeAlias = tuple[float, float, float]

#: The most voxels a result may have: beyond lies a slip in the units.
_MOST = 2**34


@operation(halo=None)
def resample(
    volume: Volume,
    *,
    size: Size | None = None,
    units: Units | None = None,
    labels: bool = False,
    positions: tuple[float, ...] | None = None,
    engine: Engine = "native",
) -> Volume:
    """Resample to another voxel size, or to isotropic voxels.

    Along each axis that becomes coarser, each new voxel is the mean of what it covers, by area; along each that becomes
    finer, values are interpolated by cubic splines. Labels become the label that covers most of the new voxel.

    Parameters
    ----------
    volume : (z, y, x) volume.
    size : new voxel size along z, y, x, each > 0; None = isotropic with the finest of the present edges.
    units : of `size`; None = those of the volume.
    labels : the volume holds labels; masks are treated as such anyhow.
    positions : measured place of each slice along z in the units of the volume, ascending, if uneven; None =
        as the voxel size says.

    Returns
    -------
    Volume on the new grid; its outer faces lie where they lay, to within one new voxel; same dtype.

    Raises
    ------
    VolumeError : voxels that are no numbers.
    ParameterError : sizes that are not positive, positions that do not fit, or a result beyond 2^34 voxels.

    Engines: native - SciPy, slice by slice; fiji - macros/resample.ijm ("Scale...", bicubic, averaging down).
    Differences: border and rounding; labels by nearest neighbour; no uneven positions.
    Blocks: natively; each slice of the result from the few slices of the volume that it is made of.
    """


@resample.check
def _check(volume: Volume, *, size: Size | None, units: Units | None, labels: bool,
           positions: tuple[float, ...] | None) -> None:  # fmt: skip
    if size is not None and not all(np.isfinite(edge) and edge > 0 for edge in size):
        raise ParameterError(f"size needs three positive numbers (z, y, x), got {size}")
    if np.prod([float(n) for n in new_shape(volume, new_size(volume, size, units))]) > _MOST:
        raise ParameterError(f"size {size} would make more than 2^34 voxels; check the units")
    if positions is not None and (
        len(positions) != volume.shape[0] or not np.all(np.diff(positions) > 0) or len(positions) < 2
    ):
        raise ParameterError(
            f"positions needs {volume.shape[0]} ascending numbers, one for each slice, got {len(positions)}"
        )


@resample.engine("native")
def _native(volume: Volume, *, size: Size | None, units: Units | None, labels: bool,
            positions: tuple[float, ...] | None) -> Volume:  # fmt: skip
    """Go slice by slice: of the input, no more is in memory than the slices that one slice of the result is made of."""
    wanted, whole = new_size(volume, size, units), labels or volume.dtype.kind == "b"
    shares = find_shares(volume, wanted, positions, whole=whole)
    return on_grid(volume, shared_out(volume.data, shares), wanted, even=positions is None)


class Shares(NamedTuple):
    """What each voxel of the result is made of: a matrix for each axis; `between` where slices were not even."""

    z: Any
    y: Any
    x: Any
    whole: bool
    between: Between | None


def find_shares(volume: Volume, wanted: Size, positions: tuple[float, ...] | None, *, whole: bool) -> Shares:
    """Find what the voxels of the result are made of."""
    present: Size = voxel_size(volume)[:3]
    sizes, between = volume.shape, None
    if positions is not None:
        between = Between(positions, wanted[0], nearest=whole)
        sizes, present = (len(between), *sizes[1:]), (wanted[0], present[1], present[2])
    kind = np.float64 if volume.dtype.itemsize == 8 else np.float32
    z, y, x = (
        sharing_matrix(n, old, new, nearest=whole).astype(kind)
        for n, old, new in zip(sizes, present, wanted, strict=True)
    )
    return Shares(z, y, x, whole, between)


def shared_out(data: Any, shares: Shares, *, first: int = 0) -> NDArray[Any]:
    """Make the slices of the result, of those whose shares are given, of a part that begins with slice `first`."""
    z, y, x, whole, between = shares
    source: Any = _Slices(data, first) if between is None else between.of(_Slices(data, first))
    result, tell = new_array((z.shape[0], y.shape[0], x.shape[0]), data.dtype), told()
    recent = _Recent(source if whole else _InPlane(source, y, x, z.dtype))
    for k in range(len(result)):
        row = z[[k]]
        parts = [(recent[int(n)], share) for n, share in zip(row.indices, row.data, strict=True)]
        result[k] = _majority(parts, y, x) if whole else _rounded(_sum(parts), data.dtype)
        tell((k + 1) / len(result))
    return result


@resample.engine("fiji", version=imagej.imagej_version)
def _in_imagej(volume: Volume, *, size: Size | None, units: Units | None, labels: bool,
               positions: tuple[float, ...] | None) -> Volume:  # fmt: skip
    if positions is not None:
        raise ParameterError("resample in ImageJ takes no positions of slices; use engine='native'")
    wanted = new_size(volume, size, units)
    depth, height, width = new_shape(volume, wanted)
    whole = labels or volume.dtype.kind == "b"
    done = imagej.run("resample.ijm", volume, width=width, height=height, depth=depth, labels=whole)
    data = np.asarray(done.image.data)
    return on_grid(volume, data > 0 if volume.dtype.kind == "b" else data, wanted)


def new_size(volume: Volume, size: Size | None, units: Units | None) -> Size:
    """Give the new voxel size in the units of the volume."""
    present = voxel_size(volume)
    if size is None:
        edge = min(present[:3])
        return (edge, edge, edge)
    if units is None or units == present.units:
        return size
    factor = 1 / present.to(units).z * present.z
    return (size[0] * factor, size[1] * factor, size[2] * factor)


def new_shape(volume: Volume, wanted: Size) -> tuple[int, int, int]:
    """Give how many voxels fill the extent of the volume."""
    present = voxel_size(volume)[:3]
    z, y, x = (max(1, round(n * old / new)) for n, old, new in zip(volume.shape, present, wanted, strict=True))
    return (z, y, x)


def on_grid(volume: Volume, data: NDArray[Any], wanted: Size, *, even: bool = True) -> Volume:
    """Make a volume of new data whose first face lies where that of `volume` lay.

    Slices that were not `even` keep the centre of the first one.
    """
    size = voxel_size(volume)
    z, y, x = (start + 0.5 * (new - old) for start, new, old in zip(origin(volume), wanted, size[:3], strict=True))
    z = z if even else origin(volume)[0]
    return make_volume(data, spacing=wanted, units=size.units, origin=(z, y, x), history=history(volume))


def _sum(parts: list[tuple[NDArray[Any], Any]]) -> NDArray[Any]:
    total = parts[0][0] * parts[0][1]
    for plane, share in parts[1:]:
        total += plane * share
    return np.asarray(total)


def _rounded(plane: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        plane = np.clip(np.rint(plane), limits.min, limits.max)
    return plane.astype(dtype)


def _majority(parts: list[tuple[NDArray[Any], Any]], y: Any, x: Any) -> NDArray[Any]:
    """Give each new pixel the label that covers most of it; where the grid becomes finer, the nearest."""
    found = np.unique(np.concatenate([np.unique(plane) for plane, _ in parts]))
    best = np.full((y.shape[0], x.shape[0]), -1.0, np.float32)
    result = np.full(best.shape, found[0])
    for label in found:
        share = (x @ (y @ _sum([(plane == label, np.float32(share)) for plane, share in parts])).T).T
        result[share > best] = label
        np.maximum(best, share, out=best)
    return result


class _Slices:
    """The slices of an array that begins with slice `first`, each read when it is asked for."""

    def __init__(self, data: Any, first: int) -> None:
        self._data, self._first = data, first

    def __getitem__(self, z: int) -> NDArray[Any]:
        return np.asarray(self._data[z - self._first])


class Between:
    """Even slices out of some at measured places: linear in between, since uneven slices leave nothing better."""

    def __init__(self, positions: tuple[float, ...], step: float, *, nearest: bool) -> None:
        self._slices: _Slices | None = None
        self._where, self._step, self._nearest = np.asarray(positions, float), step, nearest

    def of(self, slices: _Slices) -> Between:
        """Give the same for these slices."""
        made = copy(self)
        made._slices = slices
        return made

    def __len__(self) -> int:
        return max(1, round(float(self._where[-1] - self._where[0]) / self._step) + 1)

    def right_of(self, k: int) -> tuple[int, float]:
        """Give the slice behind even slice k, and how near it lies, 0..1, to it from the one before."""
        where = self._where
        at = min(where[0] + k * self._step, where[-1])
        right = int(np.clip(np.searchsorted(where, at), 1, len(where) - 1))
        return right, float((at - where[right - 1]) / (where[right] - where[right - 1]))

    def __getitem__(self, k: int) -> NDArray[Any]:
        right, share = self.right_of(k)
        slices: Any = self._slices
        if self._nearest:
            return np.asarray(slices[right if share > 0.5 else right - 1])
        left, last = (slices[z] for z in (right - 1, right))
        return _rounded((1 - share) * left.astype(np.float64) + share * last.astype(np.float64), left.dtype)


class _InPlane:
    """Slices on their new pixels."""

    def __init__(self, source: Any, y: Any, x: Any, kind: Any) -> None:
        self._source, self._y, self._x, self._kind = source, y, x, kind

    def __getitem__(self, z: int) -> NDArray[Any]:
        plane = self._source[z].astype(self._kind)
        if not np.isfinite(plane).all():
            raise VolumeError(
                f"resample needs numbers everywhere, but slice {z} holds {int((~np.isfinite(plane)).sum())} that are "
                "none, and would spread them; fill or crop them first"
            )
        return np.ascontiguousarray((self._x @ (self._y @ plane).T).T)


class _Recent:
    """Keeps slices while later ones are made of them too; they are asked for in rising order."""

    def __init__(self, source: Any) -> None:
        self._source, self._kept = source, dict[int, NDArray[Any]]()

    def __getitem__(self, z: int) -> NDArray[Any]:
        if z not in self._kept:
            self._kept[z] = self._source[z]
            for old in [n for n in self._kept if n < z - 2 * SPLINE_REACH - 4]:
                del self._kept[old]
        return self._kept[z]
