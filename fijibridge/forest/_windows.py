"""Minimum, maximum, median and variance in a box around each voxel: slower than the rest, computed on request."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ._plan import Window
from ._pyramid import Box, Piece
from ._smooth import Floats


def windowed(piece: Piece, box: Box, window: Window) -> Floats:
    """Filter a box of the volume, mirrored at its faces."""
    grey = piece.data[np.ix_(*piece.rows(box.grown(window.radius)))]
    z, y, x = (slice(r, n - r) for r, n in zip(window.radius, grey.shape, strict=True))
    return np.asarray(_FILTERS[window.kind](grey, window)[z, y, x], np.float32)


def _size(window: Window) -> tuple[int, ...]:
    return tuple(2 * radius + 1 for radius in window.radius)


def _variance(grey: Floats, window: Window) -> Floats:
    """Give the variance by exact integer-like sums in float64: running sums would depend on where a block begins."""
    wide = grey.astype(np.float64)
    mean, square = _box_mean(wide, window), _box_mean(wide * wide, window)
    return np.asarray(np.maximum(square - mean * mean, 0), np.float32)


def _box_mean(grey: np.ndarray, window: Window) -> np.ndarray:
    for axis, radius in enumerate(window.radius):
        grey = ndimage.correlate1d(grey, np.full(2 * radius + 1, 1 / (2 * radius + 1)), axis=axis)
    return grey


_FILTERS = {
    "minimum": lambda grey, window: ndimage.minimum_filter(grey, size=_size(window)),
    "maximum": lambda grey, window: ndimage.maximum_filter(grey, size=_size(window)),
    "median": lambda grey, window: ndimage.median_filter(grey, size=_size(window)),
    "variance": _variance,
}
