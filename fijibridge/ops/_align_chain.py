"""Align by neighbours: each slice against several before it, in one pass that holds only these."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._align_measure import (
    SHARP,
    SHARP_UNBINNED,
    Displacement,
    Reduced,
    bin_factor,
    moved_by,
    peak,
    reduce_slice,
    settle,
)
from ._align_path import Pairs, Solution, solve

#: Each slice is compared with the ones this far before it, so that one bad slice does not break the chain.
_LAGS = (1, 2, 3)
#: Rounds of the fit of a slice before, and after, it was moved onto the pixels of the one before; between
#: slices further apart, where none is spoilt, fewer do.
_ROUGH, _FINAL, _FAR = 3, 3, 2
#: A step is sure where two slices agree to this share of what neighbours do at their best.
_SURE = 0.8


class _Held(NamedTuple):
    """A slice moved by `move` (working pixels, a part of one).

    `away` is how many pixels it then lies from the one before, `score` how alike the two are.
    """

    reduced: Reduced
    move: NDArray[np.float64]
    away: tuple[int, int]
    score: float


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
        held.append(_onto(held[-1], fresh, reaches[0]) if held else _Held(fresh, np.zeros(2), (0, 0), 0.0))
        for lag, far in zip(_LAGS, reaches, strict=True):
            if lag < len(held):
                y, x, score = _compared(list(held), lag, far)
                found.append((z - lag, z, factor * y, factor * x, score))
        if progress:
            progress((z + 1) / count)
    return solve(_sorted(found), count, redundant=True)


def _onto(before: _Held, fresh: Reduced, reach: float) -> _Held:
    rough = settle(before.reduced, fresh, peak(before.reduced, fresh, reach), reach, _ROUGH)
    place = np.array([rough.y, rough.x])
    move = np.rint(place) - place
    return _Held(moved_by(fresh, (float(move[0]), float(move[1]))), move, (round(rough.y), round(rough.x)), rough.score)


def _compared(held: list[_Held], lag: int, reach: float) -> Displacement:
    """Compare the last slice with one before it; where the steps between are sure, they tell where to look."""
    first, second, between = held[-1 - lag], held[-1], held[-lag:]
    start = (sum(each.away[0] for each in between), sum(each.away[1] for each in between))
    if lag == 1:
        return _pair(first, second, start, reach, _FINAL)
    if min(each.score for each in between) > _SURE * max(each.score for each in held):
        return _pair(first, second, start, reach, _FAR)
    # This pair bridges a spoilt slice, and much depends on it.
    return _pair(first, second, peak(first.reduced, second.reduced, reach), reach, _FINAL)


def _pair(first: _Held, second: _Held, start: tuple[int, int], reach: float, rounds: int) -> Displacement:
    moved = settle(first.reduced, second.reduced, start, reach, rounds)
    off = first.move - second.move
    return Displacement(moved.y + float(off[0]), moved.x + float(off[1]), moved.score)


def _sorted(found: list[tuple[int, int, float, float, float]]) -> Pairs:
    """Sort pairs by distance, then along the stack: what is usual is looked up among neighbours of one distance."""
    table = np.array(found)
    table = table[np.lexsort((table[:, 0], table[:, 1] - table[:, 0]))]
    return Pairs(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:4], table[:, 4])
