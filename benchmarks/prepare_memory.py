"""How much memory `fijibridge prepare` takes on a stack larger than it may have.

A stack is made slice by slice (a noisy tile that drifts), the recipe runs in a process of its own, and the largest
private (anonymous) and resident memory is sampled while it runs. Resident memory counts pages of mapped files too,
which the system takes back when it needs them; private does not.

Without `--memory`, the system limits the private memory (RLIMIT_DATA), and steps go as they go. With it, the command is
given it, and nothing else limits the run; what the same command takes on the first slices alone is told beside it:
that is Python, its libraries and what they compiled, which `--memory` does not count.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from _rows import Row, versions, write_rows

from fijibridge.phantom.fibsem import Defects, make_fibsem

STEPS = ("align", "decurtain", "even_out", "smooth", "shear", "crop")
#: Slices that the command is tried on alone.
FEW = 16


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


def run(recipe: Path, out: Path, *, limit: int | None = None, memory: str | None = None) -> dict[str, float]:
    """Run the recipe, with limited private memory or told how much it may take; sample what it takes."""
    command = [str(Path(sys.executable).parent / "fijibridge"), "prepare", str(recipe), "-o", str(out), "--json"]
    began = time.perf_counter()
    process = subprocess.Popen([*command, *(["--memory", memory] if memory else [])], stdout=subprocess.DEVNULL)
    if limit is not None:
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (limit, limit))
    resident = private = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        except OSError:
            break
        held = {name: 1024 * int(size) for name, size in re.findall(r"^(VmRSS|RssAnon):\s+(\d+)", status, re.M)}
        resident, private = max(resident, held.get("VmRSS", 0)), max(private, held.get("RssAnon", 0))
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    return {"exit": process.wait(), "seconds": seconds, "resident": resident / 1e9, "private": private / 1e9}


def write_recipe(here: Path, name: str, steps: list[str]) -> Path:
    """Write a recipe with each step as its defaults have it."""
    text = f'input = "{name}.ome.tif"\n' + "".join(f'[[step]]\noperation = "{step}"\n' for step in steps)
    (here / f"{name}.toml").write_text(text, encoding="utf-8")
    return here / f"{name}.toml"


def measure(here: Path, given: argparse.Namespace, slices: int, side: int) -> tuple[str, dict[str, float]]:
    """Make the stack and run the command; give the size in words and what was measured."""
    size = make_stack(here / "stack.ome.tif", slices, side)
    limit = None if given.memory else int(given.limit_gb * 1e9)
    found = run(write_recipe(here, "stack", given.steps), here / "out", limit=limit, memory=given.memory)
    if given.memory:
        make_stack(here / "few.ome.tif", FEW, side)
        few = run(write_recipe(here, "few", given.steps), here / "few", memory=given.memory)
        found |= {"few slices": few["private"], "taken": found["private"] - few["private"]}
    if not found["exit"]:
        document = json.loads((here / "out" / "recipe.json").read_text(encoding="utf-8"))
        found |= {f"{step['operation']}_s": step["seconds"] for step in document["run"]["steps"]}
    within = f", --memory {given.memory}" if given.memory else ""
    return f"{slices}x{side}x{side} uint8, {size / 1e9:.2f} GB{within}", found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a stack of 0.07 GB, so that the script itself is tried")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", action="store_true", help="leave rows of other steps in the file")
    parser.add_argument("--limit-gb", type=float, default=1.6, help="private memory that the run may take")
    parser.add_argument("--memory", metavar="SIZE", help="give this to the command in place of the system's limit")
    parser.add_argument("--slices", type=int, default=512)
    parser.add_argument("--side", type=int, default=2048, help="pixels of a slice's side, a multiple of 256")
    parser.add_argument("--steps", nargs="+", default=list(STEPS))
    given = parser.parse_args()
    slices, side = (64, 1024) if given.quick else (given.slices, given.side)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        size, found = measure(Path(folder), given, slices, side)
    name = " ".join(given.steps)
    rows = [Row(name, size, metric, value, _unit(metric)) for metric, value in found.items()]
    print(f"{name}: {size}")
    for row in rows:
        print(f"{row.metric:>14} {row.value:10.2f} {row.unit}")
    write_rows(rows, given.json, versions("numpy", "tifffile"), keep=given.keep)


def _unit(metric: str) -> str:
    return "s" if metric == "seconds" or metric.endswith("_s") else "" if metric == "exit" else "GB"


if __name__ == "__main__":
    main()
