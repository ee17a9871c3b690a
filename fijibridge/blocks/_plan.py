"""How a volume is cut into blocks that fit into the memory given, in the order in which they lie in the file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import NamedTuple

import psutil

from ..errors import ParameterError
from ..io import SHARD, has_many
from ..ops.parts import Box

Shape = tuple[int, int, int]
#: Shapes of a block and of a chunk.
Cut = tuple[Shape, Shape]

#: Chunks of results: what one block is made of at least.
CHUNK: Shape = (32, 256, 256)
#: What unpacking a voxel weighs beside reading and filtering it: little, and a halo unpacks whole chunks.
_UNPACKING = 0.07
#: What interpreter, file handles and compression take beside the blocks.
_BESIDE = 48 * 2**20


@dataclass(frozen=True)
class BlockPlan:
    """How a result will be made, block by block.

    Attributes
    ----------
    name : of the operation.
    shape : of the volume that is cut up.
    block, chunk : voxels along z, y, x of one block (those at the end may be smaller), and of one chunk in the file.
    reach : voxels around a block that are read with it.
    count : number of blocks.
    bytes : memory that all workers together need at most.
    workers : blocks that are worked on at a time.
    """

    name: str
    shape: Shape
    block: Shape
    chunk: Shape
    reach: Shape
    count: int
    bytes: int
    workers: int

    def describe(self) -> str:
        """Say it in words."""
        size = " x ".join(map(str, self.block))
        halo = "" if not any(self.reach) else f", with {' x '.join(map(str, self.reach))} more around each"
        many = f"{self.count} block{'' if self.count == 1 else 's'}"
        at_once = "" if self.workers == 1 else f", {self.workers} at a time"
        return f"{self.name}: {many} of {size} voxels{halo}{at_once}; needs {self.bytes / 1e6:,.0f} MB"

    def blocks(self) -> Iterator[Box]:
        """Give the blocks in the order of the file."""
        return boxes(self.shape, self.block)


class Cutting(NamedTuple):
    """What is cut up: name, shape, axes along which that can be done, voxels read around a block, bytes it takes."""

    name: str
    shape: Shape
    divide: str
    reach: Shape
    cost: Callable[[Box], int]

    def bytes_of(self, block: Shape) -> int:
        """Give the bytes of the most costly block: one in the middle, where a halo is on all sides."""
        z, y, x = (
            slice(start, min(start + part, size))
            for start, part, size in (
                (size // part // 2 * part if size > part else 0, part, size)
                for part, size in zip(block, self.shape, strict=True)
            )
        )
        return _BESIDE + self.cost((z, y, x))

    def smallest(self, room: int) -> Shape | None:
        """Give a chunk, whole along the axes that cannot be divided; less of one where memory is short."""
        least = [min(most, size) for most, size in zip(CHUNK, self.shape, strict=True)]
        while True:
            parts = zip("zyx", least, self.shape, strict=True)
            z, y, x = (part if letter in self.divide else size for letter, part, size in parts)
            if self.bytes_of((z, y, x)) <= room:
                return z, y, x
            free = [axis for axis, letter in enumerate("zyx") if letter in self.divide and least[axis] > 1]
            if not free:
                return None
            largest = max(free, key=lambda axis: least[axis])
            least[largest] //= 2

    def largest(self, chunk: Shape, room: int) -> Shape:
        """Make blocks longer by whole chunks, so that the least is read: of those alike, the ones with longer rows."""
        starts = product(self._steps(chunk[0], self.shape[0]), self._steps(chunk[1], self.shape[1]))
        tried = [
            self._grown(self._grown((depth, rows, chunk[2]), 2, room), 0, room)
            for depth, rows in starts
            if self.bytes_of((depth, rows, chunk[2])) <= room
        ]
        return min(tried, key=lambda block: (self._read(block), -block[2], -block[1], -block[0]))

    def _grown(self, block: Shape, axis: int, room: int) -> Shape:
        """Make a block as long along one axis as it fits."""

        def longer(count: int) -> Shape:
            z, y, x = (min(count * part, size) if n == axis else part
                       for n, (part, size) in enumerate(zip(block, self.shape, strict=True)))  # fmt: skip
            return z, y, x

        most = -(-self.shape[axis] // block[axis])
        return longer(max(1, bisect_right(range(1, most + 1), room, key=lambda count: self.bytes_of(longer(count)))))

    def _read(self, block: Shape) -> float:
        """Give what is read for each voxel that is made; by a tenth alike is alike.

        A halo of few voxels costs as many to read and to work on, but whole chunks to unpack.
        """
        read = unpacked = 1.0
        for part, size, more, chunk in zip(block, self.shape, self.reach, CHUNK, strict=True):
            if part < size:
                read *= 1 + 2 * more / part
                unpacked *= 1 + 2 * -(-more // chunk) * chunk / part
        return round(read + _UNPACKING * unpacked, 1)

    @staticmethod
    def _steps(first: int, last: int) -> list[int]:
        """Give chunk, twice the chunk, four times, ..., all."""
        steps = []
        while first < last:
            steps.append(first)
            first *= 2
        return [*steps, last]


def default_memory() -> int:
    """Give what blocks may take where nothing was said: half of the memory that is free."""
    return int(psutil.virtual_memory().available // 2)


def make_plan(
    cutting: Cutting,
    *,
    memory: int | None = None,
    workers: int = 1,
    cut: Cut | None = None,
) -> BlockPlan:
    """Choose the largest blocks that fit: whole slices before several of them, so that files are read in their order.

    A `cut` that is given is taken, whether it fits or not.

    Raises
    ------
    ParameterError : even the smallest blocks do not fit.
    """
    block, chunk = cut or _choose(cutting, default_memory() if memory is None else memory, workers)
    count = prod(-(-size // part) for size, part in zip(cutting.shape, block, strict=True))
    needed = workers * cutting.bytes_of(block)
    return BlockPlan(cutting.name, cutting.shape, block, chunk, cutting.reach, count, needed, workers)


def boxes(shape: Shape, block: Shape) -> Iterator[Box]:
    """Cut a shape into boxes, x fastest."""
    axes = [
        [slice(start, min(start + step, size)) for start in range(0, size, step)]
        for size, step in zip(shape, block, strict=True)
    ]
    yield from product(*axes)


def _choose(cutting: Cutting, memory: int, workers: int) -> Cut:
    least = cutting.smallest(memory // workers)
    if least is None:
        alone = tuple(
            1 if letter in cutting.divide else size for letter, size in zip("zyx", cutting.shape, strict=True)
        )
        need = workers * cutting.bytes_of((alone[0], alone[1], alone[2]))
        raise ParameterError(
            f"{cutting.name} needs {need / 1e6:,.0f} MB for {' x '.join(map(str, alone))} voxels at a time"
            f"{'' if workers == 1 else f' on each of {workers} workers'}, and has {memory / 1e6:,.0f} MB; "
            "give it more memory, or fewer workers"
        )
    z, y, x = (min(part, most) for part, most in zip(least, CHUNK, strict=True))
    return cutting.largest(_files_of(least, cutting, memory // workers), memory // workers), (z, y, x)


def _files_of(least: Shape, cutting: Cutting, room: int) -> Shape:
    """Make the smallest block as large as a file of many chunks, where there are so many and it fits."""
    z, y, x = (min(n * part, size) for n, part, size in zip(SHARD, least, cutting.shape, strict=True))
    return (z, y, x) if has_many(cutting.shape, least) and cutting.bytes_of((z, y, x)) <= room else least
