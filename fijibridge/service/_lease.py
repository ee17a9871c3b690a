"""Leases: a file that a client touches as long as it waits; once it has gone, what it waits for is given up."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

#: Seconds after which the client that touches a lease has gone.
LEASE_S = 6.0
_LOOK_S = 0.5


def lapsed(lease: Path, since: float) -> bool:
    """Tell whether nobody has touched a lease for too long; `since` is the time (s) when the work was asked for."""
    try:
        touched = lease.stat().st_mtime
    except OSError:
        touched = 0.0
    return time.time() - max(touched, since) > LEASE_S


@contextlib.contextmanager
def held(lease: Path | None, give_up: Callable[[], object]) -> Iterator[None]:
    """While the block runs, look after the lease of who waits for it; once it lapses, call `give_up`."""
    if lease is None:
        yield
        return
    over = threading.Event()
    since = time.time()

    def look() -> None:
        while not over.wait(_LOOK_S):
            if lapsed(lease, since):
                give_up()
                return

    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()
