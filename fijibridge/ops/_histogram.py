"""The histogram of a whole stack as ImageJ takes it for automatic thresholds, and the way back from bin to grey value.

Source: ImageJ 1.54p, ij.process.StackStatistics and ij.IJ.setAutoThreshold with the option "stack".
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..volume import Volume
from .parts import Look, Place

BINS = 256
Counts = NDArray[np.int64]


class Histogram(NamedTuple):
    """Voxels per bin (256), and the lowest and highest grey value that the bins span."""

    counts: Counts
    lowest: float
    highest: float
    dtype: np.dtype[Any]


def histogram(volume: Volume) -> Histogram:
    """Count the voxels of a volume: uint8 by grey value, anything else in 256 bins from lowest to highest.

    NaN is left out.

    Raises
    ------
    ParameterError : all voxels are equal, or some are infinite.
    """
    data = np.asarray(volume.data)
    lowest, highest = grey_range(data)
    if data.dtype == np.uint8:
        lowest, highest = 0.0, 255.0
    return Histogram(_counts(data, lowest, highest), lowest, highest, data.dtype)


def look_at_histogram(volume: Volume) -> Generator[Look, None, Histogram]:
    """Count as `histogram` does, block by block; integers of two bytes are few enough to read each voxel once."""
    if volume.dtype.kind in "ui" and volume.dtype.itemsize <= 2:
        return (yield from _look_at_levels(volume))
    ranges: list[tuple[float, float]] = []
    yield Look(_part_range, lambda _place, found: ranges.append(found))
    lowest, highest = _checked_range(float(np.fmin.reduce(ranges)[0]), float(np.fmax.reduce(ranges)[1]))
    counts = np.zeros(BINS, np.int64)
    given = {"lowest": lowest, "highest": highest}
    yield Look(_part_counts, lambda _place, found: np.add(counts, found, out=counts), given)
    return Histogram(counts, lowest, highest, volume.dtype)


def _look_at_levels(volume: Volume) -> Generator[Look, None, Histogram]:
    """Count the voxels of each grey level; the bins are counted from that."""
    limits = np.iinfo(volume.dtype)
    levels = np.arange(limits.min, limits.max + 1)
    voxels = np.zeros(len(levels), np.int64)
    yield Look(_part_levels, lambda _place, found: np.add(voxels, found, out=voxels))
    there = levels[voxels > 0]
    lowest, highest = _checked_range(float(there[0]), float(there[-1]))
    if volume.dtype == np.uint8:
        return Histogram(voxels, 0.0, 255.0, volume.dtype)
    counts = np.zeros(BINS, np.int64)
    np.add.at(counts, _bins_of(there, lowest, highest), voxels[voxels > 0])
    return Histogram(counts, lowest, highest, volume.dtype)


def _part_levels(part: Volume, _place: Place) -> Counts:
    limits = np.iinfo(part.dtype)
    counts = np.zeros(limits.max - limits.min + 1, np.int64)
    for plane in np.asarray(part.data):
        counts += np.bincount(plane.ravel().astype(np.intp) - limits.min, minlength=len(counts))
    return counts


def _part_range(part: Volume, _place: Place) -> tuple[float, float]:
    return _range(np.asarray(part.data))


def _part_counts(part: Volume, _place: Place, *, lowest: float, highest: float) -> Counts:
    return _counts(np.asarray(part.data), lowest, highest)


def _counts(data: NDArray[Any], lowest: float, highest: float) -> Counts:
    counts = np.zeros(BINS, np.int64)
    for plane in data:
        if data.dtype == np.uint8:
            counts += np.bincount(plane.ravel(), minlength=BINS)
        else:
            counts += _binned(plane, lowest, highest)
    return counts


def grey_range(data: NDArray[Any]) -> tuple[float, float]:
    """Give the lowest and highest grey value, and raise where no threshold can lie between them."""
    return _checked_range(*_range(data))


def _range(data: NDArray[Any]) -> tuple[float, float]:
    return float(np.fmin.reduce(data, axis=None)), float(np.fmax.reduce(data, axis=None))


def _checked_range(lowest: float, highest: float) -> tuple[float, float]:
    if not np.isfinite((lowest, highest)).all():
        raise ParameterError("the volume holds infinite values or nothing but NaN; replace them, or give a fixed value")
    if lowest == highest:
        raise ParameterError(
            f"all voxels have the grey value {lowest:.6g}, so there is nothing to threshold; check the volume"
        )
    return lowest, highest


def _binned(plane: NDArray[Any], lowest: float, highest: float) -> Counts:
    """Count one slice in bins, without NaN."""
    known = plane[~np.isnan(plane)] if plane.dtype.kind == "f" else plane.ravel()
    return np.bincount(_bins_of(known, lowest, highest), minlength=BINS)


def _bins_of(values: NDArray[Any], lowest: float, highest: float) -> NDArray[np.intp]:
    """Give the bin of each value in ImageJ's arithmetic: double precision, cut off to the bin below."""
    # Integer bins reach one grey value past the highest, float bins end at it.
    scale = BINS / (highest - lowest) if values.dtype.kind == "f" else 1.0 / ((highest - lowest + 1) / BINS)
    place = values.astype(np.float64)
    place -= lowest
    place *= scale
    return np.minimum(place.astype(np.intp), BINS - 1)


def last_dark(bin_: int, found: Histogram) -> float:
    """Give the highest grey value that counts as dark where the threshold is this bin.

    ImageJ calls bright what reaches the next bin's place on a scale of 255 steps from lowest to highest, rounded for
    integers, whatever the width of the bins; so its first bright value lies up to one bin above the bin's own edge.
    """
    first = min(bin_ + 1, BINS - 1)
    bright = found.lowest + first / (BINS - 1) * (found.highest - found.lowest)
    if found.dtype.kind == "f":
        return float(np.nextafter(found.dtype.type(bright), found.dtype.type(-np.inf)))
    return float(np.floor(bright + 0.5)) - 1
