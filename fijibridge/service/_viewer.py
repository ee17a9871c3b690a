"""Looking at the volumes of jobs: one worker does it, and goes when nobody has looked for a while."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from ..errors import ServiceError, WorkerDiedError
from ._state import StateFolder
from ._workers import Worker

#: Seconds after which the worker goes.
_IDLE_S = 300.0


class Viewer:
    """Answers orders to look, one after another."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._worker = Worker(state.log, "_looks")
        self._guard = threading.Lock()
        self._end: threading.Timer | None = None

    def look(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Have a look.

        Raises
        ------
        ServiceError : what is to be seen cannot be read.
        """
        with self._guard:
            self._wait_anew()
            try:
                return self._worker.run({**order, "log": str(self._state.log)}, lambda _news: None)
            except WorkerDiedError as error:
                raise ServiceError(f"the file cannot be shown: {error}", status=500) from error

    def pids(self) -> list[int]:
        """Give the worker's process number, where there is one."""
        pid = self._worker.pid()
        return [] if pid is None else [pid]

    def close(self) -> None:
        """End the worker."""
        if self._end is not None:
            self._end.cancel()
        self._worker.kill()

    def _wait_anew(self) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = threading.Timer(_IDLE_S, self._go)
        self._end.daemon = True
        self._end.start()

    def _go(self) -> None:
        with self._guard:
            self._worker.kill()
