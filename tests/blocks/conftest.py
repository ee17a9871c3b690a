"""What tests with workers of their own share: finding these among the processes, and what chunks lie in a folder."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

#: A program whose environment names a mark here, and whatever it starts, can be found by the mark.
MARK = "FIJIBRIDGE_TEST_RUN"


@pytest.fixture(scope="session")
def workers_below() -> Callable[[psutil.Process], list[psutil.Process]]:
    """Give the workers of a program's local cluster that live."""

    def find(program: psutil.Process) -> list[psutil.Process]:
        return [process for process in program.children(recursive=True) if _is_worker(process)]

    return find


@pytest.fixture(scope="session")
def left_over() -> Callable[[Path], list[int]]:
    """Give the processes that still carry a killed program's mark, after the seconds that they need to notice."""

    def find(mark: Path) -> list[int]:
        end = time.monotonic() + 20
        while (found := _marked(mark)) and time.monotonic() < end:
            time.sleep(0.1)
        return found

    return find


@pytest.fixture(scope="session")
def chunks_in() -> Callable[[Path], dict[str, int]]:
    """Give when each file of chunks in a folder was written; the folder may go meanwhile."""

    def look(folder: Path) -> dict[str, int]:
        found = {}
        for path in (Path(place, name) for place, _, names in os.walk(folder) for name in names):
            with contextlib.suppress(FileNotFoundError):
                found[str(path.relative_to(folder))] = path.stat().st_mtime_ns
        return found

    return look


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any("spawn_main" in part for part in process.cmdline())
    except psutil.Error:  # one that was killed before, and that nobody has asked about yet
        return False


def _marked(mark: Path) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get(MARK) == str(mark)
    ]
