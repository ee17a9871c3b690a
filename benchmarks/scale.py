"""What a voxel costs, block by block, from 128^3 to 2048 x 2048 x 1024 voxels, and what 10^12 voxels would.

The volumes are made block by block while they are read and are never stored; the results go into a scratch OME-Zarr
that is deleted. Each row is a program of its own. CPU time is that of the program and its workers from the moment that
all of them are started; memory is what is private to them (resident less shared), sampled, all together.

    python benchmarks/scale.py --json out/scale.json          # all of it takes an hour on two cores
    python benchmarks/scale.py --only forest --sizes 512      # a part of it; --json adds to what is in the file
    python benchmarks/scale.py --plan out/scale.json          # the plan for 10^12 voxels, from the figures in the file
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _rows import Row, read_rows, versions, write_rows
from _scale_data import lazy, tile
from scipy.ndimage import gaussian_filter

import fijibridge as fb
from fijibridge.blocks import apply_blocks, crew, predict_blocks
from fijibridge.forest import Forest
from fijibridge.volume import make_volume

SIZES = {"128": (128,) * 3, "256": (256,) * 3, "512": (512,) * 3, "1024": (1024,) * 3, "2048": (1024, 2048, 2048)}
#: Of the largest volume, the forest labels a slab: the whole would take half an hour on two cores.
SLAB = (64, 2048, 2048)
NAMES = ("smooth", "threshold", "forest")
_PACKAGES = ("dask", "distributed", "zarr", "numpy", "scipy", "numba")


def forest() -> Forest:
    """Train the default forest on one slice of the tile."""
    grey = tile()
    truth = np.where(gaussian_filter(grey.astype(np.float32), 2) > 120, 1, 2).astype(np.uint8)
    truth[np.arange(grey.shape[0]) != 30] = 0
    truth[:, ::2] = 0
    sized = {"spacing": (10, 10, 10), "units": "nm"}
    return fb.train(make_volume(grey, **sized), make_volume(truth, **sized))


def tree() -> list[psutil.Process]:
    """Give this program and its workers."""
    return [psutil.Process(), *psutil.Process().children(recursive=True)]


def cpu_seconds() -> float:
    return sum(sum(process.cpu_times()[:2]) for process in tree())


class Memory(threading.Thread):
    """Samples the private memory of this program and its workers."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._stop_it = 0, threading.Event()
        self._tree = tree()

    def now(self) -> int:
        found = 0
        for process in self._tree:
            try:
                memory = process.memory_info()
                found += memory.rss - memory.shared
            except psutil.NoSuchProcess:
                continue
        return found

    def run(self) -> None:
        # Processes that come later are none that work; to look for them takes longer than to ask those that are there.
        while not self._stop_it.wait(0.05):
            self.peak = max(self.peak, self.now())

    def stop(self) -> int:
        self._stop_it.set()
        self.join()
        return self.peak


def one(
    name: str, shape: tuple[int, ...], workers: int, memory: int, scratch: Path, *, stored: bool
) -> dict[str, float]:
    """Do one run in this process; `workers` 0 is this process by itself, with its threads."""
    volume, model = lazy(shape), forest() if name == "forest" else None
    tile()
    if stored:
        fb.write_volume(volume, scratch / "in.zarr")
        volume = fb.read_volume(scratch / "in.zarr", mmap=True)
    seen: dict[str, Any] = {}

    def look(_share: float) -> None:
        plans = list(scratch.glob(".*.blocks/blocks.json"))
        if plans and not seen:
            seen.update(json.loads(plans[0].read_text(encoding="utf-8")))

    given = {"memory": memory, "scheduler": "processes" if workers else None, "key": f"tiles {shape}",
             "coarser": False, "progress": look}  # fmt: skip
    with crew("processes" if workers else None, workers or None) as people:
        if people.client is not None:
            people.client.run(tile)
        watch, before = Memory(), cpu_seconds()
        at_start = watch.now()
        watch.start()
        start = time.perf_counter()
        if model is not None:
            predict_blocks(model, volume, scratch / "out.zarr", **given)
        else:
            apply_blocks(name, volume, scratch / "out.zarr", **given)
        seconds, used = time.perf_counter() - start, cpu_seconds() - before
        peak = watch.stop()
    written = sum(path.stat().st_size for path in (scratch / "out.zarr").rglob("*") if path.is_file())
    voxels = float(np.prod(shape))
    return {
        "cpu_ns_per_voxel": 1e9 * used / voxels, "seconds": seconds, "peak_mb": peak / 1e6,
        "over_start_mb": (peak - at_start) / 1e6, "planned_mb": seen.get("bytes", 0) / 1e6,
        "read_per_voxel": _read(name, shape, seen, model), "written_per_voxel": written / voxels,
    }  # fmt: skip


