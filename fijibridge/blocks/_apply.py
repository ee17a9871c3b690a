"""An operation over a volume on disk: survey it, then make its result block by block, and go on where a run stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..io.spill import spilling
from ..operation import Operation, jsonable, operations
from ..volume import Volume, make_volume
from ._building import building
from ._crew import crew
from ._forms import form_of
from ._keys import code_key, text_key
from ._labels import labelled, record_classes
from ._making import finish, make
from ._plan import BlockPlan, Shape
from ._source import PathLike, source_of
from ._task import Progress, Share, Task, Told, Workplace, needs_of


def plan_blocks(
    operation: str | Operation[Any],
    shape: Shape,
    dtype: str | np.dtype[Any],
    *,
    engine: str = "native",
    memory: int | None = None,
    workers: int = 1,
    **parameters: Any,
) -> BlockPlan:
    """Say how an operation would go through a volume: size and number of the blocks, and the memory that they need.

    Parameters
    ----------
    operation : an operation or its name.
    shape, dtype : of the volume (z, y, x).
    engine : ``"native"`` or ``"fiji"``; ImageJ's own heap comes on top of the memory.
    memory : bytes that may be taken; None = half of what is free.
    workers : blocks that are worked on at a time.
    parameters : of the operation.

    Returns
    -------
    BlockPlan; `describe` says it in words. Of operations that make a new grid, the blocks of the old one.

    Raises
    ------
    ParameterError : the operation needs the whole volume, or even the smallest block needs more memory.
    """
    found = _operation(operation)
    grid = make_volume(np.broadcast_to(np.zeros((), dtype), shape))
    return plan_on(grid, found, found.validate(parameters), engine=engine, memory=memory, workers=workers)


def plan_on(
    grid: Volume,
    operation: Operation[Any],
    parameters: Mapping[str, Any],
    *,
    engine: str,
    memory: int | None,
    workers: int,
) -> BlockPlan:
    """Say the same as `plan_blocks` of a volume, no voxel of which is read."""
    task = Task(operation.name, form_of(operation, engine), grid, parameters, Workplace(memory, "planned", workers))
    return _first_plan(task, operation)


def apply_blocks(
    operation: str | Operation[Any],
    source: Volume | PathLike,
    out: PathLike,
    *,
    engine: str = "native",
    memory: int | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    key: str | None = None,
    coarser: bool = True,
    classes: tuple[int, int] | None = None,
    progress: Progress | None = None,
    told: Told | None = None,
    **parameters: Any,
) -> Volume:
    """Run an operation on a volume that may be larger than memory, block by block, into an OME-Zarr folder.

    The voxels and the history are those that the operation gives for the whole volume. Blocks that are written are
    noted with a hash of their voxels; a run that was stopped, even killed, goes on with the others when it is run
    again on the same input with the same parameters and the same code.

    Parameters
    ----------
    operation : an operation or its name.
    source : a file (best: one that can be mapped, or OME-Zarr) or a Volume.
    out : OME-Zarr folder (``.zarr``); an older one is replaced when the new one is whole.
    engine : ``"native"`` or ``"fiji"``; ImageJ's own heap comes on top of the memory.
    memory : bytes that may be taken; None = half of what is free.
    scheduler : None = in this process; ``"processes"``, ``"tcp://HOST:PORT"`` of a running dask cluster, or
        ``"slurm"``.
    workers : blocks that are worked on at a time, with a scheduler.
    key : names the input, where it is known by a hash already; None = files by their times and sizes, else the voxels.
    coarser : also make the coarser levels that viewers show first.
    classes : of an operation that gives a mask, labels for dark and bright instead.
    progress : called with the share done, 0..1.
    told : called with the plan in words, the blocks and the memory that they need, before any is read.
    parameters : of the operation.

    Returns
    -------
    The result, its voxels on disk.

    Raises
    ------
    ParameterError : the operation needs the whole volume in one piece, or even the smallest block needs more memory.
    WriteError : `out` cannot be written.
    FijibridgeError : what the operation raises.
    """
    found, path = _operation(operation), Path(out)
    form, voxels, share = form_of(found, engine), source_of(source), Share(progress)
    volume = voxels.open()
    values = found.checked(volume, engine, parameters)
    form.divide(volume, **values)
    said = json.dumps({name: jsonable(value) for name, value in values.items()}, sort_keys=True)
    named = text_key(
        key or voxels.identity(), found.name, found.engine_version(engine), said, repr(classes), code_key()
    )
    with crew(scheduler, workers) as people, building(path, named) as site:
        task = Task(found.name, form, volume, values, Workplace(memory, scheduler, people.count))
        if told is not None:
            told(_first_plan(task, found).describe())
        there = voxels if scheduler is None else voxels.portable(site.folder)
        with spilling(site.folder):
            local, cut = task.survey(there, share, site.begun())
        local = local if classes is None else labelled(local, classes)
        result = found.recorded(local.result, volume, engine, values)
        result = result if classes is None else record_classes(result, classes)
        make(task, local, cut, there, site, share=share)
        finish(task, site, result, path, share, coarser=coarser)
    return source_of(path).open()


def _first_plan(task: Task, operation: Operation[Any]) -> BlockPlan:
    """Say how the volume is cut up, as far as can be said without a look at its voxels."""
    z, y, x = task.volume.shape
    return task.plan(task.volume, needs_of(operation, task.parameters, (z, y, x)))


def _operation(operation: str | Operation[Any]) -> Operation[Any]:
    return operations()[operation] if isinstance(operation, str) else operation
