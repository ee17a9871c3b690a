"""The default features by scipy and numpy alone: on the whole mirrored volume, on the full grid, with no shortcut."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fijibridge.forest.features import Column

Array = NDArray[np.float64]


def compute(grey: NDArray[np.generic], columns: tuple[Column, ...], *, flat: bool, pad: int) -> list[Array]:
    """Give each column on the grid of `grey`; `pad` voxels of mirror image are enough for the scales asked for."""
    margins = [(0 if flat and axis == 0 else pad,) * 2 for axis in range(3)]
    wide = np.pad(grey.astype(np.float64), margins, mode="symmetric")
    inner = tuple(slice(low, low + n) for (low, _), n in zip(margins, grey.shape, strict=True))
    axes = (1, 2) if flat else (0, 1, 2)
    found: dict[tuple[str, float], list[Array]] = {}
    for column in columns:
        key = (column.kind, column.sigma)
        found[key] = found.get(key) or _filter(wide, column, axes, inner)
    return [found[column.kind, column.sigma][column.part] for column in columns]


def _filter(grey: Array, column: Column, axes: tuple[int, ...], inner: tuple[slice, ...]) -> list[Array]:
    smooth = _gauss(grey, column.sigma, axes)
    if column.kind == "gaussian":
        return [smooth[inner]]
    if column.kind == "difference_of_gaussians":
        return [(smooth - _gauss(grey, 0.66 * column.sigma, axes))[inner]]
    slopes = [ndimage.correlate1d(smooth, [-0.5, 0, 0.5], axis=axis) for axis in axes]
    if column.kind == "gradient_magnitude":
        return [np.sqrt(sum(slope * slope for slope in slopes))[inner]]
    if column.kind == "structure_tensor":
        return _eigenvalues([[_gauss(a * b, 0.5 * column.sigma, axes)[inner] for a in slopes] for b in slopes])
    second = [[_second(smooth, slopes[i], a, b) for b in axes] for i, a in enumerate(axes)]
    if column.kind == "laplacian":
        return [sum(second[i][i] for i in range(len(axes)))[inner]]
    return _eigenvalues([[part[inner] for part in row] for row in second])


def _gauss(grey: Array, sigma: float, axes: tuple[int, ...]) -> Array:
    # A wide kernel cut off at 3 sigma has an edge that its own second derivative sees: the reference goes on to 5.
    radius = max(1, ceil((3 if sigma < 1.75 else 5) * sigma))
    return ndimage.gaussian_filter(grey, sigma, axes=axes, radius=radius, mode="reflect")


def _second(smooth: Array, slope: Array, a: int, b: int) -> Array:
    if a == b:
        return ndimage.correlate1d(smooth, [1, -2, 1], axis=a)
    return ndimage.correlate1d(slope, [-0.5, 0, 0.5], axis=b)


def _eigenvalues(matrix: list[list[Array]]) -> list[Array]:
    values = np.linalg.eigvalsh(np.stack([np.stack(row, axis=-1) for row in matrix], axis=-1))
    return [values[..., i] for i in range(values.shape[-1] - 1, -1, -1)]
