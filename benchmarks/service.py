"""How long people wait for the service: starting it, a macro's call, a job that does nothing, a preview while painting.

    python benchmarks/service.py [--quick] [--json FILE]

Previews train on a share of what was painted. What that costs is told beside what it saves: the accuracy of both
previews on the whole slice, and how many voxels they label alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _rows import Row, versions, write_rows

import fijibridge as fb
from fijibridge.service._http import ask
from fijibridge.service._launch import ensure
from fijibridge.service._requests import PREVIEW_MOST
from fijibridge.service._state import Address, StateFolder
from fijibridge.study.annotators import paint_labels

#: Edge of the slices that are painted on, and how many there are.
EDGE, DEPTH = 1024, 48
#: Voxels of a class that a preview trains on by default, and those that training takes at most.
FEW, ALL = PREVIEW_MOST, 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute at most: each time is taken less often")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"FIJIBRIDGE_STATE": str(folder / "state"), "FIJIBRIDGE_FOLDERS": str(folder)}
        rows = measure(folder, 3 if options.quick else 9)
    for row in rows:
        print(f"{row.name:48} {row.size:28} {row.metric:24} {row.value:9.3f} {row.unit}")
    measured = versions("numpy", "numba", "scikit-learn", "fastapi", "uvicorn")
    write_rows(rows, options.json, measured)


def measure(folder: Path, times: int) -> list[Row]:
    """Time one thing after another on one service."""
    state = StateFolder(folder / "state")
    rows = [Row("service", "", "start until it answers", timed(lambda: ensure(state)), "s")]
    address = ensure(state)
    try:
        time.sleep(10)  # the worker and the table of operations load meanwhile
        rows.append(Row("macro call", "", "asks for the status", median(lambda: call("status"), times), "s"))
        rows.append(Row("python -c pass", "", "for comparison", median(lambda: run(["-c", "pass"]), times), "s"))
        rows += jobs(address, folder, times)
        rows += previews(address, folder, max(3, times // 2))
    finally:
        ask(address, "POST", "/api/stop")
    return rows


def jobs(address: Address, folder: Path, times: int) -> list[Row]:
    """Time a job that hardly computes anything."""
    small = folder / "small.tif"
    fb.write_volume(fb.make_volume(np.zeros((4, 8, 8), np.uint8), spacing=(1, 1, 1)), small)

    def job() -> None:
        body = {"operation": "crop", "parameters": {"box": [0, 2, 0, 2, 0, 2]}, "inputs": {"volume": str(small)}}
        number = ask(address, "POST", "/api/jobs", body)["id"]
        while ask(address, "GET", f"/api/jobs/{number}")["state"] in ("queued", "running"):
            time.sleep(0.002)

    job()
    return [Row("job: crop", "4x8x8", "asked for until done", median(job, times), "s")]


def previews(address: Address, folder: Path, strokes: int) -> list[Row]:
    """Paint on one slice stroke by stroke and take what the painter waits for and gets."""
    grey, truth, labels = painted(folder)
    opened = ask(address, "POST", "/api/sessions", {"volume": str(grey)}, timeout_s=600)
    z, path = DEPTH // 2, folder / "labels.tif"
    seen: dict[int, np.ndarray] = {}
    rows: list[Row] = []
    for most in (FEW, ALL):
        times = []
        for stroke in range(strokes + 2):
            row, column = 40 + 30 * stroke, 200 + most // 40
            place = (z, slice(row, row + 4), slice(column, column + 220))
            labels.data[place] = truth.data[place]
            fb.write_volume(labels, path)
            body = {"labels": str(path), "slice": z, "most": most}
            start = time.perf_counter()
            found = ask(address, "POST", f"/api/sessions/{opened['id']}/preview", body)
            times.append(time.perf_counter() - start)
        seen[most] = np.asarray(fb.read_volume(found["labels"]).data[0])
        rows += preview_rows(
            f"preview, {sum(found['trained'].values())} voxels trained on", found, times, seen[most], truth
        )
    same = float((seen[FEW] == seen[ALL]).mean())
    return [*rows, Row("both previews", f"{EDGE}x{EDGE}", "voxels labelled alike", 100 * same, "%")]


def preview_rows(name: str, found: dict, times: list[float], seen: np.ndarray, truth: fb.Volume) -> list[Row]:
    """Tell of one kind of preview; the first two are left out of the median, since they load and compile."""
    size = f"{EDGE}x{EDGE}, {sum(found['labelled'].values())} labelled"
    right = float((seen == truth.data[DEPTH // 2]).mean())
    return [
        Row(name, size, "the first", times[0], "s"),
        Row(name, size, "after a stroke", statistics.median(times[2:]), "s"),
        Row(name, size, "voxels labelled rightly", 100 * right, "%"),
    ]


def painted(folder: Path) -> tuple[Path, fb.Volume, fb.Volume]:
    """Make a stack of large slices from copies of a small electrode, and paint 1 % of three slices."""
    electrode = fb.make_electrode((DEPTH, EDGE // 4, EDGE // 4), voxel_nm=100)
    volume = fb.make_volume(np.tile(electrode.grey.data, (1, 4, 4)), spacing=(100, 100, 100))
    truth = fb.with_data(volume, np.tile(electrode.truth.data, (1, 4, 4)))
    grey = folder / "grey.tif"
    fb.write_volume(volume, grey)
    return grey, truth, paint_labels(truth, slices=[DEPTH // 4, DEPTH // 2, 3 * DEPTH // 4], coverage=0.01)


def call(*words: str) -> None:
    run(["-P", "-m", "fijibridge.service.macro_call", *words])


def run(words: list[str]) -> None:
    subprocess.run([sys.executable, *words], check=True, capture_output=True)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median(work: Callable[[], object], times: int) -> float:
    return statistics.median(timed(work) for _ in range(times))


if __name__ == "__main__":
    main()
