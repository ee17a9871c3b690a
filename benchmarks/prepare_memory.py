"""How much memory `fijibridge prepare` takes on a stack larger than it may have.

A stack is made slice by slice (a noisy tile that drifts), the recipe runs in a process of its own whose private memory
the system limits (RLIMIT_DATA), and the largest private (anonymous) and resident memory is sampled while it runs.
Resident memory counts pages of mapped files too, which the system takes back when it needs them; private does not.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import tifffile

import fijibridge as fb
from fijibridge.phantom.fibsem import Defects, make_fibsem

STEPS = ("align", "decurtain", "even_out", "smooth", "shear", "crop")


def make_stack(path: Path, slices: int, side: int) -> int:
    """Write a stack of shifted tiles without ever holding it; give its bytes."""
    flaws = Defects(drift=1.0, jumps=0, outliers=0, missing=0)
    small = make_fibsem((24, 256, 256), defects=flaws, diameter_um=2.0).volume.data
    times = side // 256

    def planes():
        for z in range(slices):
            # There and back again, so that neighbours always look alike.
            yield np.tile(small[min(z % 46, 46 - z % 46) if z % 46 else 0], (times, times))

    with tifffile.TiffWriter(path, ome=True, bigtiff=True) as tiff:
        meta = {"axes": "ZYX", **{f"PhysicalSize{axis}": 50 for axis in "XYZ"}}
        meta |= {f"PhysicalSize{axis}Unit": "nm" for axis in "XYZ"}
        tiff.write(planes(), shape=(slices, side, side), dtype=np.uint8, metadata=meta, rowsperstrip=side)
    return slices * side * side


def run(recipe: Path, out: Path, limit: int) -> dict[str, float]:
    """Run the recipe in a process with limited private memory; sample what it takes."""
    command = [str(Path(sys.executable).parent / "fijibridge"), "prepare", str(recipe), "-o", str(out), "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    resource.prlimit(process.pid, resource.RLIMIT_DATA, (limit, limit))
    watched, resident, private = psutil.Process(process.pid), 0, 0
    while process.poll() is None:
        try:
            memory = watched.memory_info()
            resident, private = max(resident, memory.rss), max(private, memory.rss - memory.shared)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    seconds = time.perf_counter() - began
    return {"exit": process.wait(), "seconds": seconds, "resident_gb": resident / 1e9, "private_gb": private / 1e9}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a stack of 0.07 GB, so that the script itself is tried")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit-gb", type=float, default=1.6, help="private memory that the run may take")
    parser.add_argument("--steps", nargs="+", default=list(STEPS))
    given = parser.parse_args()
    slices, side = (64, 1024) if given.quick else (512, 2048)
    rows = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        here = Path(folder)
        size = make_stack(here / "stack.ome.tif", slices, side)
        text = 'input = "stack.ome.tif"\n' + "".join(f'[[step]]\noperation = "{name}"\n' for name in given.steps)
        (here / "recipe.toml").write_text(text, encoding="utf-8")
        found = run(here / "recipe.toml", here / "out", int(given.limit_gb * 1e9))
        steps = {}
        if not found["exit"]:
            document = json.loads((here / "out" / "recipe.json").read_text(encoding="utf-8"))
            steps = {step["operation"]: step["seconds"] for step in document["run"]["steps"]}
        name = " ".join(given.steps)
        for metric, value in (found | {f"{step}_s": seconds for step, seconds in steps.items()}).items():
            unit = {"resident_gb": "GB", "private_gb": "GB", "exit": "", "seconds": "s"}.get(metric, "s")
            rows.append({"name": name, "size": f"{size / 1e9:.2f} GB", "metric": metric, "value": value, "unit": unit})
    for row in rows:
        print(f"{row['metric']:>14} {row['value']:10.2f} {row['unit']}")
    if given.json:
        versions = {"fijibridge": fb.__version__, "numpy": np.__version__, "tifffile": tifffile.__version__}
        given.json.write_text(json.dumps({"rows": rows, "versions": versions}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
