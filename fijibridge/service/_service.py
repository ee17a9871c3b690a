"""Everything that requests use, in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from ._places import Places
from ._queue import JobQueue
from ._sessions import Sessions
from ._state import StateFolder
from ._viewer import Viewer


@dataclass
class Service:
    """Everything that requests use."""

    state: StateFolder
    places: Places
    queue: JobQueue
    sessions: Sessions
    viewer: Viewer
    imagej: str
    pid: int
    #: When something was asked last, on the monotonic clock.
    touched: float = field(default_factory=time.monotonic)
    #: Ends the service; set once it runs.
    stop: Callable[[], None] = lambda: None

    def touch(self) -> None:
        """Note that somebody is there."""
        self.touched = time.monotonic()


def service_of(request: Request) -> Service:
    """Give the service that a request is for."""
    service: Service = request.app.state.service
    return service
