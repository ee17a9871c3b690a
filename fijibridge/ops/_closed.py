"""Which pores are closed when a volume is seen block by block: parts of a pore are joined across the blocks' faces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from .parts import Box, Place

Labels: TypeAlias = NDArray[np.int32]
Corner: TypeAlias = tuple[int, int, int]


class Seen(NamedTuple):
    """What a block tells the others: the labels on its six faces (axis, end), and voxels and labels of those parts."""

    faces: list[Labels]
    labels: Labels
    sizes: NDArray[np.int64]


def parts_of(solid: NDArray[np.bool_]) -> tuple[Labels, int]:
    """Number the connected parts (face neighbours) of what is not solid; the same block gives the same numbers."""
    parts, count = ndimage.label(~solid)
    return np.asarray(parts, np.int32), int(count)


def see(parts: Labels, count: int) -> Seen:
    """Give what a block tells: only parts that touch a face can go on elsewhere."""
    faces = [np.ascontiguousarray(face) for face in _faces(parts)]
    labels = _touching(faces)
    return Seen(faces, labels, np.bincount(parts.ravel(), minlength=count + 1)[labels])


def closed_in(parts: Labels, count: int, closed: Labels, largest: int) -> NDArray[np.bool_]:
    """Mark the voxels of closed pores in a block, where `closed` are those of its parts that touch a face."""
    marked = np.ones(count + 1, np.bool_)
    if largest:
        marked &= np.bincount(parts.ravel(), minlength=count + 1) <= largest
    marked[0] = False
    marked[_touching(list(_faces(parts)))] = False
    marked[closed] = True
    return np.asarray(marked[parts])


class Joined:
    """Parts of all blocks, joined where they touch; blocks come in any order, faces are kept until both have come."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._waiting: dict[tuple[Any, ...], NDArray[np.int64]] = {}
        self._blocks: dict[Corner, tuple[int, Labels]] = {}
        self._pairs: list[NDArray[np.int64]] = []
        self._sizes: list[NDArray[np.int64]] = []
        self._open: list[NDArray[np.int64]] = []
        self._count = 0

    def add(self, place: Place, seen: Seen) -> None:
        """Take up what a block tells."""
        first = self._count
        self._count += len(seen.labels)
        self._blocks[_corner(place.inner)] = (first, seen.labels)
        self._sizes.append(seen.sizes)
        for (axis, end), face in zip(_ends(), seen.faces, strict=True):
            # From labels of the block to numbers in the whole, -1 where it is solid.
            numbers = np.where(face > 0, first + np.searchsorted(seen.labels, face), -1)
            self._meet(place.inner, axis, end, numbers)

    def closed(self, largest: int) -> dict[Corner, Labels]:
        """Give for each block, by its corner, the labels that touch a face and belong to closed pores."""
        if not self._count:
            return {}
        pairs = np.concatenate([*self._pairs, np.empty((0, 2), np.int64)])
        links = sparse.coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (self._count,) * 2)
        whole, pore = sparse.csgraph.connected_components(links, directed=False)
        is_closed = np.ones(whole, np.bool_)
        is_closed[pore[np.concatenate([*self._open, np.empty(0, np.int64)])]] = False
        if largest:
            sizes = np.zeros(whole, np.int64)
            np.add.at(sizes, pore, np.concatenate(self._sizes))
            is_closed &= sizes <= largest
        here = {corner: labels[is_closed[pore[first : first + len(labels)]]]
                for corner, (first, labels) in self._blocks.items()}  # fmt: skip
        return {corner: labels for corner, labels in here.items() if len(labels)}

    def _meet(self, box: Box, axis: int, end: int, numbers: NDArray[np.int64]) -> None:
        """Join the parts on one face with those beyond it, or with the outside."""
        at = box[axis].stop if end else box[axis].start
        if at in (0, self._shape[axis]):
            self._open.append(np.unique(numbers[numbers >= 0]))
            return
        key = (axis, at, *(part.start for n, part in enumerate(box) if n != axis))
        if key not in self._waiting:
            self._waiting[key] = numbers
            return
        other = self._waiting.pop(key)
        both = (numbers >= 0) & (other >= 0)
        self._pairs.append(np.unique(np.column_stack([numbers[both], other[both]]), axis=0))


def _corner(box: Box) -> Corner:
    return box[0].start, box[1].start, box[2].start


def _ends() -> Iterator[tuple[int, int]]:
    return ((axis, end) for axis in range(3) for end in (0, 1))


def _faces(parts: Labels) -> Iterator[Labels]:
    return (np.take(parts, -end, axis=axis) for axis, end in _ends())


def _touching(faces: list[Labels]) -> Labels:
    found = np.unique(np.concatenate([np.unique(face) for face in faces]))
    return found[found > 0]
