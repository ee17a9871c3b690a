"""Marker-controlled flooding of a 3-D image with a queue for each grey level: every voxel is touched once."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

LEVELS = 1 << 16
_WALL = np.uint8(255)


def gradient_levels(grey: NDArray[np.generic]) -> NDArray[np.uint16]:
    """Give the 3-D Sobel gradient magnitude in 65536 steps from 0 to its greatest value.

    An axis of one voxel has no gradient: a single slice is handled in 2-D.
    """
    image = np.asarray(grey, np.float32)
    total = np.zeros(image.shape, np.float32)
    for axis, size in enumerate(image.shape):
        if size > 1:
            part = ndimage.sobel(image, axis=axis, mode="nearest")
            total += np.square(part, out=part)
    np.sqrt(total, out=total)
    top = float(total.max())
    total *= (LEVELS - 1) / top if top > 0 else 0.0
    return np.rint(total, out=total).astype(np.uint16)


def flood(levels: NDArray[np.uint16], seeds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grow seeds over an image from its lowest level to its highest until every voxel has a label.

    Parameters
    ----------
    levels : (z, y, x) uint16 image to flood.
    seeds : (z, y, x) uint8 labels 1..254, 0 = to be flooded; at least one voxel is labelled.

    Returns
    -------
    (z, y, x) uint8 labels. Voxels of one level are taken in the order in which the flood reaches them; where no two
    levels are equal, that is what ``skimage.segmentation.watershed(levels, seeds)`` gives (face neighbours).

    Source: Meyer 1994, Signal Processing 38, 113 (ordered queues).
    """
    labels = np.pad(seeds, 1, constant_values=_WALL)
    padded = np.pad(levels, 1)
    height, width = labels.shape[1], labels.shape[2]
    steps = np.array([-height * width, -width, -1, 1, width, height * width], np.int64)
    _flood(padded.ravel(), labels.ravel(), steps)
    return labels[1:-1, 1:-1, 1:-1]


@njit(cache=True, nogil=True)
def _flood(levels, labels, steps):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Flood in place; a queue is a chain of voxels through `behind`."""
    first = np.full(LEVELS, -1, np.int64)
    last = np.full(LEVELS, -1, np.int64)
    behind = np.empty(labels.size, np.int64)
    for voxel in range(labels.size):
        if labels[voxel] != 0 and labels[voxel] != _WALL and _is_shore(labels, voxel, steps):
            _push(first, last, behind, levels[voxel], voxel)
    level = 0
    while level < LEVELS:
        voxel = first[level]
        if voxel < 0:
            level += 1
            continue
        first[level] = behind[voxel]
        for step in steps:
            neighbour = voxel + step
            if labels[neighbour] == 0:
                labels[neighbour] = labels[voxel]
                _push(first, last, behind, levels[neighbour], neighbour)
                # A valley behind a ridge lies lower than the flood stands: go back and fill it first.
                level = min(level, levels[neighbour])


@njit(cache=True, nogil=True, inline="always")
def _is_shore(labels, voxel, steps):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for step in steps:  # noqa: SIM110 - numba compiles the loop, not the generator
        if labels[voxel + step] == 0:
            return True
    return False


@njit(cache=True, nogil=True, inline="always")
def _push(first, last, behind, level, voxel):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    behind[voxel] = -1
    if first[level] < 0:
        first[level] = voxel
    else:
        behind[last[level]] = voxel
    last[level] = voxel
