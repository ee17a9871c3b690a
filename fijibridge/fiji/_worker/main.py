"""The worker's main loop: wait for a job on the line, do it, answer, clean up."""

from __future__ import annotations

import ctypes
import os
import queue
import resource
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from .._wire import Channel, Closed

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve jobs until the line is closed; never returns."""
    line, pulse, parent = (int(argument) for argument in sys.argv[1:4])
    _die_with(parent)
    channel = Channel(socket.socket(fileno=line))
    jobs: queue.SimpleQueue[tuple[dict[str, Any], tuple[int, ...]]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(channel, jobs), daemon=True).start()
    try:
        _serve(channel, jobs, pulse)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(70)


def _die_with(parent: int) -> None:
    """Make the system end this process with the program, whatever ends the program."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _listen(channel: Channel, jobs: queue.SimpleQueue[tuple[dict[str, Any], tuple[int, ...]]]) -> None:
    """Take messages off the line; its end is the end of this process, amid a job or not."""
    try:
        while True:
            jobs.put(channel.receive())
    except Closed:
        os._exit(0)


def _serve(channel: Channel, jobs: queue.SimpleQueue[tuple[dict[str, Any], tuple[int, ...]]], pulse: int) -> None:
    from . import _java, _output, _pulse

    orders, _files = jobs.get()
    _output.append_mode()
    if orders["kind"] == "patch":
        _patch(channel, orders)
    started = _java.start(orders)
    from ._faults import JobFailed
    from ._jobs import do
    from ._rooms import Rooms
    from ._state import KnownState
    from ._threads import Threads

    state = KnownState(started.kind)
    state.restore()
    _pulse.start(pulse)
    channel.send({"event": "ready", "kind": started.kind, "version": started.version, "java": started.java})
    rooms, threads = Rooms(channel, jobs), Threads()
    while True:
        job, files = jobs.get()
        rooms.enter(job, files)
        _output.start_job()
        try:
            answer = do(job, rooms, started)
        except JobFailed as failure:
            answer = {"event": "failed", "log": _output.as_log(_output.read(1)), **failure.fault._asdict()}
        channel.send({**answer, "retire": threads.any_left()})
        state.restore()


def _patch(channel: Channel, orders: dict[str, Any]) -> None:
    """Write the headless classes of an ImageJ, which is all this process is for."""
    from . import _java, _patch

    _java.start_bare_java(orders)
    _patch.write_jars(Path(orders["target"]), Path(orders["classpath"][0]))
    channel.send({"event": "ready"})
    _java.halt(0)
