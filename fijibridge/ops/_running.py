"""Whom a running operation tells how far it is; no parameter of it, since the result does not depend on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Progress = Callable[[float], None]

_TOLD: ContextVar[Progress | None] = ContextVar("progress", default=None)


@contextlib.contextmanager
def telling(progress: Progress | None) -> Iterator[None]:
    """Within the block, native operations call `progress` with the share done, 0 to 1."""
    token = _TOLD.set(progress)
    try:
        yield
    finally:
        _TOLD.reset(token)


def told(start: float = 0.0, end: float = 1.0) -> Progress:
    """Give what an engine calls with the share of its part done, which runs from `start` to `end` of the whole."""
    progress = _TOLD.get()
    if progress is None:
        return lambda _share: None
    tell = progress
    return lambda share: tell(start + (end - start) * share)
