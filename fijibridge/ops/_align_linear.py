"""By how much slices are turned (and stretched): a robust fit to pairs of slices, joined over several neighbours.

Translation is known roughly by then. Each pair is compared from coarse to fine; the second slice is warped by what was
found so far, so that turns of many pixels at the rim come within reach of a fit that sees one or two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, ndimage

from ._align_measure import Reduced, bin_factor, reduce_slice
from ._align_path import Pairs, slow_part, solve

Model = Literal["rigid", "affine"]
SliceReader = Callable[[int], NDArray[np.generic]]
Matrices = NDArray[np.float64]

_LAGS = (1, 2, 3)
#: The coarse level has pixels so many times larger.
_COARSER = 4
_WARPS = {"coarse": 4, "fine": 3}
_REWEIGHINGS = 3
#: Robust scale: residuals beyond this many standard deviations count less and less.
_CUT = 3.0
_RIM = 4
#: A matrix this far from none is no turn or stretch of a slice but a fit gone wrong.
_MOST = 0.2


class Turned(NamedTuple):
    """Logarithm of each slice's matrix about its centre, in (y, x); how far its pairs disagree; spoilt slices."""

    path: Matrices
    slow: Matrices
    residual: NDArray[np.float64]
    outliers: NDArray[np.bool_]

    def corrections(self) -> Matrices:
        """Give the matrices that undo what is not kept."""
        return np.array([linalg.expm(kept - log) for kept, log in zip(self.slow, self.path, strict=True)])


class _Levels(NamedTuple):
    coarse: Reduced
    fine: Reduced


def measure_turns(
    read: SliceReader,
    where: NDArray[np.float64],
    *,
    model: Model,
    slow_slices: float | None,
    weigh: Callable[[int], NDArray[np.bool_] | None],
    progress: Callable[[float], None] | None,
) -> Turned:
    """Find the matrix of each slice of a stack.

    Parameters
    ----------
    read : gives slice z.
    where : (n, 2) place of each slice's content as far as translation tells.
    model : rotation alone, or any linear map.
    slow_slices : change over more slices than this is kept; None = none is.
    weigh : gives which pixels of slice z count; None = all.
    progress : called with the share done, 0..1.
    """
    count, shape = len(where), read(0).shape
    factor = bin_factor(shape)
    arm = min(shape) / 2
    held: deque[_Levels] = deque(maxlen=max(_LAGS) + 1)
    ends, found, score = [], [], []
    for z in range(count):
        held.append(_reduced(read(z), weigh(z), factor))
        for lag in _LAGS:
            if lag < len(held):
                log, agrees = _pair(held[-1 - lag], held[-1], (where[z] - where[z - lag]) / factor, model)
                ends.append((z - lag, z))
                found.append(log)
                score.append(agrees)
        if progress:
            progress((z + 1) / count)
    order = sorted(range(len(ends)), key=lambda k: (ends[k][1] - ends[k][0], ends[k][0]))
    first, second = np.array(ends)[order].T
    # In pixels at the end of a lever arm: so the limits of `solve` mean the same as for translation.
    moved = arm * np.array(found)[order]
    return _joined(first, second, moved, np.array(score)[order], count=count, arm=arm, slow_slices=slow_slices)


def _joined(
    first: NDArray[np.int64], second: NDArray[np.int64], moved: Matrices, score: NDArray[np.float64], *,
    count: int, arm: float, slow_slices: float | None,
) -> Turned:  # fmt: skip
    path, slow = np.zeros((count, 2, 2)), np.zeros((count, 2, 2))
    residual, outliers = np.zeros(count), np.zeros(count, np.bool_)
    for column in (0, 1):
        solved = solve(Pairs(first, second, moved[:, :, column], score), count)
        path[:, :, column] = solved.path / arm
        if slow_slices is not None:
            slow[:, :, column] = slow_part(solved.path, solved.outliers, slow_slices) / arm
        residual = np.maximum(residual, solved.residual)
        outliers |= solved.outliers
    return Turned(path, slow, residual, outliers)


def _reduced(image: NDArray[np.generic], valid: NDArray[np.bool_] | None, factor: int) -> _Levels:
    return _Levels(reduce_slice(image, valid, _COARSER * factor), reduce_slice(image, valid, factor))


