"""Connectivity of a volume that may be larger than memory: clusters of each block, joined across the blocks' faces."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..assess.transport import Axis, Connectivity, connectivity_of, number_of, see_class
from ..errors import ParameterError
from ..operation import BlockForm
from ..ops.joined import Joined
from ..ops.parts import Look, Place, blank, same_box
from ..volume import Volume
from ._crew import crew
from ._job import Found, Item, Measure
from ._source import PathLike, Source, source_of
from ._task import Progress, Task, Told, Workplace

#: Bytes for each voxel of a block: its mask, the parts in it, and counting their voxels; of a face that waits.
_VOXEL, _FACE = 16, 4


def connectivity_blocks(
    source: Volume | PathLike,
    *,
    label: int = 1,
    axis: Axis = "z",
    memory: int | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    told: Told | None = None,
) -> Connectivity:
    """Say how far one class of a volume that may be larger than memory hangs together, and how much leads through.

    The numbers are exactly those of `fijibridge.assess.connectivity`. Each voxel is read once. What is kept of a block
    that is done is small: the clusters that touch its faces, and a face until the block beyond has come.

    Parameters
    ----------
    source : (z, y, x) label volume, or its file (best: one that can be mapped, or OME-Zarr).
    label : the class.
    axis : direction in which clusters lead through: ``"z"``, ``"y"`` or ``"x"``.
    memory : bytes that blocks and faces may take, of all workers together; None = half of what is free.
    scheduler : None = in this process; ``"processes"``, ``"tcp://HOST:PORT"`` of a running dask cluster, or
        ``"slurm"``; workers on other machines need a file that they see under the same path.
    workers : blocks that are worked on at a time, with a scheduler.
    progress : called with the share done, 0..1.
    told : called with the plan in words, the blocks and the memory that they need, before any is read.

    Raises
    ------
    ParameterError : no such axis or scheduler, or even the smallest block needs more memory.
    """
    number, voxels = number_of(axis), source_of(source)
    volume = voxels.open()
    form = BlockForm(_no_survey, _anywhere, partial(_working, whole=volume.shape))
    with crew(scheduler, workers) as people, tempfile.TemporaryDirectory() as folder:
        task = Task("connectivity", form, volume, {}, Workplace(memory, scheduler, people.count))
        there = voxels if scheduler is None else voxels.portable(Path(folder))
        joined = Joined(volume.shape)
        look = Look(see_class, joined.add, {"label": label})
        _look(task, look, there, progress or _to_nobody, told or _to_nobody)
    return connectivity_of(joined, number)


def _look(task: Task, look: Look, source: Source, progress: Progress, told: Told) -> None:
    plan = task.plan(blank(task.volume, np.uint8), same_box)
    told(plan.describe())
    items = [Item(number, Place(box, box)) for number, box in enumerate(plan.blocks())]
    seen = 0

    def merge(found: Found) -> None:
        nonlocal seen
        look.merge(found.place, found.value)
        seen += 1
        progress(seen / len(items))

    task.place.run(Measure(source, look.measure, look.given), items, merge)


def _to_nobody(_said: Any) -> None:
    """Take what nobody wants to be told."""


def _no_survey(_volume: Volume) -> Any:
    raise ParameterError("connectivity is no operation that makes a volume")


def _anywhere(_volume: Volume) -> str:
    return "zyx"


def _working(shape: tuple[int, ...], *, whole: tuple[int, ...]) -> int:
    """Give the bytes of a block, and of the faces that wait: blocks come in the order of the file."""
    depth, rows, columns = shape
    faces = 2 * (depth * rows + depth * whole[2] + whole[1] * whole[2]) + rows * columns
    return _VOXEL * depth * rows * columns + _FACE * faces
