"""How much of each voxel along one axis goes into each voxel of another grid, as a sparse matrix."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

#: Samples to each side that a spline's coefficient is made of: beyond, their shares are below single precision.
SPLINE_REACH = 12
_POLE = np.sqrt(3.0) - 2.0


def sharing_matrix(count: int, present: float, wanted: float, *, nearest: bool) -> Any:
    """Give the matrix (new voxels, old voxels), whose rows sum to 1.

    Means by area where the grid becomes coarser, cubic splines (or the `nearest` voxel) where it becomes finer.
    """
    made, ratio = max(1, round(count * present / wanted)), wanted / present
    if abs(ratio - 1) < 1e-9 and made == count:
        return sparse.identity(count, format="csr")
    if ratio > 1 or (count < 4 and not nearest):
        return _means(count, made, ratio)
    if nearest:
        taken = np.clip(((np.arange(made) + 0.5) * ratio).astype(int), 0, count - 1)
        return sparse.csr_matrix((np.ones(made), (np.arange(made), taken)), (made, count))
    return _splines(count, np.clip((np.arange(made) + 0.5) * ratio - 0.5, 0, count - 1))


def _means(count: int, made: int, ratio: float) -> Any:
    matrix = sparse.lil_matrix((made, count))
    for k, (low, high) in enumerate(pairwise(np.clip(np.arange(made + 1) * ratio, 0, count))):
        first, last = min(int(low), count - 1), min(int(np.ceil(high)), count)
        share = np.minimum(np.arange(first, last) + 1, high) - np.maximum(np.arange(first, last), low)
        share = share / share.sum() if share.size and share.sum() > 0 else np.ones(1)
        matrix[k, first : first + len(share)] = share
    return matrix.tocsr()


def _splines(count: int, place: NDArray[np.float64]) -> Any:
    """Give the values of a cubic B-spline through the samples, which go on mirrored about the first and the last."""
    base = np.floor(place).astype(int)
    t = place - base
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    # A coefficient is made of samples with shares that fall by the pole of the spline from one to the next.
    filtered = -6 * _POLE / (1 - _POLE**2) * _POLE ** np.abs(np.arange(-SPLINE_REACH, SPLINE_REACH + 1.0))
    shares = np.stack([np.convolve(row, filtered) for row in weights])
    taps = base[:, None] - 1 - SPLINE_REACH + np.arange(shares.shape[1])
    taps = np.abs((taps + count - 1) % (2 * (count - 1)) - (count - 1))
    rows = np.repeat(np.arange(len(place)), shares.shape[1])
    matrix = sparse.csr_matrix((shares.ravel(), (rows, taps.ravel())), (len(place), count))
    matrix.sum_duplicates()
    return matrix
