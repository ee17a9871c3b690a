"""Put a volume on another grid: averaging down, splines up, labels by majority; uneven slices too."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import ParameterError
from ..operation import Engine, operation
from ..volume import Units, Volume, history, make_volume, origin, voxel_size
from . import _fiji as imagej

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
    ParameterError : sizes that are not positive, positions that do not fit, or a result beyond 2^34 voxels.

    Engines: native - SciPy; fiji - macros/resample.ijm ("Scale...", bicubic, averaging down).  Differences: border and
    rounding; labels by nearest neighbour; no uneven positions.
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
    wanted = new_size(volume, size, units)
    data = np.asarray(volume.data)
    present: Size = voxel_size(volume)[:3]
    if positions is not None:
        data = _even_slices(data, positions, wanted[0], nearest=labels or data.dtype.kind == "b")
        present = (wanted[0], present[1], present[2])
    if labels or data.dtype.kind == "b":
        return on_grid(volume, _majority(data, present, wanted), wanted, even=positions is None)
    result = data.astype(np.float32 if data.dtype.itemsize < 8 else np.float64)
    for axis in range(3):
        result = _along(result, axis, present[axis], wanted[axis])
    if data.dtype.kind in "iu":
        limits = np.iinfo(data.dtype)
        result = np.clip(np.rint(result), limits.min, limits.max)
    return on_grid(volume, result.astype(data.dtype), wanted, even=positions is None)


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


def _along(data: NDArray[Any], axis: int, present: float, wanted: float) -> NDArray[Any]:
    """Resample one axis."""
    count = max(1, round(data.shape[axis] * present / wanted))
    if abs(wanted / present - 1) < 1e-9 and count == data.shape[axis]:
        return data
    if wanted > present or data.shape[axis] < 4:
        return _averaged(data, axis, count, wanted / present)
    place = (np.arange(count) + 0.5) * wanted / present - 0.5
    spline = ndimage.spline_filter1d(data, 3, axis=axis, output=np.dtype(data.dtype), mode="mirror")
    return _cubic(spline, axis, np.clip(place, 0, data.shape[axis] - 1))


def _averaged(data: NDArray[Any], axis: int, count: int, ratio: float) -> NDArray[Any]:
    """Average by area: differences of the running integral at the faces of the new voxels."""
    rows = np.moveaxis(data, axis, 0)
    size = len(rows)
    faces = np.clip(np.arange(count + 1) * ratio, 0, size)
    result = np.empty((count, *rows.shape[1:]), data.dtype)
    for k, (low, high) in enumerate(pairwise(faces)):
        first, last = int(low), min(int(np.ceil(high)), size)
        first = min(first, size - 1)
        share = np.minimum(np.arange(first, last) + 1, high) - np.maximum(np.arange(first, last), low)
        share = share / share.sum() if share.size and share.sum() > 0 else np.ones(1)
        result[k] = np.tensordot(share.astype(data.dtype), rows[first : first + len(share)], axes=1)
    return np.moveaxis(result, 0, axis)


def _cubic(spline: NDArray[Any], axis: int, place: NDArray[np.float64]) -> NDArray[Any]:
    """Evaluate a cubic B-spline along one axis."""
    rows = np.moveaxis(spline, axis, 0)
    size = len(rows)
    result = np.empty((len(place), *rows.shape[1:]), spline.dtype)
    for k, at in enumerate(place):
        base = int(np.floor(at))
        t = at - base
        weights = np.array([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
        # The spline goes on mirrored about its first and last samples.
        taps = np.abs(np.arange(base - 1, base + 3))
        taps = np.where(taps > size - 1, 2 * (size - 1) - taps, taps)
        result[k] = np.tensordot(weights.astype(spline.dtype), rows[taps], axes=1)
    return np.moveaxis(result, 0, axis)


def _majority(data: NDArray[Any], present: Size, wanted: Size) -> NDArray[Any]:
    """Give each new voxel the label that covers most of it; where the grid becomes finer, the nearest."""
    best: NDArray[np.float32] | None = None
    result: NDArray[Any] | None = None
    for label in np.unique(data):
        share = (data == label).astype(np.float32)
        for axis in range(3):
            share = np.asarray(_label_axis(share, axis, present[axis], wanted[axis]), np.float32)
        if best is None or result is None:
            best, result = share, np.full(share.shape, label, data.dtype)
            continue
        more = share > best
        result[more] = label
        np.maximum(best, share, out=best)
    return result if result is not None else data


def _label_axis(share: NDArray[Any], axis: int, present: float, wanted: float) -> NDArray[Any]:
    count = max(1, round(share.shape[axis] * present / wanted))
    if wanted > present:
        return _averaged(share, axis, count, wanted / present)
    nearest = np.clip(((np.arange(count) + 0.5) * wanted / present).astype(int), 0, share.shape[axis] - 1)
    return np.asarray(np.take(share, nearest, axis=axis))


def _even_slices(data: NDArray[Any], positions: tuple[float, ...], step: float, *, nearest: bool) -> NDArray[Any]:
    """Put slices at measured places onto even ones: linear in between, since uneven slices leave nothing better."""
    where = np.asarray(positions, float)
    count = max(1, round((where[-1] - where[0]) / step) + 1)
    result = np.empty((count, *data.shape[1:]), data.dtype)
    for k in range(count):
        at = min(where[0] + k * step, where[-1])
        right = int(np.clip(np.searchsorted(where, at), 1, len(where) - 1))
        share = (at - where[right - 1]) / (where[right] - where[right - 1])
        if nearest:
            result[k] = data[right if share > 0.5 else right - 1]
            continue
        mixed = (1 - share) * data[right - 1].astype(np.float64) + share * data[right].astype(np.float64)
        result[k] = np.rint(mixed) if data.dtype.kind in "iu" else mixed
    return result
