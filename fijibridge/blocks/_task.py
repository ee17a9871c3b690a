"""An operation with its volume and parameters: the blocks that it is cut into, and looking at all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

from ..operation import BlockForm, Operation
from ..ops import telling
from ..ops.parts import Box, Local, Look, Place, Reach, grown, same_box, widened
from ..volume import Volume
from ._job import Found, Item, Measure
from ._plan import BlockPlan, Cut, Cutting, make_plan
from ._schedule import run_all
from ._source import Source

Progress = Callable[[float], None]
Told = Callable[[str], None]
#: Share of what is still to do that one look at all blocks is taken for, in the progress.
_LOOK = 0.3
#: A block of the result, what is made of it for the file, and its compressed chunks.
_COPIES = 3


@dataclass(frozen=True)
class Workplace:
    """With how much memory, and on what, blocks are worked on."""

    memory: int | None = None
    scheduler: str | None = None
    workers: int | None = None

    @property
    def at_once(self) -> int:
        """Give how many blocks are in memory at a time."""
        return self.workers or 1

    def run(self, work: Callable[[Any], Any], items: Sequence[Any], done: Callable[[Any], None]) -> None:
        """Do the work for every item."""
        run_all(work, items, scheduler=self.scheduler, workers=self.workers, done=done)


class Share:
    """Turns the shares of parts, whose number nobody knows beforehand, into one share of the whole."""

    def __init__(self, tell: Progress | None) -> None:
        self._tell, self._start = tell or (lambda _share: None), 0.0

    def next(self, share_of_rest: float) -> Progress:
        """Begin a part that is taken for this share of what is still to do."""
        start, length = self._start, (1 - self._start) * share_of_rest
        self._start += length
        return lambda share: self._tell(start + length * share)

    def lazily(self, share_of_rest: float) -> Progress:
        """Give a part that begins only when something is told of it."""
        part: list[Progress] = []

        def tell(share: float) -> None:
            if not part:
                part.append(self.next(share_of_rest))
            part[0](share)

        return tell


@dataclass(frozen=True)
class Task:
    """What is to be done, to what, and where."""

    #: Of the operation.
    name: str
    form: BlockForm
    #: Voxels on disk, or none where only a plan is asked for.
    volume: Volume
    parameters: Mapping[str, Any]
    place: Workplace

    def plan(self, result: Volume, needs: Callable[[Box], Box], *, begun: Cut | None = None) -> BlockPlan:
        """Cut the result up: as was `begun`, if that fits into the memory."""
        return self._choose(self.cutting_of(result, needs), begun)

    def cutting_of(self, result: Volume, needs: Callable[[Box], Box]) -> Cutting:
        """Say what there is to cut up."""
        divide = self.form.divide(self.volume, **self.parameters)
        return self._cutting(result.shape, divide, needs, result.dtype.itemsize)

    def survey(self, source: Source, share: Share, begun: Cut | None) -> tuple[Local, Cut | None]:
        """Look at the volume as often as the operation asks for it; give also how the result is to be cut up."""
        looks, cut = self.form.survey(self.volume, **self.parameters), begun
        while True:
            try:
                with telling(share.lazily(_LOOK)):
                    look = next(looks)
            except StopIteration as end:
                local: Local = end.value
                return local, cut if local.like_look else begun
            cut = self._look(look, source, share.next(_LOOK), begun)

    def _look(self, look: Look, source: Source, tell: Progress, begun: Cut | None) -> Cut:
        # As if a result were made as well: its blocks may have to be these (`Local.like_look`).
        made = self.volume.dtype.itemsize
        needs = partial(widened, by=look.before, after=look.after, shape=self.volume.shape)
        alike = look.divide == self.form.divide(self.volume, **self.parameters)
        plan = self._choose(self._cutting(self.volume.shape, look.divide, needs, made), begun if alike else None)
        items = [Item(number, Place(box, needs(box))) for number, box in enumerate(plan.blocks())]
        seen = 0

        def merge(found: Found) -> None:
            nonlocal seen
            look.merge(found.place, found.value)
            seen += 1
            tell(seen / len(items))

        self.place.run(Measure(source, look.measure, look.given), items, merge)
        return plan.block, plan.chunk

    def _choose(self, cutting: Cutting, begun: Cut | None) -> BlockPlan:
        plan = make_plan(cutting, memory=self.place.memory, workers=self.place.at_once)
        if begun is None:
            return plan
        earlier = make_plan(cutting, workers=self.place.at_once, cut=begun)
        return earlier if earlier.bytes <= max(plan.bytes, self.place.memory or 0) else plan

    def _cutting(self, shape: tuple[int, ...], divide: str, needs: Callable[[Box], Box], made: int) -> Cutting:
        def cost(box: Box) -> int:
            part = _size(needs(box))
            read, written = prod(part) * self.volume.dtype.itemsize, prod(_size(box)) * made * _COPIES
            return read + written + self.form.working(part, **self.parameters)

        return Cutting(self.name, (shape[0], shape[1], shape[2]), divide, _reach(needs), cost)


def needs_of(operation: Operation[Any], parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Callable[[Box], Box]:
    """Say, without any look, what a block of the result depends on, as far as the halo says it."""
    if operation.halo is None:
        return same_box
    return partial(grown, by=(operation.halo_of(**parameters) or 0,) * 3, shape=shape)


def _reach(needs: Callable[[Box], Box]) -> Reach:
    """Give the voxels around a block that are read with it: of a halo; what else a result needs is not around it."""
    by: Reach = (needs.keywords if isinstance(needs, partial) else vars(needs)).get("by", (0, 0, 0))
    return by


def _size(box: Box) -> tuple[int, ...]:
    return tuple(part.stop - part.start for part in box)
