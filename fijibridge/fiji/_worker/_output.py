"""The two output streams of the worker, which the program reads even after this process has died.

Java and ImageJ print straight into two anonymous files that the program opened; so nothing said before a crash is lost.
"""

from __future__ import annotations

import fcntl
import os

from ._java import java

_MOST = 16 << 20


def start_job() -> None:
    """Empty both streams."""
    for file in (1, 2):
        os.ftruncate(file, 0)


def append_mode() -> None:
    """Make every print go to the end, so that emptying needs no agreement on places."""
    for file in (1, 2):
        fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)


def keep_small() -> None:
    """Drop what was printed where a runaway macro would fill the memory with it."""
    for file in (1, 2):
        if os.fstat(file).st_size > _MOST:
            os.ftruncate(file, 0)


def read(file: int) -> str:
    """Give what was printed on a stream (1 or 2) since the job started."""
    system = java("java.lang.System")
    (system.out if file == 1 else system.err).flush()
    return os.pread(file, _MOST + (1 << 20), 0).decode(errors="replace")
