"""Run the service: one for each user, on the loopback interface, until nobody needs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from ..errors import ServiceError
from ..settings import load_settings
from ._app import make_app
from ._guard import Guard
from ._patience import PatientProtocol
from ._places import Places
from ._queue import JobQueue
from ._service import Service
from ._sessions import Sessions
from ._state import Address, StateFolder
from ._viewer import Viewer

#: Seconds that answers under way are given at the end.
_GRACE_S = 2
#: Seconds that files stay in the inbox.
_INBOX_S = 7 * 86400.0


def serve(
    state: StateFolder,
    *,
    port: int = 0,
    folders: Sequence[Path] = (),
    idle_s: float | None = None,
    ready: Callable[[Address], None] | None = None,
) -> bool:
    """Run the service until it is stopped or idle.

    Parameters
    ----------
    state : its folder, made where it is missing.
    port : of 127.0.0.1; 0 takes any that is free.
    folders : below which it may read and write, besides its own.
    idle_s : seconds without a request or a job after which it ends; None for never.
    ready : called once it can be reached.

    Returns
    -------
    False where a service of this user runs already; nothing was started then.

    Raises
    ------
    ServiceError : the port is taken, or the folder cannot be used.
    """
    state.make()
    settings = load_settings()
    with state.hold() as free:
        if not free:
            return False
        state.remove_address()
        listening = _listen(port)
        _sweep(state)
        places = Places(folders, own=(state.inbox, state.jobs))
        queue = JobQueue(state, places, settings.workers)
        service = Service(state, places, queue, Sessions(state), Viewer(state), settings.imagej, os.getpid())
        address = Address(listening.getsockname()[1], secrets.token_urlsafe(32), os.getpid())
        try:
            _run(service, address, listening, idle_s, ready)
        finally:
            state.remove_address()
            service.sessions.close_all()
            service.viewer.close()
            queue.close()
    return True


def _sweep(state: StateFolder) -> None:
    """Remove what clients handed over long ago: volumes, leases, labels."""
    for file in state.inbox.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - file.lstat().st_mtime > _INBOX_S:
                file.unlink()


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    if os.name == "posix":
        # On Windows this option would let another program take the port over.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise ServiceError(
            f"port {port} cannot be used ({error.strerror or error}); leave --port out for any that is free"
        ) from error
    listening.listen(128)
    return listening


def _run(
    service: Service,
    address: Address,
    listening: socket.socket,
    idle_s: float | None,
    ready: Callable[[Address], None] | None,
) -> None:
    app = Guard(make_app(service), port=address.port, token=address.token, touched=service.touch)
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = uvicorn.Server(config)
    service.stop = lambda: setattr(server, "should_exit", True)
    service.queue.start()
    threading.Thread(target=_load_operations, daemon=True).start()
    if idle_s is not None:
        threading.Thread(target=_end_when_idle, args=(service, server, idle_s), daemon=True).start()
    state = service.state
    state.write_address(address)
    if ready is not None:
        ready(address)
    # uvicorn sends itself the signal that ended it once more: we still have workers to end.
    earlier = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(server.serve(sockets=[listening]))
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _load_operations() -> None:
    """Load what the first request for a job needs, while that request is on its way."""
    from ._catalogue import catalogue

    catalogue()


def _end_when_idle(service: Service, server: uvicorn.Server, idle_s: float) -> None:
    while not server.should_exit:
        time.sleep(min(1.0, idle_s / 4))
        if service.queue.busy():
            service.touch()
        elif time.monotonic() - service.touched > idle_s:
            server.should_exit = True
