"""The blocks of a result: those that an earlier run left are held on to, the others are made."""

from __future__ import annotations

from pathlib import Path

from ..io import begin_zarr, end_zarr, finest_level
from ..ops.parts import Box, Local, Place
from ..volume import Volume
from ._building import Building
from ._job import Item, Make
from ._ledger import Receipt, holds
from ._plan import BlockPlan, Cut
from ._source import Source
from ._task import Progress, Share, Task

#: Share of the whole run's rest for making blocks; what is behind it makes the coarser levels.
_MAKING, _CHECKING = 0.9, 0.05


def make(task: Task, local: Local, cut: Cut | None, source: Source, site: Building, *, share: Share) -> None:
    """Make the blocks that are not there yet, cut up as an earlier run began where `cut` says so."""
    plan = _planned(task, local, cut, site)
    work = Make(source, site.voxels, local.make, local.given, local.needs)
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


def finish(site: Building, result: Volume, path: Path, share: Share, *, coarser: bool) -> None:
    """Write what belongs beside the voxels, grid, history and coarser levels, and give the whole its name."""
    tell = share.next(1.0)
    end_zarr(site.voxels, result, path.name, coarser=coarser, progress=tell)
    site.finish(path)
    tell(1.0)


def _planned(task: Task, local: Local, cut: Cut | None, site: Building) -> BlockPlan:
    """Cut the result up as an earlier run did, if its blocks still fit into the memory; else begin anew."""
    plan = task.plan(local.result, local.needs, begun=cut)
    if site.begun() != (plan.block, plan.chunk):
        site.clear()
        begin_zarr(site.voxels, local.result.shape, local.result.dtype, chunks=plan.chunk)
        site.begin(plan)
    return plan


def _intact(site: Building, boxes: dict[int, Box], tell: Progress) -> set[int]:
    """Give the blocks that an earlier run wrote and that are still what it wrote."""
    receipts, array = site.ledger.receipts(), finest_level(site.voxels)
    intact = set()
    for checked, (number, receipt) in enumerate(receipts.items(), 1):
        if number in boxes and holds(array, boxes[number], receipt):
            intact.add(number)
        tell(checked / len(receipts))
    return intact
