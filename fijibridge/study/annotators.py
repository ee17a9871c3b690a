"""A simulated person who paints labels: seeded brush strokes on slices whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.draw import line
from skimage.morphology import disk

from ..errors import LabelsError
from ..volume import Volume, check_volume, record, with_data

_STROKE = 24  # voxels that one stroke runs for at most
_TO_MISTAKES = 2 / 3  # share of the strokes that begin where the current segmentation looks wrong


def paint_labels(
    truth: Volume, *, slices: Sequence[int], coverage: float = 0.05, brush: int = 2, seed: int = 0
) -> Volume:
    """Paint brush strokes of the right class on some slices, as a careful person with known truth would.

    Parameters
    ----------
    truth : (z, y, x) label volume, 0 = not known.
    slices : z indices to paint on.
    coverage : share of each painted slice that gets a label, 0..1; every class present gets an equal part of it, as far
        as it has voxels.
    brush : radius of the brush in voxels.
    seed : of the strokes' places and directions.

    Returns
    -------
    Label volume on the same grid, 0 = unlabelled.

    Raises
    ------
    LabelsError : a slice outside the volume, a coverage outside 0..1, or truth that is not integer.
    """
    check_volume(truth)
    if truth.dtype.kind not in "ui":
        raise LabelsError(f"truth needs integer labels, got {truth.dtype}; convert it with astype('uint8')")
    outside = [z for z in slices if not 0 <= z < truth.shape[0]]
    if outside or not slices:
        raise LabelsError(f"slices must lie in 0..{truth.shape[0] - 1}, got {outside or 'none'}")
    if not 0 < coverage <= 1:
        raise LabelsError(f"coverage is a share of the slice in 0..1, got {coverage}")
    rng = np.random.default_rng(seed)
    labels = np.zeros(truth.shape, truth.dtype)
    for z in slices:
        labels[z] = _paint_slice(np.asarray(truth.data[z]), coverage, brush, rng)
    parameters = {"slices": [int(z) for z in slices], "coverage": coverage, "brush": brush, "seed": seed}
    step = {"operation": "paint_labels", "engine": "native", "version": "simulated", "parameters": parameters}
    return record(with_data(truth, labels), step)


def _paint_slice(
    truth: NDArray[np.integer], coverage: float, brush: int, rng: np.random.Generator
) -> NDArray[np.integer]:
    labels = np.zeros_like(truth)
    classes = [int(value) for value in np.unique(truth) if value]
    for value in classes:
        allowed = truth == value
        goal = min(int(coverage * truth.size / len(classes)), int(allowed.sum()))
        labels[paint_class(allowed, goal, brush, rng)] = value
    return labels


def paint_class(
    allowed: NDArray[np.bool_],
    goal: int,
    brush: int,
    rng: np.random.Generator,
    *,
    first: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Paint `goal` voxels of one class in strokes; the last stroke stops where the goal is reached.

    Strokes begin anywhere that is allowed; two in three of them in `first`, as long as that has unpainted voxels.
    """
    painted = np.zeros_like(allowed)
    missing = goal
    while missing > 0:
        urgent = allowed & ~painted & first if first is not None and rng.random() < _TO_MISTAKES else None
        free = np.flatnonzero(urgent if urgent is not None and urgent.any() else allowed & ~painted)
        start = np.unravel_index(rng.choice(free), allowed.shape)
        fresh = np.flatnonzero(_stroke(allowed.shape, start, brush, rng) & allowed & ~painted)[:missing]
        painted.ravel()[fresh] = True
        missing -= len(fresh)
    return painted


def _stroke(
    shape: tuple[int, ...], start: tuple[np.intp, ...], brush: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw a straight stroke of a round brush from `start` in a random direction."""
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0, _STROKE)
    stop = (int(start[0] + length * np.sin(angle)), int(start[1] + length * np.cos(angle)))
    path_y, path_x = line(int(start[0]), int(start[1]), *stop)
    brush_y, brush_x = np.nonzero(disk(brush))
    y = (path_y[:, None] + brush_y - brush).ravel()
    x = (path_x[:, None] + brush_x - brush).ravel()
    inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    drawn = np.zeros(shape, bool)
    drawn[y[inside], x[inside]] = True
    return drawn
