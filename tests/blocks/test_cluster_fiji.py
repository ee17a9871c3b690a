"""ImageJ on a dask cluster: one for each worker, and none left behind."""

from __future__ import annotations

import time

import numpy as np
import psutil

import fijibridge as fb
from fijibridge.blocks import apply_blocks, crew
from fijibridge.fiji import current

#: Least for each of two workers, so that there are several blocks.
_MEMORY = 2 * 54_000_000


def test_imagej_works_in_each_worker_and_ends_with_it(tmp_path):
    """One JVM for each dask worker, and none is left behind when the work is done, or its worker was killed."""
    before = _javas()
    rng = np.random.default_rng(5)
    grey = fb.make_volume(rng.integers(0, 255, (120, 48, 48), np.uint8), spacing=(9, 9, 9), units="nm")
    killed, most = list[int](), [0]

    def watch(share: float) -> None:
        most[0] = max(most[0], len(_javas() - before))
        if share > 0.2 and not killed:
            alive = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
            worker = next(p for p in alive if "spawn_main" in " ".join(p.cmdline()))
            killed.append(worker.pid)
            worker.kill()

    with crew("processes", 2):
        made = apply_blocks(
            "smooth", grey, tmp_path / "fiji.zarr", engine="fiji", scheduler="processes",
            memory=_MEMORY, progress=watch,
        )  # fmt: skip
    assert np.asarray(made.data).tobytes() == fb.smooth(grey, engine="fiji").data.tobytes()
    assert killed
    assert 1 <= most[0] <= 3  # one for each worker, and that of the lost one until it has noticed
    current().close()
    assert not _wait_for(lambda: _javas() - before)


def _javas() -> set[int]:
    """Give the ImageJ workers of this machine that descend from this test, or were orphaned."""
    found = set()
    for process in psutil.process_iter(["pid", "cmdline"]):
        if any("fijibridge.fiji._worker.main" in part for part in process.info["cmdline"] or ()):
            found.add(process.info["pid"])
    return found


def _wait_for(left) -> object:
    end = time.monotonic() + 20
    while left() and time.monotonic() < end:
        time.sleep(0.1)
    return left()
