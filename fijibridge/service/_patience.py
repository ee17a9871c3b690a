"""Connections that send nothing, or their headers drop by drop, are closed: they would hold the service's memory."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds from the connection (or the last answer) to the end of a request's headers.
HEADERS_S = 5.0


class PatientProtocol(H11Protocol):
    """uvicorn's own protocol with a limit on how long a request's headers may take."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._limit = self.loop.call_later(HEADERS_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        if self._limit is not None:
            self._limit.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Start the clock for the next request on this connection."""
        if self._limit is not None:
            self._limit.cancel()
        self._limit = self.loop.call_later(2 * HEADERS_S, self._give_up)
        super().on_response_complete()

    def _give_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
