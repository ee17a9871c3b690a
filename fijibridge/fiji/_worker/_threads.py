"""Threads that a job left behind: they could touch the next job's images, so the worker retires after such a job."""

from __future__ import annotations

import time
from typing import Any

import jpype

from ._java import java

_PATIENCE_S = 0.2
#: Threads of Java itself, and idle ones of pools, which do nothing by themselves.
_HARMLESS = ("AWT-", "Java2D", "ForkJoinPool", "pool-", "process reaper", "SwingWorker", "TimerQueue")


class Threads:
    """The threads that were there at the start."""

    def __init__(self) -> None:
        self._known = {int(thread.getId()) for thread in _alive()}

    def any_left(self) -> bool:
        """Tell whether a thread of the job still runs, after a moment's patience."""
        until = time.monotonic() + _PATIENCE_S
        while self._strangers():
            if time.monotonic() > until:
                return True
            time.sleep(0.01)
        return False

    def _strangers(self) -> bool:
        return any(
            not thread.isDaemon()
            and int(thread.getId()) not in self._known
            and not str(thread.getName()).startswith(_HARMLESS)
            for thread in _alive()
        )


def _alive() -> list[Any]:
    group = java("java.lang.Thread").currentThread().getThreadGroup()
    threads = jpype.JArray(java("java.lang.Thread"))(256)
    return list(threads[: group.enumerate(threads)])
