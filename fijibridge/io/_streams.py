"""Voxels behind a compression that can only be undone from its start: read forward, with places to come back to."""

from __future__ import annotations

import bz2
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._lazy import OnDisk
from ._outside import broken

_PIECE = 1 << 20
#: Unpacked bytes between two places to come back to; each takes some 40 kB of memory.
_BETWEEN = 32 << 20
#: Unpacked bytes of one part of a lazy array.
_PART = 8 << 20


class Unpacker(Protocol):
    """Unpacks a stream from its start on."""

    def read(self, most: int) -> bytes:
        """Give the next bytes, at most so many; none at the end."""

    def copy(self) -> Unpacker | None:
        """Give a second one at the same place; None where that cannot be done."""


class Packed(NamedTuple):
    """Where a stream lies in a file: from `offset` on, `length` bytes (None: to the file's end)."""

    encoding: str
    offset: int = 0
    length: int | None = None


class Streamed(OnDisk):
    """Voxels in a compressed stream, behind its first `skip` unpacked bytes.

    Going forward unpacks each byte once; going back starts at a place kept from before (of bzip2: at the start).
    """

    def __init__(
        self,
        path: Path,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        packed: Packed,
        *,
        skip: int = 0,
        exact: bool = True,
    ) -> None:
        super().__init__(path, shape, dtype)
        self._stored, self._packed, self._skip, self._exact = dtype, packed, skip, exact

    @property
    def unit(self) -> tuple[int, ...]:
        """Slices that are best unpacked at once."""
        plane = math.prod(self.shape[1:]) * self.dtype.itemsize
        return (max(1, min(self.shape[0], _PART // plane)), *self.shape[1:])

    def open(self) -> Any:
        """Begin at the start."""
        return _Reader(self.path, self._packed)

    def take(self, opened: Any, key: tuple[slice, ...]) -> Any:
        """Unpack whole slices, and give the part asked for."""
        first, last, _ = key[0].indices(self.shape[0])
        plane = math.prod(self.shape[1:]) * self._stored.itemsize
        size = (last - first) * plane
        made = opened.read_at(self._skip + first * plane, size)
        promised = self.shape[0] * plane
        if len(made) != size:
            broken(self.path, f"{promised} bytes of voxels are promised, and it unpacks to {first * plane + len(made)}")
        if self._exact and last == self.shape[0] and opened.read_at(self._skip + promised, 1):
            broken(self.path, f"{promised} bytes of voxels are promised, and it unpacks to more")
        slices = np.frombuffer(made, self._stored).reshape(last - first, *self.shape[1:])
        return slices[(slice(None, None, key[0].step), *key[1:])]


class _Reader:
    """Reads unpacked bytes at any place."""

    def __init__(self, path: Path, packed: Packed) -> None:
        self._path, self._packed, self._place = path, packed, 0
        self._now: Unpacker = _unpacker(path, packed)
        self._marks: dict[int, Unpacker] = {}

    def read_at(self, start: int, size: int) -> bytearray:
        self._go_to(start)
        made, filled = bytearray(size), 0
        while filled < size and (piece := self._next(size - filled)):
            made[filled : filled + len(piece)] = piece
            filled += len(piece)
        del made[filled:]
        return made

    def _go_to(self, start: int) -> None:
        places = [place for place in self._marks if place <= start]
        nearest = max(places, default=0)
        if start < self._place or nearest > self._place:
            known = self._marks.get(nearest)
            fresh = known.copy() if known is not None else None
            self._place, self._now = (nearest, fresh) if fresh is not None else (0, _unpacker(self._path, self._packed))
        while self._place < start and self._next(start - self._place):
            pass

    def _next(self, most: int) -> bytes:
        if self._place >= max(self._marks, default=0) + _BETWEEN and (mark := self._now.copy()) is not None:
            self._marks[self._place] = mark
        piece = self._now.read(min(most, _PIECE))
        self._place += len(piece)
        return piece


def _unpacker(path: Path, packed: Packed) -> Unpacker:
    if packed.encoding == "runs":
        return _Runs(np.memmap(path, np.uint8, "r", packed.offset, packed.length))
    end = None if packed.length is None else packed.offset + packed.length
    if packed.encoding == "bzip2":
        return _Bzip2(path, packed.offset, end)
    return _Deflated(path, packed.offset, end)


class _Source:
    """The packed bytes of a file, piece by piece."""

    def __init__(self, path: Path, place: int, end: int | None) -> None:
        self.path, self.place, self.end = path, place, path.stat().st_size if end is None else end

    def read(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.place)
            piece = file.read(min(_PIECE, max(0, self.end - self.place)))
        self.place += len(piece)
        return piece


class _Deflated:
    """gzip (also of several members) and zlib."""

    def __init__(self, path: Path, place: int, end: int | None) -> None:
        self._source = _Source(path, place, end)
        self._inflater = _inflater()

    def read(self, most: int) -> bytes:
        while True:
            if self._inflater.eof:
                # A second member may follow; zeros and other leftovers behind the first one are none.
                left = self._inflater.unused_data or self._source.read()
                if left[:2] != b"\x1f\x8b":
                    return b""
                self._inflater, piece = _inflater(), left
            else:
                piece = self._inflater.unconsumed_tail or self._source.read()
            made: bytes = self._inflater.decompress(piece, most)
            if made or not piece:
                return made

    def copy(self) -> _Deflated:
        other = _Deflated(self._source.path, self._source.place, self._source.end)
        other._inflater = self._inflater.copy()
        return other


class _Bzip2:
    def __init__(self, path: Path, place: int, end: int | None) -> None:
        self._source, self._inflater = _Source(path, place, end), bz2.BZ2Decompressor()

    def read(self, most: int) -> bytes:
        while not self._inflater.eof:
            piece = self._source.read() if self._inflater.needs_input else b""
            made = self._inflater.decompress(piece, most)
            if made or (not piece and self._inflater.needs_input):
                return made
        return b""

    def copy(self) -> None:
        return None


class _Runs:
    """HxByteRLE: a count with the high bit set copies so many bytes, any other count repeats the next byte."""

    def __init__(self, packed: NDArray[np.uint8], place: int = 0, used: int = 0) -> None:
        self._packed, self._place, self._used = packed, place, used

    def read(self, most: int) -> bytes:
        made = np.empty(most, np.uint8)
        filled, self._place, self._used = _run(self._packed, self._place, self._used, made)
        return made[:filled].tobytes()

    def copy(self) -> _Runs:
        return _Runs(self._packed, self._place, self._used)


def _inflater() -> Any:
    # 32 + 15: zlib's sign for "gzip or zlib header, whichever is there".
    return zlib.decompressobj(47)


@njit(cache=True, nogil=True)
def _run(packed: Any, place: int, used: int, out: Any) -> tuple[int, int, int]:
    """Undo runs from `place` on, of whose run `used` bytes were given before; give bytes made, and where it stopped."""
    filled = 0
    while filled < out.size and place + 1 < packed.size:
        count, literal = packed[place] & 0x7F, packed[place] >= 0x80
        for _ in range(min(count - used, out.size - filled)):
            at = place + 1 + (used if literal else 0)
            if at >= packed.size:
                return filled, packed.size, 0
            out[filled] = packed[at]
            filled, used = filled + 1, used + 1
        if used == count:
            place, used = place + (1 + count if literal else 2), 0
    return filled, place, used