def _pair(first: _Levels, second: _Levels, shift: NDArray[np.float64], model: Model) -> tuple[Matrices, float]:
    """Give the logarithm of the matrix from the first slice to the second, and how well they agree then."""
    shift, log = shift / _COARSER, np.zeros((2, 2))
    shift, log, _ = _fit(first.coarse, second.coarse, shift, log, model="rigid", warps=_WARPS["coarse"])
    # A stretch is fitted only where the turn is known: on few pixels it would take in noise.
    _, log, score = _fit(first.fine, second.fine, shift * _COARSER, log, model=model, warps=_WARPS["fine"])
    if np.abs(log).max() > _MOST:
        return np.zeros((2, 2)), 0.0
    return log, score


def _fit(
    first: Reduced, second: Reduced, shift: NDArray[np.float64], log: Matrices, *, model: Model, warps: int
) -> tuple[NDArray[np.float64], Matrices, float]:
    """Warp, fit what is left, and again; give the shift, the logarithm, and the correlation at the end."""
    coefficients = ndimage.spline_filter(second.image, order=3, output=np.float32, mode="mirror")
    score = 0.0
    for _ in range(warps):
        warped, weight = _warped(coefficients, second.weight, shift, log)
        step_shift, step_log, score = _step(first, warped, weight * first.weight, model)
        shift, log = shift + step_shift, log + step_log
        if max(np.abs(step_shift).max(), np.abs(step_log).max() * min(warped.shape) / 2) < 0.01:
            break
    return shift, log, score


def _warped(
    coefficients: NDArray[np.float32], weight: NDArray[np.float32], shift: NDArray[np.float64], log: Matrices
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    matrix = linalg.expm(log)
    middle = (np.array(coefficients.shape) - 1) / 2
    offset = middle + shift - matrix @ middle
    image = ndimage.affine_transform(coefficients, matrix, offset, order=3, prefilter=False, mode="mirror")
    inside = ndimage.affine_transform(weight, matrix, offset, order=0, mode="constant")
    return image, inside


def _step(
    first: Reduced, warped: NDArray[np.float32], weight: NDArray[np.float32], model: Model
) -> tuple[NDArray[np.float64], Matrices, float]:
    """Fit shift and matrix that are left between a slice and one that is nearly in place."""
    inner = (slice(_RIM, -_RIM), slice(_RIM, -_RIM))
    use = weight[inner].ravel() > 0.5
    slope = np.gradient(warped)
    steep = [((own + other) / 2)[inner].ravel()[use] for own, other in zip((first.grad_y, first.grad_x), slope,
                                                                          strict=True)]  # fmt: skip
    middle = (np.array(warped.shape) - 1) / 2
    arms = [
        arm[inner].ravel()[use]
        for arm in np.meshgrid(*(np.arange(n) - c for n, c in zip(warped.shape, middle, strict=True)), indexing="ij")
    ]
    difference = (warped - first.image)[inner].ravel()[use]
    if difference.size < 256:
        return np.zeros(2), np.zeros((2, 2)), 0.0
    solved = _reweighted(_design(steep, arms, model), difference)
    log = np.zeros((2, 2))
    if model == "rigid":
        log[0, 1], log[1, 0] = -solved[2], solved[2]
    else:
        log = solved[2:].reshape(2, 2)
    return solved[:2], log, _correlation(first.image[inner].ravel()[use], warped[inner].ravel()[use])


def _design(steep: list[NDArray[np.float32]], arms: list[NDArray[np.float64]], model: Model) -> NDArray[np.float32]:
    (g_y, g_x), (y, x) = steep, arms
    turns = [g_x * y - g_y * x] if model == "rigid" else [g_y * y, g_y * x, g_x * y, g_x * x]
    return np.asarray(np.column_stack([g_y, g_x, *turns]), np.float32)


def _reweighted(design: NDArray[np.float32], difference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Solve ``design @ unknowns = -difference``, pixels that do not fit counting little."""
    # Unknowns of like size, or the turn is lost beside the shift in single precision.
    size = np.sqrt((design**2).mean(axis=0)) + 1e-12
    scaled = design / size
    weight = np.ones_like(difference)
    solved = np.zeros(design.shape[1])
    for _ in range(_REWEIGHINGS):
        weighted = scaled * weight[:, None]
        normal = (weighted.T @ scaled).astype(float)
        normal += 1e-9 * np.trace(normal) * np.eye(len(normal))
        solved = np.linalg.solve(normal, -(weighted.T @ difference).astype(float))
        residual = difference + scaled @ solved.astype(np.float32)
        # The median absolute residual of white noise is 0.67 standard deviations.
        scale = max(1.48 * float(np.median(np.abs(residual[::7]))), 1e-6)
        weight = 1 / (1 + (residual / (_CUT * scale)) ** 2) ** 2
    return np.asarray(solved / size)


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0
