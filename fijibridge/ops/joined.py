"""Connected parts of a volume that is seen block by block: what touches across the faces of blocks is joined, exactly.

Each block numbers its own parts and tells what lies on its faces (`see`); `Joined` puts these together, whatever the
blocks and the order in which they come. Parts that touch no face of their block are whole: only their sums are told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from .parts import Box, Place

Labels: TypeAlias = NDArray[np.int32]
Corner: TypeAlias = tuple[int, int, int]


class Whole(NamedTuple):
    """The parts of a block that touch none of its faces: how many, their voxels together, and those of the largest."""

    number: int
    voxels: int
    largest: int


class Seen(NamedTuple):
    """What a block tells the others: the labels on its six faces (axis, end), and voxels and labels of those parts."""

    faces: list[Labels]
    labels: Labels
    sizes: NDArray[np.int64]
    whole: Whole


class Clusters(NamedTuple):
    """Parts that touch a face of their block, joined: the cluster of each, counted from 0, and its voxels."""

    of_part: NDArray[np.int32]
    sizes: NDArray[np.int64]


class _Side(NamedTuple):
    """One face of a block: its labels, and where the parts of the block begin in the numbering of all parts."""

    face: Labels
    labels: Labels
    first: int

    def numbers(self, labels: Labels) -> NDArray[np.int64]:
        return self.first + np.searchsorted(self.labels, labels)


def parts_of(mask: NDArray[np.bool_]) -> tuple[Labels, int]:
    """Number the connected parts (face neighbours) of a mask; the same block gives the same numbers."""
    parts, count = ndimage.label(mask)
    return np.asarray(parts, np.int32), int(count)


def see(parts: Labels, count: int) -> Seen:
    """Give what a block tells: only parts that touch a face can go on elsewhere."""
    faces = [np.ascontiguousarray(face) for face in _faces(parts)]
    labels, sizes = _touching(faces), np.bincount(parts.ravel(), minlength=count + 1)
    on_faces = sizes[labels]
    sizes[0], sizes[labels] = 0, 0
    whole = Whole(count - len(labels), int(sizes.sum()), int(sizes.max()))
    return Seen(faces, labels, on_faces, whole)


def touching(parts: Labels) -> Labels:
    """Give the labels of the parts that touch a face of their block, ascending."""
    return _touching(list(_faces(parts)))


class Joined:
    """Parts of all blocks, joined where they touch; blocks come in any order, faces are kept until both have come.

    Attributes
    ----------
    whole : sums over the parts that touch no face of their block.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.whole = Whole(0, 0, 0)
        self._shape = shape
        self._waiting: dict[tuple[int, ...], _Side] = {}
        self._blocks: dict[Corner, tuple[int, Labels]] = {}
        self._pairs: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
        self._sizes: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._ends: dict[tuple[int, int], list[NDArray[np.int64]]] = {end: [] for end in _ends()}
        self._count = 0

    def add(self, place: Place, seen: Seen) -> None:
        """Take up what a block tells."""
        first = self._count
        self._count += len(seen.labels)
        self._blocks[_corner(place.inner)] = (first, seen.labels)
        self._sizes.append(seen.sizes)
        number, voxels, largest = self.whole
        self.whole = Whole(number + seen.whole.number, voxels + seen.whole.voxels, max(largest, seen.whole.largest))
        for (axis, end), face in zip(_ends(), seen.faces, strict=True):
            self._meet(place.inner, axis, end, _Side(face, seen.labels, first))

    def clusters(self) -> Clusters:
        """Join what touches, when all blocks have come."""
        pairs = np.concatenate(self._pairs)
        links = sparse.coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (self._count,) * 2)
        count, of_part = sparse.csgraph.connected_components(links, directed=False) if self._count else (0, np.empty(0))
        sizes, of_part = np.zeros(count, np.int64), np.asarray(of_part, np.int32)
        np.add.at(sizes, of_part, np.concatenate(self._sizes))
        return Clusters(of_part, sizes)

    def reaching(self, clusters: Clusters, axis: int, end: int) -> NDArray[np.bool_]:
        """Mark the clusters that reach the first (0) or last (1) layer of the volume along an axis."""
        found = np.zeros(len(clusters.sizes), np.bool_)
        for parts in self._ends[axis, end]:
            found[clusters.of_part[parts]] = True
        return found

    def here(self, clusters: Clusters, wanted: NDArray[np.bool_]) -> dict[Corner, Labels]:
        """Give for each block, by its corner, the labels that touch a face and belong to clusters that are wanted."""
        found = {corner: labels[wanted[clusters.of_part[first : first + len(labels)]]]
                 for corner, (first, labels) in self._blocks.items()}  # fmt: skip
        return {corner: labels for corner, labels in found.items() if len(labels)}

    def _meet(self, box: Box, axis: int, end: int, side: _Side) -> None:
        """Join the parts on one face with those beyond it, or with the outside."""
        at = box[axis].stop if end else box[axis].start
        if at in (0, self._shape[axis]):
            self._ends[axis, end].append(side.numbers(np.unique(side.face[side.face > 0])))
            return
        key = (axis, at, *(part.start for n, part in enumerate(box) if n != axis))
        if key not in self._waiting:
            self._waiting[key] = side
            return
        other = self._waiting.pop(key)
        both = (side.face > 0) & (other.face > 0)
        own, beyond = _pairs(side.face[both], other.face[both])
        self._pairs.append(np.column_stack([side.numbers(own), other.numbers(beyond)]))


def _pairs(own: Labels, beyond: Labels) -> tuple[Labels, Labels]:
    """Give each pair once; as one number each they are sorted many times faster than as rows."""
    found = np.unique(own.astype(np.int64) << 32 | beyond)
    return (found >> 32).astype(np.int32), (found & 0xFFFFFFFF).astype(np.int32)


def _corner(box: Box) -> Corner:
    return box[0].start, box[1].start, box[2].start


def _ends() -> Iterator[tuple[int, int]]:
    return ((axis, end) for axis in range(3) for end in (0, 1))


def _faces(parts: Labels) -> Iterator[Labels]:
    return (np.take(parts, -end, axis=axis) for axis, end in _ends())


def _touching(faces: list[Labels]) -> Labels:
    found = np.unique(np.concatenate([np.unique(face) for face in faces]))
    return found[found > 0]
