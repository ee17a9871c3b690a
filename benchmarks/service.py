"""How long people wait for the service: starting it, a macro's call, a job that does nothing, a preview while painting.

python benchmarks/service.py --json out/service.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fijibridge as fb
from fijibridge.service._http import ask
from fijibridge.service._launch import ensure
from fijibridge.service._state import Address, StateFolder
from fijibridge.study.annotators import paint_labels

#: Edge of the slices that are painted on, and how many there are.
EDGE, DEPTH = 1024, 48
STROKES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"FIJIBRIDGE_STATE": str(folder / "state"), "FIJIBRIDGE_FOLDERS": str(folder)}
        rows = dict(measure(folder))
    for what, seconds in rows.items():
        print(f"{what:64} {seconds:8.3f} s")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"rows": rows, "fijibridge": fb.__version__, "cores": os.cpu_count()}))


def measure(folder: Path) -> list[tuple[str, float]]:
    """Time one thing after another on one service."""
    state = StateFolder(folder / "state")
    rows = [("service started and answering", timed(lambda: ensure(state)))]
    address = ensure(state)
    try:
        time.sleep(10)  # the worker and the table of operations load meanwhile
        rows.append(("macro call that asks for the status", median(lambda: call("status"), 9)))
        rows.append(("python -c pass, for comparison", median(lambda: run(["-c", "pass"]), 9)))
        rows += jobs(address, folder)
        rows += previews(address, folder)
    finally:
        ask(address, "POST", "/api/stop")
    return rows


def jobs(address: Address, folder: Path) -> list[tuple[str, float]]:
    """Time a job that hardly computes anything."""
    small = folder / "small.tif"
    fb.write_volume(fb.make_volume(np.zeros((4, 8, 8), np.uint8), spacing=(1, 1, 1)), small)

    def job() -> None:
        body = {"operation": "crop", "parameters": {"box": [0, 2, 0, 2, 0, 2]}, "inputs": {"volume": str(small)}}
        number = ask(address, "POST", "/api/jobs", body)["id"]
        while ask(address, "GET", f"/api/jobs/{number}")["state"] in ("queued", "running"):
            time.sleep(0.002)

    job()
    return [("job that crops 4x8x8 voxels, asked for and done", median(job, 9))]


def previews(address: Address, folder: Path) -> list[tuple[str, float]]:
    """Paint on one slice stroke by stroke and time what the painter waits for."""
    grey, labels = painted(folder)
    opened = ask(address, "POST", "/api/sessions", {"volume": str(grey)}, timeout_s=600)
    path = folder / "labels.tif"
    times, thinned = [], []
    for most, into in ((3000, times), (20_000, thinned)):
        for stroke in range(STROKES + 2):
            labels.data[DEPTH // 2, 40 + 30 * stroke : 44 + 30 * stroke, 200 + most // 40 : 420 + most // 40] = 1
            fb.write_volume(labels, path)
            body = {"labels": str(path), "slice": DEPTH // 2, "most": most}
            into.append(timed(lambda body=body: ask(address, "POST", f"/api/sessions/{opened['id']}/preview", body)))
    voxels = int((labels.data > 0).sum())
    return [
        (f"first preview, {voxels} labelled voxels (loads, compiles)", times[0]),
        (f"preview of a {EDGE}x{EDGE} slice after a stroke", statistics.median(times[2:])),
        ("the same, trained on all labels (up to 20000 of a class)", statistics.median(thinned[2:])),
    ]


def painted(folder: Path) -> tuple[Path, fb.Volume]:
    """Make a stack of large slices from copies of a small electrode, and paint 1 % of three slices."""
    electrode = fb.make_electrode((DEPTH, EDGE // 4, EDGE // 4), voxel_nm=100)
    volume = fb.make_volume(np.tile(electrode.grey.data, (1, 4, 4)), spacing=(100, 100, 100))
    truth = fb.with_data(volume, np.tile(electrode.truth.data, (1, 4, 4)))
    grey = folder / "grey.tif"
    fb.write_volume(volume, grey)
    return grey, paint_labels(truth, slices=[DEPTH // 4, DEPTH // 2, 3 * DEPTH // 4], coverage=0.01)


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
