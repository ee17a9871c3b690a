"""The blocks of shared memory of one worker, kept for reuse: memory touched before is several times as fast."""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from typing import Any

import numpy as np

from ._memory import Segment, create_segment

#: At most this many bytes are kept for later jobs.
_KEEP = 2 << 30
#: Results up to this size are copied out, so that a small result does not hold on to a large block.
_SMALL = 1 << 20
_numbers = itertools.count(1)


class Lease(np.ndarray[Any, Any]):
    """The bytes of a block that was handed to the user; the block is free again when nobody looks at them any more."""


class Segments:
    """The blocks that a worker and the program share."""

    def __init__(self) -> None:
        self._free: list[Segment] = []
        # Leases end wherever garbage is collected, so nothing there may wait for a lock; this needs none.
        self._returned: deque[Segment] = deque()
        self._dropped: list[int] = []
        self._closed = False

    def take(self, size: int) -> Segment:
        """Give a block of at least `size` bytes, an old one where one fits."""
        self._collect()
        fitting = [segment for segment in self._free if size <= segment.size <= 2 * size + _SMALL]
        if not fitting:
            return create_segment(size, next(_numbers))
        segment = min(fitting, key=lambda candidate: candidate.size)
        self._free.remove(segment)
        return segment

    def give_back(self, segment: Segment) -> None:
        """Take a block back; no array may look at it any more."""
        if self._closed:
            segment.close()
        else:
            self._returned.append(segment)

    def lend(self, segment: Segment, used: int) -> np.ndarray[Any, Any]:
        """Give the first `used` bytes of a block as an array that the user may keep."""
        if used <= _SMALL:
            copied = np.frombuffer(segment.mapping, np.uint8, count=used).copy()
            self.give_back(segment)
            return copied
        # Made straight on the mapping: NumPy skips arrays of one type when it notes on what a view depends.
        lease = Lease((used,), np.uint8, buffer=segment.mapping)
        weakref.finalize(lease, self.give_back, segment).atexit = False
        return lease

    def dropped(self) -> list[int]:
        """Give the numbers of blocks that the worker may forget, once."""
        numbers, self._dropped = self._dropped, []
        return numbers

    def close(self) -> None:
        """Give all memory back; what the user still holds goes when he lets go of it."""
        self._closed = True
        self._collect()
        for segment in self._free:
            segment.close()
        self._free.clear()

    def _collect(self) -> None:
        while self._returned:
            self._free.append(self._returned.popleft())
        while sum(segment.size for segment in self._free) > _KEEP:
            segment = self._free.pop(0)
            self._dropped.append(segment.number)
            segment.close()
