"""The coarser levels of an OME-Zarr: how many, how much coarser, and what their voxels are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._pieces import pieces

#: Coarser levels are made until the longest side has at most this many voxels.
_SMALLEST = 256
#: Integers with no more different values than this are taken for labels, of which no means are made.
_LABELS = 8


def levels(shape: tuple[int, ...], spacing: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Give by how much each level is coarser than the one before: voxels become cubes, then double alike."""
    sizes, edges, steps = np.array(shape), spacing.copy(), []
    while sizes.max() > _SMALLEST:
        step = np.where((edges < 1.5 * edges.min()) & (sizes > 1), 2, 1)
        if step.max() == 1:
            break
        steps.append(step)
        sizes, edges = -(-sizes // step), edges * step
    return steps


def is_labels(array: Any) -> bool:
    if array.dtype.kind == "b":
        return True
    some = np.asarray(array[array.shape[0] // 2])
    return array.dtype.kind in "iu" and len(np.unique(some)) <= _LABELS


def coarsen(fine: Any, coarse: Any, step: NDArray[np.int64], *, nearest: bool) -> None:
    """Fill a level from the one before, in bounded parts; labels keep one value, grey levels become the mean."""
    # A file of the coarse level is put together from whole chunks of the fine one, so that both are touched once.
    unit, part = coarse.shards or coarse.chunks, [max(1, n // int(by)) for n, by in zip(fine.chunks, step, strict=True)]
    for box in pieces(coarse.shape, unit, fine.dtype.itemsize, most=1):
        made = np.empty([side.stop - side.start for side in box], fine.dtype)
        for inner in pieces(made.shape, part, fine.dtype.itemsize, most=1):
            wide = (
                slice((side.start + cut.start) * int(by), (side.start + cut.stop) * int(by))
                for side, cut, by in zip(box, inner, step, strict=True)
            )
            block = np.asarray(fine[tuple(wide)])
            made[inner] = block[tuple(slice(None, None, int(by)) for by in step)] if nearest else _mean(block, step)
        coarse[box] = made


def _mean(block: NDArray[Any], step: NDArray[np.int64]) -> NDArray[Any]:
    """Average boxes of `step` voxels; those at the end may be smaller."""
    made: NDArray[Any] = block.astype(np.float32 if block.dtype.itemsize < 8 else np.float64)
    for axis, by in enumerate(step):
        starts = np.arange(0, made.shape[axis], int(by))
        counts = np.diff([*starts, made.shape[axis]])
        total = np.add.reduceat(made, starts, axis=axis)
        made = total / counts.reshape([-1 if n == axis else 1 for n in range(3)]).astype(made.dtype)
    return np.rint(made).astype(block.dtype) if block.dtype.kind in "iu" else made
