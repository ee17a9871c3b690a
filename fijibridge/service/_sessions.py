"""Painting sessions: one worker for each volume that somebody paints on, with its model and features kept warm."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ServiceError, WorkerDiedError
from ._state import StateFolder
from ._workers import Worker

#: Sessions at once; the one that waited longest makes room.
_MOST = 3
#: Seconds after which a session that nobody used ends.
_IDLE_S = 1800.0


@dataclass
class _Session:
    id: str
    key: tuple[Any, ...]
    opening: Mapping[str, Any]
    worker: Worker
    guard: threading.Lock = field(default_factory=threading.Lock)
    used: float = field(default_factory=time.monotonic)


class Sessions:
    """The sessions that are open."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._guard = threading.Lock()
        self._open: dict[str, _Session] = {}

    def open(self, volume: Path, *, spacing: tuple[float, float, float] | None, units: str | None) -> dict[str, Any]:
        """Open a session on a volume; the one that is open on this very file already is given again."""
        about = volume.stat()
        key = (str(volume), about.st_mtime_ns, about.st_size, spacing, units)
        with self._guard:
            self._end_idle()
            found = next((each for each in self._open.values() if each.key == key), None)
            if found is None:
                opening = {"kind": "open", "volume": str(volume), "spacing": spacing, "units": units}
                found = self._add(key, opening)
        return {"id": found.id, **self._ask(found, found.opening)}

    def preview(self, number: str, order: Mapping[str, Any]) -> dict[str, Any]:
        """Train on labels and label one slice."""
        return self._ask(self._get(number), {"kind": "preview", **order})

    def model(self, number: str, order: Mapping[str, Any]) -> dict[str, Any]:
        """Train on labels and save the forest."""
        return self._ask(self._get(number), {"kind": "model", **order})

    def close(self, number: str) -> None:
        """End a session."""
        session = self._get(number)
        with self._guard:
            self._open.pop(number, None)
        session.worker.kill()

    def close_all(self) -> None:
        """End all sessions."""
        with self._guard:
            for session in self._open.values():
                session.worker.kill()
            self._open.clear()

    def pids(self) -> list[int]:
        """Give the process numbers of the sessions' workers."""
        with self._guard:
            return [pid for session in self._open.values() if (pid := session.worker.pid()) is not None]

    def _get(self, number: str) -> _Session:
        with self._guard:
            found = self._open.get(number)
        if found is None:
            raise ServiceError(f"there is no session {number[:40]!r}; POST /api/sessions opens one", status=404)
        return found

    def _add(self, key: tuple[Any, ...], opening: Mapping[str, Any]) -> _Session:
        while len(self._open) >= _MOST:
            self._end(min(self._open.values(), key=lambda each: each.used))
        made = _Session(secrets.token_hex(8), key, opening, Worker(self._state.log, "_painting"))
        self._open[made.id] = made
        return made

    def _end_idle(self) -> None:
        for session in [each for each in self._open.values() if time.monotonic() - each.used > _IDLE_S]:
            self._end(session)

    def _end(self, session: _Session) -> None:
        del self._open[session.id]
        session.worker.kill()

    def _ask(self, session: _Session, order: Mapping[str, Any]) -> dict[str, Any]:
        """Have an order done; a worker that died since (or was never there) is given the volume again."""
        with session.guard:
            session.used = time.monotonic()
            log = {"log": str(self._state.log)}
            fresh = session.worker.pid() is None
            try:
                if fresh and order["kind"] != "open":
                    session.worker.run({**session.opening, **log}, _ignore)
                return session.worker.run({**order, **log}, _ignore)
            except WorkerDiedError as error:
                raise ServiceError(str(error), status=500) from error


def _ignore(_news: Mapping[str, Any]) -> None:
    """Sessions answer within a second or so and tell no progress."""
