"""An operation over a volume on disk: survey it, then make its result block by block, and go on where a run stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..io import begin_zarr, end_zarr, finest_level
from ..operation import Operation, jsonable, operations
from ..ops.parts import Box, Local, Place
from ..volume import Volume, make_volume
from ._building import Building, building
from ._crew import crew
from ._forms import form_of
from ._job import Item, Make
from ._keys import code_key, text_key
from ._labels import labelled, record_classes
from ._ledger import Receipt, holds
from ._plan import BlockPlan, Cut, Shape
from ._source import PathLike, source_of
from ._task import Progress, Share, Task, Workplace, needs_of

#: Share of the whole run's rest for making blocks; what is behind it makes the coarser levels.
_MAKING, _CHECKING = 0.9, 0.05


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
    task = Task(operation, form_of(operation, engine), grid, parameters, Workplace(memory, "planned", workers))
    return task.plan(grid, needs_of(operation, parameters, (grid.shape[0], grid.shape[1], grid.shape[2])))


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
        task = Task(found, form, volume, values, Workplace(memory, scheduler, people.count))
        there = voxels if scheduler is None else voxels.portable(site.folder)
        local, cut = task.survey(there, share, site.begun())
        local = local if classes is None else labelled(local, classes)
        plan = _planned(task, local, cut, site)
        _fill(task, plan, Make(there, site.voxels, local.make, local.given, local.needs), site, share)
        result = found.recorded(local.result, volume, engine, values)
        result = result if classes is None else record_classes(result, classes)
        end_zarr(site.voxels, result, path.name, coarser=coarser, progress=share.next(1.0))
        site.finish(path)
    if progress is not None:
        progress(1.0)
    return source_of(path).open()


def _operation(operation: str | Operation[Any]) -> Operation[Any]:
    return operations()[operation] if isinstance(operation, str) else operation


def _fill(task: Task, plan: BlockPlan, work: Make, site: Building, share: Share) -> None:
    """Make the blocks that are not there yet."""
    boxes = dict(enumerate(plan.blocks()))
    there = _intact(site, boxes, share.next(_CHECKING))
    items = [Item(number, Place(box, work.needs(box))) for number, box in boxes.items() if number not in there]
    tell, written = share.next(_MAKING), len(there)

    def note(receipt: Receipt) -> None:
        nonlocal written
        site.ledger.add(receipt)
        written += 1
        tell(written / len(boxes))

    task.place.run(work, items, note)


def _planned(task: Task, local: Local, cut: Cut | None, building: Building) -> BlockPlan:
    """Cut the result up as an earlier run did, if its blocks still fit into the memory; else begin anew."""
    plan = task.plan(local.result, local.needs, begun=cut)
    if building.begun() != (plan.block, plan.chunk):
        building.clear()
        begin_zarr(building.voxels, local.result.shape, local.result.dtype, chunks=plan.chunk)
        building.begin(plan)
    return plan


def _intact(building: Building, boxes: dict[int, Box], tell: Progress) -> set[int]:
    """Give the blocks that an earlier run wrote and that are still what it wrote."""
    receipts, array = building.ledger.receipts(), finest_level(building.voxels)
    intact = set()
    for checked, (number, receipt) in enumerate(receipts.items(), 1):
        if number in boxes and holds(array, boxes[number], receipt):
            intact.add(number)
        tell(checked / len(receipts))
    return intact
