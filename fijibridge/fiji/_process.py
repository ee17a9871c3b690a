"""One worker process as the program sees it: start it, give it a job, wait, end it."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import EngineMissingError
from ._memory import Segment, anonymous_file
from ._segments import Segments
from ._wire import Channel, Closed

_LINE_LIMIT_S = 60.0
_PACKAGE = Path(__file__).resolve().parents[1]
#: Runs the worker without importing the package above it: the worker needs two small files of it, not NumPy and numba.
_BOOT = """
import sys, types
for name, path in (("fijibridge", sys.argv[1]), ("fijibridge.fiji", sys.argv[1] + "/fiji")):
    module = types.ModuleType(name)
    module.__path__ = [path]
    sys.modules[name] = module
del sys.argv[1]
from fijibridge.fiji._worker.main import main
main()
"""
#: Set by users for their own Java; they would override the heap and print into ImageJ's log.
_FOREIGN = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")


class Died(Exception):
    """The worker ended."""


class Late(Exception):
    """The worker did not answer in time."""


class Woken(Exception):
    """Somebody wants the wait to end."""


class Reply(NamedTuple):
    """A worker's message with the bytes of the voxels that belong to it."""

    message: dict[str, Any]
    voxels: np.ndarray[Any, Any] | None


class Worker:
    """A running worker process."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self._out, self._err, self._pulse = (anonymous_file(name) for name in ("out", "err", "pulse"))
        ours, theirs = socket.socketpair()
        environment = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
        command = [
            sys.executable,
            "-P",
            "-c",
            _BOOT,
            str(_PACKAGE),
            *map(str, (theirs.fileno(), self._pulse, os.getpid())),
        ]
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._out,
                stderr=self._err,
                pass_fds=(theirs.fileno(), self._pulse),
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            ours.close()
            self._close_files()
            raise EngineMissingError(
                f"no worker process could be started with {sys.executable} ({error.strerror or error}); "
                "free some memory, or use engine='native'"
            ) from error
        finally:
            theirs.close()
        # Nothing waits on a worker that hangs amid a message.
        ours.settimeout(_LINE_LIMIT_S)
        self._channel = Channel(ours)
        self._segments = Segments()
        self._at_hand: Segment | None = None
        with contextlib.suppress(Closed):  # it ended at once, which the first wait for it will tell
            self._channel.send(orders)

    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self.process.poll() is None

    def memory(self, size: int) -> Segment:
        """Give a block of memory for the voxels of the next job, shared with the worker."""
        if self._at_hand is not None:
            self._segments.give_back(self._at_hand)
        self._at_hand = self._segments.take(size)
        return self._at_hand

    def send(self, job: dict[str, Any]) -> None:
        """Give the worker a job, whose voxels lie in `memory`."""
        self._tell({**job, "drop": self._segments.dropped()})

    def receive(self, deadline: float, wake: socket.socket) -> Reply:
        """Wait for the answer; raise Late at the deadline, Woken when `wake` is touched, Died at the worker's end."""
        while True:
            message = self._next_message(deadline, wake)
            if message["event"] != "room":
                return self._reply(message)
            self.memory(message["bytes"])
            self._tell({})

    def _next_message(self, deadline: float, wake: socket.socket) -> dict[str, Any]:
        # Not select(), which knows only the first 1024 files of a program.
        with selectors.DefaultSelector() as selector:
            for line in (self._channel.line, wake):
                selector.register(line, selectors.EVENT_READ)
            readable = [key.fileobj for key, _ in selector.select(max(0.0, deadline - time.monotonic()))]
        if self._channel.line in readable:
            try:
                return self._channel.receive()[0]
            except Closed as error:
                raise Died from error
        if readable:
            raise Woken
        raise Late

    def _tell(self, message: dict[str, Any]) -> None:
        """Send a message, and with it the block at hand where the worker does not know it yet."""
        segment = self._at_hand
        try:
            if segment is None:
                self._channel.send(message)
                return
            room = {"number": segment.number, "size": segment.size}
            self._channel.send({**message, "segment": room}, segment.files)
            segment.close_file()
        except Closed as error:
            raise Died from error

    def _reply(self, message: dict[str, Any]) -> Reply:
        segment, self._at_hand = self._at_hand, None
        used = message.get("bytes", 0)
        if segment is None:
            return Reply(message, None)
        if not used:
            self._segments.give_back(segment)
            return Reply(message, None)
        return Reply(message, self._segments.lend(segment, used))

    def printed(self) -> tuple[str, str]:
        """Give what the worker printed on its two streams since the job started; works after its death too."""
        out, err = (os.pread(file, 16 << 20, 0).decode(errors="replace") for file in (self._out, self._err))
        return out, err

    def line(self) -> int:
        """Give the line of the macro that the worker was last seen in; 0 where that is not known."""
        seen = os.pread(self._pulse, 4, 0)
        return int.from_bytes(seen, sys.byteorder) if len(seen) == 4 else 0

    def let_go(self) -> None:
        """In a forked child: close this side of everything and leave the worker to the parent."""
        self._channel.close()
        self._close_files()
        self._close_memory()

    def end(self) -> int:
        """End the process now, whatever it does; give its exit status."""
        if self.process.poll() is None:
            self.process.kill()
        status = self.process.wait()
        self._channel.close()
        self._close_memory()
        return status

    def close(self) -> None:
        """End the process and forget what it printed."""
        self.end()
        self._close_files()

    def _close_memory(self) -> None:
        if self._at_hand is not None:
            self._at_hand.close()
            self._at_hand = None
        self._segments.close()

    def _close_files(self) -> None:
        for file in (self._out, self._err, self._pulse):
            os.close(file)
