"""Messages between the program and a worker: JSON behind a length, with open files handed over beside it.

Both ends use this file; it needs nothing but the standard library, so that a worker starts fast.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from typing import Any

_HEADER = struct.Struct(">II")
_MOST_FILES = 16


class Closed(Exception):
    """The other end is gone."""


class Channel:
    """One end of the line between the program and a worker."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self._sending = threading.Lock()

    def send(self, message: dict[str, Any], files: tuple[int, ...] = ()) -> None:
        """Send a message, and open files by their descriptors; raise Closed if nobody is there."""
        payload = json.dumps(message, allow_nan=True).encode()
        header = _HEADER.pack(len(payload), len(files))
        try:
            with self._sending:
                if files:
                    socket.send_fds(self.line, [header], list(files))
                else:
                    self.line.sendall(header)
                self.line.sendall(payload)
        except OSError as error:
            raise Closed from error

    def receive(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Wait for a message and the files that come with it; raise Closed at the end of the line."""
        header, files = self._receive_header()
        length, count = _HEADER.unpack(header)
        if count != len(files):
            raise Closed
        message: dict[str, Any] = json.loads(self._exactly(length))
        return message, files

    def close(self) -> None:
        """Hang up; the other end then sees the end of the line."""
        self.line.close()

    def _receive_header(self) -> tuple[bytes, tuple[int, ...]]:
        try:
            # The files ride on the first byte, so whatever arrives first brings them all.
            start, files, _flags, _address = socket.recv_fds(self.line, _HEADER.size, _MOST_FILES)
        except OSError as error:
            raise Closed from error
        if not start:
            raise Closed
        return start + self._exactly(_HEADER.size - len(start)), tuple(files)

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            try:
                part = self.line.recv(min(count - len(parts), 1 << 20))
            except OSError as error:
                raise Closed from error
            if not part:
                raise Closed
            parts += part
        return bytes(parts)
