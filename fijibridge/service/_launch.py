"""Find the service, or start it apart from this program."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from ..errors import ServiceError
from ._http import ask
from ._state import Address, StateFolder

#: Seconds that a service may take to answer for the first time; the first start on a machine compiles Python's files.
_PATIENCE_S = 60.0


def find(state: StateFolder) -> Address | None:
    """Give the address of the service that runs, or None."""
    address = state.read_address()
    if address is None:
        return None
    try:
        ask(address, "GET", "/api/status", timeout_s=10.0)
    except ServiceError as error:
        if error.status == 503:
            return None
        raise
    return address


def ensure(state: StateFolder) -> Address:
    """Give the address of the service, started if it is not there.

    Two programs may do so at once: both start one, the lock of the folder lets one of them live, both find that one.
    """
    found = find(state)
    if found is not None:
        return found
    state.make()
    started = _start(state)
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        found = find(state)
        if found is not None:
            return found
        if started.poll() not in (None, 0) and not state.is_locked():
            break
        time.sleep(0.05)
    raise ServiceError(
        f"the service did not start; {state.log} tells why, and `fijibridge serve` shows it in a terminal", status=503
    )


if sys.platform == "win32":
    _FLAGS = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _FLAGS = 0


def start_apart(module: str, *words: str, output: int = subprocess.DEVNULL, **place: Any) -> subprocess.Popen[bytes]:
    """Start a module of ours in a process that outlives this one and shares no terminal with it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *words],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        creationflags=_FLAGS,
        **place,
    )


def _start(state: StateFolder) -> subprocess.Popen[bytes]:
    handle = os.open(state.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    environment = {**os.environ, "FIJIBRIDGE_STATE": str(state.root)}
    try:
        return start_apart("fijibridge.service", output=handle, cwd=state.root, env=environment)
    finally:
        os.close(handle)
