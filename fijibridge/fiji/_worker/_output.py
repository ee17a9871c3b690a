"""The two output streams of the worker, which the program reads even after this process has died.

Java and ImageJ print straight into two anonymous files that the program opened; so nothing said before a crash is lost.
"""

from __future__ import annotations

import fcntl
import os
import re

from ._java import java

_MOST = 16 << 20
_COMMAND = re.compile(r"\\(?:(?P<clear>Clear)|Update(?P<number>[0-9]{0,4}):(?P<text>.*))")


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


def as_log(text: str) -> str:
    r"""Read what was printed as ImageJ's Log window would: ``\Clear``, ``\Update:``, ``\UpdateN:`` are commands."""
    lines: list[str] = []
    for line in text.splitlines():
        command = _COMMAND.fullmatch(line)
        if command is None:
            lines.append(line)
        elif command["clear"]:
            lines.clear()
        else:
            number = int(command["number"]) if command["number"] else max(0, len(lines) - 1)
            lines += [""] * (number + 1 - len(lines))
            lines[number] = command["text"]
    return "".join(f"{line}\n" for line in lines)
