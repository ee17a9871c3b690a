"""From displacements of many pairs to one path, and from the path to what is to be removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

Path = NDArray[np.float64]

_ROUNDS = 12
#: Power of the distance by which redundant pairs count less.
_REDUNDANT = 4
#: Pixels below which disagreement between pairs is no sign of anything.
_FLOOR = 0.03
#: A slice is spoilt whose best pair correlates worse than this share of what is usual, and worse than usual scatter.
_POOR, _SCATTER = 0.9, 12.0
#: Pixels by which most pairs of a slice must disagree with the path for the slice to be spoilt.
_ASTRAY = 1.0


class Pairs(NamedTuple):
    """Measured displacements between slices `first` and `second`, in pixels, and their correlation."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    moved: Path
    score: NDArray[np.float64]


class Solution(NamedTuple):
    """Where each slice's content lies, how well its pairs agree, and which slices are spoilt."""

    path: Path
    confidence: NDArray[np.float64]
    residual: NDArray[np.float64]
    outliers: NDArray[np.bool_]


def solve(pairs: Pairs, count: int, *, redundant: bool = False) -> Solution:
    """Find the path that all pairs agree on best, pairs that do not fit counting little.

    Pairs further apart see less of the same structure: how much each distance is worth is taken from how well its
    pairs agree. `redundant` says that they see nothing else either: the noise of the slices between cancels in the sum
    of short distances, and what remains is how the structure moves, of which a long distance tells less. They then
    decide which pairs fit, and bridge spoilt slices, and count for little besides.
    """
    lag = pairs.second - pairs.first
    design = _design(pairs, count)
    belief = np.clip(pairs.score, 0, 1) ** 2 + 1e-6
    weight = belief / lag
    path = np.zeros((count, 2))
    off = np.zeros(len(lag))
    for _ in range(_ROUNDS):
        path = _least_squares(design, pairs.moved, weight)
        off = np.linalg.norm(pairs.moved - design @ path, axis=1)
        spread = _spread_by_lag(off, lag)
        weight = belief / spread**2 / (1 + (off / (2 * spread)) ** 2) ** 2
    if redundant:
        path = _least_squares(design, pairs.moved, weight / lag.astype(float) ** _REDUNDANT)
    quality = _relative_score(pairs, count)
    residual = _per_slice(np.median, off, pairs, count)
    usual = float(np.median(quality))
    scatter = float(np.median(np.abs(quality - usual)))
    outliers = (quality < min(_POOR, usual - _SCATTER * scatter)) | (
        residual > np.maximum(_ASTRAY, 8 * np.median(residual))
    )
    if outliers.mean() > 0.4:
        # Where "most are spoilt" the stack is just noisy: nothing stands out.
        outliers = np.zeros(count, np.bool_)
    return Solution(_bridge(path, outliers), np.clip(quality, 0, 1), residual, outliers)


def slow_part(path: Path, outliers: NDArray[np.bool_], period: float) -> Path:
    """Give the part of a path that changes over more than `period` slices, jumps taken out of it.

    A smoothing spline (third differences penalised, so that its ends may bend) with a step at every jump, fitted
    together, so that a jump's height does not depend on the jitter of the two slices beside it.
    """
    count = len(path)
    if count < 6:
        return np.tile(path.mean(axis=0), (count, 1))
    weight = np.where(outliers, 1e-6, 1.0)
    stiffness = (period / (2 * np.pi)) ** 6
    third = sparse.diags_array([-1.0, 3.0, -3.0, 1.0], offsets=[0, 1, 2, 3], shape=(count - 3, count))
    at = jumps(path, outliers)
    steps = (np.arange(count)[:, None] >= np.asarray(at, int)[None]).astype(float)
    smooth = sparse.csc_array(sparse.diags_array(weight) + stiffness * (third.T @ third))
    top = sparse.hstack([smooth, sparse.csc_array(weight[:, None] * steps)])
    bottom = sparse.hstack([sparse.csc_array(steps.T * weight), sparse.csc_array((steps.T * weight) @ steps)])
    system = sparse.csc_array(sparse.vstack([top, bottom])) + 1e-9 * sparse.eye_array(count + len(at), format="csc")
    right = np.vstack([weight[:, None] * path, (steps.T * weight) @ path])
    solved = np.column_stack([spsolve(system, right[:, axis]) for axis in (0, 1)])
    return np.asarray(solved[:count])


def jumps(path: Path, outliers: NDArray[np.bool_]) -> list[int]:
    """Give the slices at which the path makes a step that stands out from the steps around it."""
    step = np.diff(path, axis=0)
    usual = ndimage.median_filter(step, size=(min(11, len(step)), 1), mode="nearest")
    excess = np.linalg.norm(step - usual, axis=1)
    good = excess[~outliers[1:]]
    limit = max(1.0, 4.0 * 1.2 * float(np.median(good if len(good) else excess)))
    return [int(z) + 1 for z in np.flatnonzero(excess > limit)]


def _design(pairs: Pairs, count: int) -> sparse.csr_array:
    rows = np.arange(len(pairs.first))
    values = np.concatenate([-np.ones(len(rows)), np.ones(len(rows))])
    where = (np.concatenate([rows, rows]), np.concatenate([pairs.first, pairs.second]))
    return sparse.csr_array((values, where), shape=(len(rows), count))


def _least_squares(design: sparse.csr_array, moved: Path, weight: NDArray[np.float64]) -> Path:
    weighted = design.T @ sparse.diags_array(weight)
    # Only differences are measured: the small term on the diagonal puts the middle of the path at zero.
    normal = (weighted @ design + 1e-9 * weight.max() * sparse.eye_array(design.shape[1])).tocsc()
    solved = np.column_stack([spsolve(normal, weighted @ moved[:, axis]) for axis in (0, 1)])
    return np.asarray(solved - solved.mean(axis=0))


def _spread_by_lag(off: NDArray[np.float64], lag: NDArray[np.int64]) -> NDArray[np.float64]:
    spread = np.empty_like(off)
    for distance in np.unique(lag):
        chosen = lag == distance
        spread[chosen] = max(_FLOOR, 1.2 * float(np.median(off[chosen])))
    return spread


def _relative_score(pairs: Pairs, count: int) -> NDArray[np.float64]:
    """Give how well each slice correlates with its neighbours, as a share of what is usual around it."""
    relative = np.empty(len(pairs.score))
    lag = pairs.second - pairs.first
    for distance in np.unique(lag):
        chosen = lag == distance
        usual = ndimage.median_filter(pairs.score[chosen], size=min(25, int(chosen.sum())), mode="nearest")
        relative[chosen] = pairs.score[chosen] / np.maximum(usual, 0.02)
    # The best pair counts: a good slice between spoilt ones still has one.
    return _per_slice(np.max, relative, pairs, count)


def _per_slice(
    summary: Callable[[NDArray[np.float64]], Any], values: NDArray[np.float64], pairs: Pairs, count: int
) -> NDArray[np.float64]:
    gathered: list[list[float]] = [[] for _ in range(count)]
    for first, second, value in zip(pairs.first, pairs.second, values, strict=True):
        gathered[first].append(value)
        gathered[second].append(value)
    return np.array([float(summary(np.asarray(each))) for each in gathered])


def _bridge(path: Path, outliers: NDArray[np.bool_]) -> Path:
    """Put spoilt slices on the line between their good neighbours: their own measurement is not to be trusted."""
    if not outliers.any():
        return path
    good = np.flatnonzero(~outliers)
    return np.column_stack([np.interp(np.arange(len(path)), good, path[good, axis]) for axis in (0, 1)])
