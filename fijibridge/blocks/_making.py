"""The blocks of a result: those that an earlier run left are held on to, the others are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..io import SHARD, begin_zarr, end_zarr, finest_level, has_many
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
    there = _intact(task, site, boxes, share.next(_CHECKING))
    items = [Item(number, Place(box, work.needs(box))) for number, box in boxes.items() if number not in there]
    tell, written = share.next(_MAKING), len(there)

    def note(receipt: Receipt) -> None:
        nonlocal written
        site.ledger.add(receipt)
        written += 1
        tell(written / len(boxes))

    task.place.run(work, items, note)


def finish(task: Task, site: Building, result: Volume, path: Path, share: Share, *, coarser: bool) -> None:
    """Write what belongs beside the voxels, grid, history and coarser levels, and give the whole its name."""
    tell = share.next(1.0)
    end_zarr(site.voxels, result, path.name, coarser=coarser, run=task.place.run, progress=tell)
    site.finish(path)
    tell(1.0)


def _planned(task: Task, local: Local, cut: Cut | None, site: Building) -> BlockPlan:
    """Cut the result up as an earlier run did, if its blocks still fit into the memory; else begin anew."""
    plan = task.plan(local.result, local.needs, begun=cut)
    if site.begun() != (plan.block, plan.chunk):
        site.clear()
        begin_zarr(site.voxels, local.result.shape, local.result.dtype, chunks=plan.chunk, shard=_shard(plan))
        site.begin(plan)
    return plan


def _shard(plan: BlockPlan) -> tuple[int, ...] | None:
    """Say how many chunks lie in one file, where there are many: all of a file are in one block, which writes it."""
    if not has_many(plan.shape, plan.chunk):
        return None
    axes = zip(SHARD, plan.block, plan.chunk, plan.shape, strict=True)
    found = tuple(next(n for n in range(most, 0, -1) if block % (n * chunk) == 0 or block == whole)
                  for most, block, chunk, whole in axes)  # fmt: skip
    return found if max(found) > 1 else None


@dataclass(frozen=True)
class Check:
    """Work that reads blocks again which an earlier run wrote, and gives the number of each that is still the same."""

    folder: Path

    def __call__(self, item: tuple[Box, Receipt]) -> int | None:
        box, receipt = item
        return receipt.block if holds(finest_level(self.folder), box, receipt) else None


def _intact(task: Task, site: Building, boxes: dict[int, Box], tell: Progress) -> set[int]:
    """Give the blocks that an earlier run wrote and that are still what it wrote."""
    receipts = [receipt for receipt in site.ledger.receipts().values() if receipt.block in boxes]
    found: list[int | None] = []

    def note(block: int | None) -> None:
        found.append(block)
        tell(len(found) / len(receipts))

    task.place.run(Check(site.voxels), [(boxes[receipt.block], receipt) for receipt in receipts], note)
    return {block for block in found if block is not None}
