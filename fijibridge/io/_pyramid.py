"""The coarser levels of an OME-Zarr: how many, how much coarser, and what their voxels are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._pieces import pieces

#: Coarser levels are made until the longest side has at most this many voxels.
_SMALLEST = 256
#: Integers with no more different values than this are taken for labels, of which no means are made.
_LABELS = 8
#: Bytes of a level that are made at a time by one worker, some files.
_PART = 16 << 20

Box: TypeAlias = tuple[slice, ...]
#: Does work for boxes, in this process or elsewhere, and calls a third with what each gives.
Run: TypeAlias = Callable[[Callable[[Box], Any], Sequence[Box], Callable[[Any], None]], None]


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


def in_order(work: Callable[[Box], Any], boxes: Sequence[Box], done: Callable[[Any], None]) -> None:
    """Do the work for one box after the other."""
    for box in boxes:
        done(work(box))


@dataclass(frozen=True)
class Coarsen:
    """Work that makes parts of a level from the one before; goes to other processes, and doing a part twice is no harm.

    Labels keep one value, grey levels become the mean.
    """

    folder: Path
    level: int
    step: tuple[int, ...]
    nearest: bool

    def __call__(self, box: Box) -> None:
        """Make a part of whole files."""
        group = importlib.import_module("zarr").open_group(store=str(self.folder), mode="r+")
        fine, coarse = group[str(self.level - 1)], group[str(self.level)]
        corner, shape = [side.start for side in box], [side.stop - side.start for side in box]
        for file in pieces(shape, coarse.shards or coarse.chunks, fine.dtype.itemsize, most=1):
            here = _moved(file, corner)
            coarse[here] = self._made(fine, here)

    def _made(self, fine: Any, box: Box) -> NDArray[Any]:
        # Put together from whole chunks of the fine level, so that these are unpacked once.
        part = [max(1, n // by) for n, by in zip(fine.chunks, self.step, strict=True)]
        made = np.empty([side.stop - side.start for side in box], fine.dtype)
        for inner in pieces(made.shape, part, fine.dtype.itemsize, most=1):
            coarse = _moved(inner, [side.start for side in box])
            wide = (slice(side.start * by, side.stop * by) for side, by in zip(coarse, self.step, strict=True))
            block = np.asarray(fine[tuple(wide)])
            made[inner] = block[tuple(slice(None, None, by) for by in self.step)] if self.nearest else self._mean(block)
        return made

    def _mean(self, block: NDArray[Any]) -> NDArray[Any]:
        """Average boxes of `step` voxels; those at the end may be smaller."""
        made: NDArray[Any] = block.astype(np.float32 if block.dtype.itemsize < 8 else np.float64)
        for axis, by in enumerate(self.step):
            starts = np.arange(0, made.shape[axis], by)
            counts = np.diff([*starts, made.shape[axis]])
            total = np.add.reduceat(made, starts, axis=axis)
            made = total / counts.reshape([-1 if n == axis else 1 for n in range(3)]).astype(made.dtype)
        return np.rint(made).astype(block.dtype) if block.dtype.kind in "iu" else made


def coarsen(work: Coarsen, level: Any, run: Run, tell: Callable[[float], None]) -> None:
    """Fill a level, in parts of some megabytes."""
    boxes = pieces(level.shape, level.shards or level.chunks, level.dtype.itemsize, most=_PART)
    done = 0

    def note(_: Any) -> None:
        nonlocal done
        done += 1
        tell(done / len(boxes))

    run(work, boxes, note)


def _moved(box: Box, by: Sequence[int]) -> Box:
    return tuple(slice(side.start + n, side.stop + n) for side, n in zip(box, by, strict=True))
