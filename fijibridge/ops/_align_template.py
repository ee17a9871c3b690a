"""Align by a region that is the same in every slice by construction: a protective cap, a trench edge, a fiducial."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ._align_apply import move_slice
from ._align_measure import Reduced, bin_factor, measure, reduce_slice
from ._align_path import Pairs, Solution, solve

Region = tuple[int, int, int, int]
SliceReader = Callable[[int], NDArray[np.generic]]

#: A fixed region keeps its likeness: pairs far apart are as good as neighbours, and stop errors from adding up.
_LAGS = (1, 2, 4, 8, 16, 32, 64, 128)
#: Share of the gradients' energy that must lie along the weaker direction; less fixes one axis only.
_MINOR = 0.02


def check_region(region: Region | None, rows: int, columns: int) -> Region:
    """Give the region if it lies in the slice and is large enough to register."""
    if region is None:
        raise ParameterError("trend='template' needs region=(y0, y1, x0, x1), a part that is fixed by construction")
    y0, y1, x0, x1 = region
    if not (0 <= y0 < y1 <= rows and 0 <= x0 < x1 <= columns) or min(y1 - y0, x1 - x0) < 24:
        raise ParameterError(
            f"region {region} must be (y0, y1, x0, x1) within {rows} x {columns} pixels and at least 24 pixels wide"
        )
    return region


def solve_template(read: SliceReader, count: int, region: Region, reach: float) -> Solution:
    """Find where the region lies in each slice: chained over many distances, then against the mean of all slices."""
    rows, columns = slice(region[0], region[1]), slice(region[2], region[3])
    factor = bin_factor((region[1] - region[0], region[3] - region[2]))
    reduced = [reduce_slice(read(z)[rows, columns], None, factor, streaks=False) for z in range(count)]
    limit = min(reach, min(region[1] - region[0], region[3] - region[2]) / 2 - 4) / factor
    chained = _chain(reduced, factor, limit)
    reference = _mean_region(read, chained, rows, columns)
    target = reduce_slice(reference, None, factor, streaks=False)
    _check_corners(target, region)
    return _against(target, reduced, chained, factor, limit)


def _chain(reduced: list[Reduced], factor: int, limit: float) -> Solution:
    count = len(reduced)
    ends = [(z, z + lag) for lag in _LAGS for z in range(count - lag)]
    moved = np.array([measure(reduced[first], reduced[second], limit) for first, second in ends])
    first, second = np.array(ends).T
    return solve(Pairs(first, second, factor * moved[:, :2], moved[:, 2]), count)


def _mean_region(read: SliceReader, chained: Solution, rows: slice, columns: slice) -> NDArray[np.float64]:
    """Average the region over all good slices; noise and streaks average out, and no slice counts more than another."""
    total = np.zeros((rows.stop - rows.start, columns.stop - columns.start))
    good = np.flatnonzero(~chained.outliers)
    for z in good:
        image = np.asarray(read(int(z)), np.float32)
        moved = move_slice(
            image, (-chained.path[z, 0], -chained.path[z, 1]), nearest=False, empty=float(np.median(image))
        )
        total += moved[rows, columns]
    return total / len(good)


def _check_corners(target: Reduced, region: Region) -> None:
    down, right = float((target.grad_y**2).sum()), float((target.grad_x**2).sum())
    across = float((target.grad_y * target.grad_x).sum())
    half, spread = (down + right) / 2, np.hypot((down - right) / 2, across)
    if half - spread < _MINOR * (half + spread):
        raise ParameterError(
            f"region {region} shows edges of one direction only, so that it fixes one axis and not the other; "
            "choose a region with marks or corners"
        )


def _against(target: Reduced, reduced: list[Reduced], chained: Solution, factor: int, limit: float) -> Solution:
    path = chained.path.copy()
    for z, each in enumerate(reduced):
        if chained.outliers[z]:
            continue
        guess = (chained.path[z, 0] / factor, chained.path[z, 1] / factor)
        moved = measure(target, each, limit, guess)
        found = factor * np.array([moved.y, moved.x])
        # The mean is the better reference, but only near where the chain already put the slice.
        if np.abs(found - chained.path[z]).max() < 1.0:
            path[z] = found
    return chained._replace(path=path)
