"""The features by scipy, region by region: slow and plain."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fijibridge.forest.features import Column

Array = NDArray[np.float32]


def radius_of(sigma: float) -> int:
    """Give the half-width of a Gaussian kernel in voxels."""
    return max(1, ceil(3 * sigma))


def halo_of(columns: tuple[Column, ...]) -> int:
    """Give the voxels around a region that its features depend on."""
    return max(radius_of(c.sigma) + radius_of(0.5 * c.sigma) + 2 for c in columns)


def compute(grey: Array, columns: tuple[Column, ...], *, flat: bool) -> Array:
    """Give (column, z, y, x) features of a (z, y, x) region."""
    cache: dict[tuple[str, float], list[Array]] = {}
    axes = (1, 2) if flat else (0, 1, 2)
    found = []
    for column in columns:
        key = (column.kind, column.sigma)
        if key not in cache:
            cache[key] = _filter(grey, column, axes)
        found.append(cache[key][column.part])
    return np.stack(found)


def _filter(grey: Array, column: Column, axes: tuple[int, ...]) -> list[Array]:
    smooth = _gauss(grey, column.sigma, axes)
    if column.kind == "gaussian":
        return [smooth]
    if column.kind == "difference_of_gaussians":
        return [smooth - _gauss(grey, 0.66 * column.sigma, axes)]
    slopes = [_slope(smooth, axis) for axis in axes]
    if column.kind == "gradient_magnitude":
        return [np.sqrt(sum(s * s for s in slopes))]
    if column.kind == "structure_tensor":
        return _eigenvalues([[_gauss(a * b, 0.5 * column.sigma, axes) for a in slopes] for b in slopes])
    second = [[_bend(smooth, a) if a == b else _slope(slopes[i], b) for b in axes] for i, a in enumerate(axes)]
    if column.kind == "laplacian":
        return [sum(second[i][i] for i in range(len(axes)))]
    return _eigenvalues(second)


def _gauss(grey: Array, sigma: float, axes: tuple[int, ...]) -> Array:
    return ndimage.gaussian_filter(grey, sigma, axes=axes, radius=radius_of(sigma), mode="reflect")


def _slope(grey: Array, axis: int) -> Array:
    return ndimage.correlate1d(grey, [-0.5, 0, 0.5], axis=axis, mode="reflect")


def _bend(grey: Array, axis: int) -> Array:
    return ndimage.correlate1d(grey, [1, -2, 1], axis=axis, mode="reflect")


def _eigenvalues(matrix: list[list[Array]]) -> list[Array]:
    stacked = np.stack([np.stack(row, axis=-1) for row in matrix], axis=-1)
    values = np.linalg.eigvalsh(stacked)
    return [values[..., i] for i in range(values.shape[-1] - 1, -1, -1)]