def _read(name: str, shape: tuple[int, ...], plan: dict[str, Any], model: Forest | None) -> float:
    """Give how often a voxel is read, from a block in the middle."""
    starts = [size // part // 2 * part if size > part else 0 for size, part in zip(shape, plan["block"], strict=True)]
    box = tuple(slice(a, min(a + n, s)) for a, n, s in zip(starts, plan["block"], shape, strict=True))
    inner = np.prod([part.stop - part.start for part in box])
    if model is not None:
        return float(np.prod([part.stop - part.start for part in model.needs(box, shape)]) / inner)
    outer = [min(p.stop + r, s) - max(p.start - r, 0) for p, r, s in zip(box, plan["reach"], shape, strict=True)]
    # The histogram first, then the mask.
    return float(np.prod(outer) / inner) * (2 if name == "threshold" else 1)


def measure(name: str, size: str, workers: int, given: argparse.Namespace) -> list[Row]:
    """Do one run in a program of its own."""
    shape = SLAB if (name, size) == ("forest", "2048") else SIZES[size]
    with tempfile.TemporaryDirectory(dir=given.scratch) as folder:
        if shutil.disk_usage(folder).free < 2 * np.prod(shape):
            print(f"{name} {size}: left out, the disk has no room for it")
            return []
        sizes, memory = ",".join(map(str, shape)), str(int(given.memory_gb * 1e9))
        order = [name, sizes, str(workers), memory, folder, str(given.stored)]
        done = subprocess.run([sys.executable, __file__, "--one", *order], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    what, who = name + " of a stored volume" * given.stored, f"{workers} workers" if workers else "one process"
    who = f"{what}, {who}"
    words = " x ".join(map(str, shape))
    memory = (
        f"{found['peak_mb']:.0f} MB, {found['over_start_mb']:.0f} over the start, planned {found['planned_mb']:.0f}"
    )
    moved = f"read {found['read_per_voxel']:.2f}, written {found['written_per_voxel']:.2f}"
    speed = f"{found['cpu_ns_per_voxel']:8.1f} ns/voxel {found['seconds']:7.1f} s"
    print(f"{who:>40} {words:>18} {speed}  {memory}, {moved}", flush=True)
    unit = {"cpu_ns_per_voxel": "ns", "seconds": "s", "read_per_voxel": "", "written_per_voxel": "bytes"}
    return [Row(who, words, metric, value, unit.get(metric, "MB")) for metric, value in found.items()]


def plan(rows: list[dict[str, Any]], voxels: float, cores: int, price: float) -> list[str]:
    """Extrapolate from the largest volume that was done with a worker on each core of this machine.

    A core is taken to be busy from the start to the end of a run, also where it waited: that is what has to be paid.
    """
    lines = [
        f"{voxels:.0e} voxels of one byte on {cores} cores, at {price:g} per core-hour (an example):", "",
        "| | measured on | ns of a core a voxel | core-hours | hours | memory, GB | read, TB | written, TB "
        "| disks, GB/s | cost |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    here = cpu_count()
    for name in NAMES:
        mine = [row for row in rows if row["name"] == f"{name}, {here} workers"]
        if not mine:
            continue
        size = max((row["size"] for row in mine), key=lambda text: np.prod([int(n) for n in text.split(" x ")]))
        found = {row["metric"]: row["value"] for row in mine if row["size"] == size}
        each = found["seconds"] * here / np.prod([int(n) for n in size.split(" x ")])
        core_hours = each * voxels / 3600
        read, written = (found[f"{way}_per_voxel"] * voxels / 1e12 for way in ("read", "written"))
        lines.append(
            f"| {name} | {size} | {each * 1e9:.0f} | {core_hours:,.1f} | {core_hours / cores:.2f} "
            f"| {found['peak_mb'] / here * cores / 1e3:,.0f} | {read:.2f} | {written:.2f} "
            f"| {1000 * (read + written) / (core_hours / cores * 3600):,.1f} | {core_hours * price:,.2f} |"
        )
    return lines


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Show cost and time by size, and the memory and reading of the largest."""
    voxels = {size: np.prod([int(n) for n in size.split(" x ")]) for size in {row["size"] for row in rows}}
    sizes = sorted(voxels, key=lambda size: voxels[size])
    found = {(row["name"], row["size"], row["metric"]): row["value"] for row in rows}
    lines = [
        f"| ns/voxel (s) | {' | '.join(sizes)} | MB over the start | planned | read |",
        f"|---|{'--:|' * (len(sizes) + 3)}",
    ]
    for name in sorted({row["name"] for row in rows}, key=_order):
        cells = [_cell(found, name, size) for size in sizes]
        largest = max((size for size in sizes if (name, size, "seconds") in found), key=lambda size: voxels[size])
        over, planned, read = (found[name, largest, key] for key in ("over_start_mb", "planned_mb", "read_per_voxel"))
        words = name.replace(" 1 workers", " 1 worker")
        lines.append(f"| {words} | {' | '.join(cells)} | {over:.0f} | {planned:.0f} | {read:.2f} |")
    return lines


def _order(name: str) -> tuple[str, bool, str]:
    what, who = name.split(", ")
    return what, who != "one process", who


def _cell(found: dict[tuple[str, str, str], float], name: str, size: str) -> str:
    if (name, size, "seconds") not in found:
        return ""
    return f"{found[name, size, 'cpu_ns_per_voxel']:.0f} ({found[name, size, 'seconds']:.1f})"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="128^3 only, in one process and on two workers")
    parser.add_argument("--json", type=Path, help="rows are added to those in the file")
    parser.add_argument(
        "--plan", type=Path, metavar="JSON", help="print a table of figures measured before, and the plan"
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 1, 2, 4], help="0 = one process, no scheduler")
    parser.add_argument("--memory-gb", type=float, default=2.0, help="for the blocks of all workers together")
    parser.add_argument("--scratch", type=Path, default=Path())
    parser.add_argument("--voxels", type=float, default=1e12, help="of the plan")
    parser.add_argument("--cores", type=int, default=100, help="of the plan")
    parser.add_argument("--price", type=float, default=0.05, help="of a core-hour, in the plan")
    parser.add_argument("--stored", action="store_true", help="read it from an OME-Zarr that is written before")
    parser.add_argument("--one", nargs=6, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quick:
        given.sizes, given.workers = ["128"], [0, 2]
    return given


def main() -> None:
    given = arguments()
    if given.one:
        name, shape, workers, memory, scratch, stored = given.one
        sizes = tuple(map(int, shape.split(",")))
        found = one(name, sizes, int(workers), int(memory), Path(scratch), stored=stored == "True")
        print(json.dumps(found))
        return
    if given.plan:
        rows = read_rows(given.plan)
        print("\n".join([*table(rows), "", *plan(rows, given.voxels, given.cores, given.price)]))
        return
    for size in given.sizes:
        for name in given.only:
            for workers in given.workers:
                # Written down at once: all of them together take an hour.
                write_rows(measure(name, size, workers, given), given.json, versions(*_PACKAGES), keep=True)


if __name__ == "__main__":
    main()
