"""The blocks of shared memory that this worker knows; the program makes them all."""

from __future__ import annotations

import queue
from typing import Any, TypeAlias

from .._memory import Segment
from .._wire import Channel

#: Results up to this size may lie in a much larger block: the program copies them out at once.
_SMALL = 1 << 20
Inbox: TypeAlias = "queue.SimpleQueue[tuple[dict[str, Any], tuple[int, ...]]]"


class Rooms:
    """Shared memory by number, and the one at hand."""

    def __init__(self, channel: Channel, inbox: Inbox) -> None:
        self._channel = channel
        self._inbox = inbox
        self._known: dict[int, Segment] = {}
        self._number = 0

    def enter(self, message: dict[str, Any], files: tuple[int, ...]) -> None:
        """Take note of the block that came with a message, and of those that are gone."""
        for number in message.get("drop", ()):
            if number in self._known:
                self._known.pop(number).close()
        room = message.get("segment")
        self._number = room["number"] if room else 0
        if room and self._number not in self._known:
            self._known[self._number] = Segment(room["size"], files[0], self._number)
            self._known[self._number].close_file()

    def view(self) -> memoryview:
        """Give the block at hand."""
        return memoryview(self._known[self._number].mapping if self._number else b"")

    def make_room(self, size: int) -> int:
        """See that the block at hand holds `size` bytes without wasting much; give its number."""
        known = self._known.get(self._number)
        if known is None or size > known.size or (size > _SMALL and 2 * size < known.size):
            self._channel.send({"event": "room", "bytes": size})
            self.enter(*self._inbox.get())
        return self._number
