"""Nothing outlives the program: no worker, no temporary file, no shared memory, however the program ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psutil
import pytest

PROGRAM = """
import os, signal, sys, threading, time
import numpy as np
from fijibridge.fiji import Fiji
from fijibridge.volume import make_volume
fiji = Fiji("embedded", workers=2, heap="256m", timeout_s=60)
volume = make_volume(np.zeros((20, 500, 500), np.uint16))
kept = fiji.run_macro("", volume).image
other = fiji.submit_macro("while (true) wait(5);", volume)
job = fiji.submit_macro('newImage("big", "16-bit black", 2000, 2000, 9); while (true) wait(5);')
while not (job.running() and other.running()):
    time.sleep(0.01)
print(*fiji.pids(), flush=True)
{ending}
"""

ENDINGS = {
    "kill -9": "time.sleep(60)",
    "returning": "",
    "an exception": "raise RuntimeError('on purpose')",
    "os._exit": "os._exit(0)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
}


def leftovers() -> set[str]:
    """Files in the places where Java, Python and ImageJ leave them."""
    places = [Path(tempfile.gettempdir()), Path("/dev/shm"), Path.home() / ".imagej"]
    user = next(iter(Path(tempfile.gettempdir()).glob(f"hsperfdata_{os.environ.get('USER', 'root')}")), None)
    places += [user] if user else []
    return {str(path) for place in places if place.is_dir() for path in place.iterdir()}


def gone(pid: int) -> bool:
    """Tell whether a process has ended (a zombie that nobody reaps has)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_nothing_is_left_when_the_program_ends_by(ending, tmp_path):
    """Lab machines run for weeks; what each run leaves behind adds up."""
    before = leftovers()
    code = PROGRAM.format(ending=ENDINGS[ending])
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path
    )
    assert program.stdout is not None
    pids = [int(word) for word in program.stdout.readline().split()]
    assert len(pids) == 2
    if ending == "kill -9":
        program.send_signal(signal.SIGKILL)
    program.wait(20)
    end = time.monotonic() + 5
    while not all(gone(pid) for pid in pids):
        assert time.monotonic() < end, "a worker outlived its program"
        time.sleep(0.02)
    mine = {name for name in leftovers() - before if _names_us(name, pids)}
    assert mine == set()
    assert list(tmp_path.iterdir()) == []


def _names_us(name: str, pids: list[int]) -> bool:
    """Others work on this machine at the same time: only what bears our names counts."""
    words = ("fijibridge", "jpype", "imagej", "psm_", *map(str, pids))
    return any(word in Path(name).name for word in words)


def test_shared_memory_is_given_back_when_its_arrays_are_dropped():
    """A long session must not grow with each result."""
    code = textwrap.dedent("""
        import gc, os, numpy as np
        from fijibridge.fiji import Fiji
        from fijibridge.volume import make_volume
        volume = make_volume(np.zeros((40, 1000, 1000), np.uint8))
        with Fiji("embedded", workers=1, heap="256m") as fiji:
            def shared():
                with open(f"/proc/{os.getpid()}/smaps_rollup") as file:
                    return next(int(line.split()[1]) for line in file if line.startswith("Pss_Shmem"))
            fiji.run_macro("", volume)
            gc.collect()
            before = shared()
            for _ in range(10):
                result = fiji.run_macro("", volume)
            del result
            gc.collect()
            files = len(os.listdir("/proc/self/fd"))
            for _ in range(10):
                fiji.run_macro("", volume)
            print(shared() < before + 90_000, len(os.listdir("/proc/self/fd")) <= files)
    """)
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("this system does not tell of shared memory")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "True True\n", done.stdout + done.stderr
