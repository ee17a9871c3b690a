"""Align by neighbours: each slice against several before it, in one pass that holds only these."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._align_measure import SHARP, SHARP_UNBINNED, Reduced, bin_factor, moved_by, peak, reduce_slice, settle
from ._align_path import Pairs, Solution, solve

#: Each slice is compared with the ones this far before it, so that one bad slice does not break the chain.
_LAGS = (1, 2, 3)
#: Fits of a slice before, and after, it was moved onto the pixels of the one before.
_ROUGH, _FINAL = 3, 3


class _Held(NamedTuple):
    """A slice moved by `move` (working pixels, a part of one), and how many it then lies from the one before it."""

    reduced: Reduced
    move: NDArray[np.float64]
    away: tuple[int, int]


def solve_stack(
    shape: tuple[int, ...],
    read: Callable[[int], NDArray[Any]],
    weigh: Callable[[int], NDArray[np.bool_] | None],
    reach: float,
    progress: Callable[[float], None] | None,
) -> Solution:
    """Find where the content of each slice lies.

    Slopes hold noise, which makes every fitted displacement a little too small. Each slice is therefore moved onto the
    pixels of the one before it, by the part of a pixel that a first fit finds, and only then compared: of a
    displacement that is nearly nothing, a small share is nothing at all.

    Parameters
    ----------
    shape : of the stack.
    read : gives slice z.
    weigh : gives which pixels of slice z count; None = all.
    reach : largest movement from one slice to the next, in voxels.
    progress : called with the share done, 0..1.
    """
    count = shape[0]
    factor = bin_factor(shape[1:])
    band = SHARP if factor > 1 else SHARP_UNBINNED
    furthest = min(shape[1:]) / 2 - 8
    held: deque[_Held] = deque(maxlen=max(_LAGS) + 1)
    found: list[tuple[int, int, float, float, float]] = []
    for z in range(count):
        fresh = reduce_slice(read(z), weigh(z), factor, band_pass=band)
        reaches = [min(reach * lag, furthest) / factor for lag in _LAGS]
        held.append(_onto(held[-1], fresh, reaches[0]) if held else _Held(fresh, np.zeros(2), (0, 0)))
        for lag, far in zip(_LAGS, reaches, strict=True):
            if lag < len(held):
                first, second = held[-1 - lag], held[-1]
                start = second.away if lag == 1 else peak(first.reduced, second.reduced, far)
                y, x, score = _pair(first, second, start, far)
                found.append((z - lag, z, factor * y, factor * x, score))
        if progress:
            progress((z + 1) / count)
    return solve(_sorted(found), count, redundant=True)


def _onto(before: _Held, fresh: Reduced, reach: float) -> _Held:
    rough = settle(before.reduced, fresh, peak(before.reduced, fresh, reach), reach, _ROUGH)
    place = np.array([rough.y, rough.x])
    move = np.rint(place) - place
    return _Held(moved_by(fresh, (float(move[0]), float(move[1]))), move, (round(rough.y), round(rough.x)))


def _pair(first: _Held, second: _Held, start: tuple[int, int], reach: float) -> tuple[float, float, float]:
    moved = settle(first.reduced, second.reduced, start, reach, _FINAL)
    off = first.move - second.move
    return moved.y + float(off[0]), moved.x + float(off[1]), moved.score


def _sorted(found: list[tuple[int, int, float, float, float]]) -> Pairs:
    """Sort pairs by distance, then along the stack: what is usual is looked up among neighbours of one distance."""
    table = np.array(found)
    table = table[np.lexsort((table[:, 0], table[:, 1] - table[:, 0]))]
    return Pairs(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:4], table[:, 4])
