"""Marker-controlled flooding of a 3-D image with a queue for each grey level: every voxel is touched once."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from ._running import Progress

LEVELS = 1 << 16
WALL = np.uint8(255)
#: Voxels that are flooded in one go, between which a user may interrupt.
_AT_A_TIME = 20_000_000


def gradient_levels(grey: NDArray[np.generic]) -> NDArray[np.uint16]:
    """Give the 3-D Sobel gradient magnitude in 65536 steps from 0 to its greatest value."""
    steepness = gradient(grey)
    return in_levels(steepness, float(steepness.max()))


def gradient(grey: NDArray[np.generic]) -> NDArray[np.float32]:
    """Give the 3-D Sobel gradient magnitude.

    An axis of one voxel has no gradient: a single slice is handled in 2-D.
    """
    image = np.asarray(grey, np.float32)
    total = np.zeros(image.shape, np.float32)
    for axis, size in enumerate(image.shape):
        if size > 1:
            part = ndimage.sobel(image, axis=axis, mode="nearest")
            total += np.square(part, out=part)
    return np.sqrt(total, out=total)


def in_levels(steepness: NDArray[np.float32], top: float) -> NDArray[np.uint16]:
    """Give a gradient in 65536 steps from 0 to `top`; the gradient is overwritten."""
    steepness *= (LEVELS - 1) / top if top > 0 else 0.0
    return np.rint(steepness, out=steepness).astype(np.uint16)


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
    labels = np.pad(seeds, 1, constant_values=WALL)
    flood_walled(np.pad(levels, 1), labels, np.empty(labels.size, np.int64))
    return labels[1:-1, 1:-1, 1:-1]


def flood_walled(
    levels: NDArray[np.uint16], labels: NDArray[np.uint8], behind: NDArray[np.int64], tell: Progress | None = None
) -> None:
    """Flood labels in place; they have walls on all sides, one voxel thick, and the levels something there.

    `behind` is room for a queue, one number for each voxel. All three may lie in files.
    """
    height, width = labels.shape[1], labels.shape[2]
    steps = np.array([-height * width, -width, -1, 1, width, height * width], np.int64)
    flat = np.asarray(levels).reshape(-1), np.asarray(labels).reshape(-1)
    ends = np.full((2, LEVELS), -1, np.int64)
    to_do = left = _begin(*flat, steps, ends, behind)
    level = 0
    while left:
        level, left = _flood(*flat, steps, ends, behind, level, left, _AT_A_TIME)
        if tell is not None:
            tell(1 - left / to_do)


@njit(cache=True, nogil=True)
def _begin(levels, labels, steps, ends, behind):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Queue the seeds' shores: chains of voxels through `behind`, their first and last. Give how many are to flood."""
    first, last, dry = ends[0], ends[1], 0
    for voxel in range(labels.size):
        if labels[voxel] == 0:
            dry += 1
        elif labels[voxel] != WALL and _is_shore(labels, voxel, steps):
            _push(first, last, behind, levels[voxel], voxel)
    return dry


@njit(cache=True, nogil=True)
def _flood(levels, labels, steps, ends, behind, level, left, most):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # pragma: no cover - compiled
    """Flood some `most` voxels on from a level; give the level where to go on and how many voxels are left."""
    first, last = ends[0], ends[1]
    stop = max(left - most, 0)
    while left > stop and level < LEVELS:
        voxel = first[level]
        if voxel < 0:
            level += 1
            continue
        first[level] = behind[voxel]
        for step in steps:
            neighbour = voxel + step
            if labels[neighbour] == 0:
                labels[neighbour] = labels[voxel]
                left -= 1
                _push(first, last, behind, levels[neighbour], neighbour)
                # A valley behind a ridge lies lower than the flood stands: go back and fill it first.
                level = min(level, levels[neighbour])
    return level, left if level < LEVELS else 0


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
