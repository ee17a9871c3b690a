"""The chain of image headers (IFDs) of a TIFF file, walked before anything is allocated.

A broken or hostile chain may lead out of the file or back into itself; TIFF readers then stop early without a word, or
never.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, NamedTuple

#: Tags that a volume cannot do without: the description, where the voxels lie, the resolution, ImageJ's own.
_NEEDED = frozenset((270, 273, 279, 282, 283, 324, 325, 50838, 50839))
#: Bytes per value of each TIFF type.
_TYPE_SIZE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


class Chain(NamedTuple):
    """How many headers there are, and what is wrong after them ("" if nothing)."""

    length: int
    fault: str


class _Layout(NamedTuple):
    """Where a TIFF (or BigTIFF) keeps what."""

    #: struct formats of the number of entries of a header, of an entry (tag, type, count, value), and of offsets.
    entries: str
    entry: str
    offset: str
    #: Where the offset of the first header stands.
    first: int


def walk(file: BinaryIO) -> Chain | None:
    """Follow the chain of an open file to its end; None where the file is no TIFF at all."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    layout = _layout(file.read(16))
    if layout is None:
        return None
    file.seek(layout.first)
    offset = _number(file, layout.offset)
    seen: set[int] = set()
    while offset:
        if offset in seen:
            return Chain(len(seen), "its headers lead round in a circle")
        following = _next(file, layout, offset, size)
        if following is None:
            return Chain(len(seen), f"header {len(seen) + 1} should lie at byte {offset} and the file ends at {size}")
        if following < 0:
            return Chain(len(seen), f"header {len(seen) + 1} points past the end of the file, at {size}")
        seen.add(offset)
        offset = following
    return Chain(len(seen), "" if seen else "it has no header")


def _layout(start: bytes) -> _Layout | None:
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        return None
    version = struct.unpack(order + "H", start[2:4])[0]
    if version == 42:
        return _Layout(order + "H", order + "HHII", order + "I", 4)
    if version == 43:
        return _Layout(order + "Q", order + "HHQQ", order + "Q", 8)
    return None


def _next(file: BinaryIO, layout: _Layout, offset: int, size: int) -> int | None:
    """Give the offset of the header after the one at `offset`: 0 = last, None = the file ends first.

    -1 says that a value which the header keeps elsewhere lies past the end of the file.
    """
    file.seek(offset)
    entries = _number(file, layout.entries)
    length = struct.calcsize(layout.entry) * (entries or 0)
    if entries is None or offset + length > size:
        return None
    for tag, kind, count, value in struct.iter_unpack(layout.entry, file.read(length)):
        bytes_ = _TYPE_SIZE.get(kind, 1) * count
        if tag in _NEEDED and bytes_ > struct.calcsize(layout.offset) and value + bytes_ > size:
            return -1
    return _number(file, layout.offset)


def _number(file: BinaryIO, layout: str) -> int | None:
    data = file.read(struct.calcsize(layout))
    return int(struct.unpack(layout, data)[0]) if len(data) == struct.calcsize(layout) else None
