"""Run the whole study on the phantoms, and write what it found as the study's section of a Markdown page.

    python benchmarks/study.py -o out/study --into docs/results.md     # runs what is missing, then writes
    python benchmarks/study.py -o out/study                            # prints the section
    python benchmarks/study.py --cost GRA-1                            # time and memory of one data set, raw

A run that was stopped goes on; `--no-run` takes the results that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- study -->", "<!-- end of study -->"
PAPER = ("S1", "S2", "S3", "gWS", "cWS", "ML1", "ML2", "ML3", "MLX10", "MLX25", "MLX35", "MLX50", "MLX65")
#: How the report sums methods up.
KINDS = {
    "simple": ("S1", "S2", "S3"),
    "watershed": ("gWS", "cWS"),
    "ML1-3": ("ML1", "ML2", "ML3"),
    "MLX10-65": ("MLX10", "MLX25", "MLX35", "MLX50", "MLX65"),
    "otsu": ("otsu",),
}


def study(*arguments: str) -> None:
    """Run the command line."""
    subprocess.run([sys.executable, "-c", "from fijibridge.cli import main; main()", "study", *arguments], check=True)


def cost(dataset: str) -> str:
    """Run the paper's methods for three users on one raw data set and say what it took."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "study.toml"
        methods = json.dumps(PAPER)
        file.write_text(f'inputs = ["raw"]\nmethods = {methods}\n[[dataset]]\nname = "a"\nphantom = "{dataset}"\n')
        start = time.perf_counter()
        study(str(file), "-o", folder)
        wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        f"{dataset}, raw, 200^3, {len(PAPER)} methods by 3 users: {wall:.0f} s by the clock, "
        f"{used.ru_utime + used.ru_stime:.0f} CPU seconds, at most {used.ru_maxrss / 2**20:.2f} GiB; "
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    )


def section(results: dict[str, Any]) -> str:
    """Write the tables."""
    parts = [_runs(results), _findings(results), _spread(results["groups"]), _distance(results["groups"])]
    parts += [_base(results["groups"]), _plus_minus(results), _left_out(results)]
    return "\n\n".join(part for part in parts if part)


def _runs(results: dict[str, Any]) -> str:
    rows = results["rows"]
    names = list(dict.fromkeys(row["dataset"] for row in rows))
    sizes = "^3, ".join(str(size) for size in sorted({entry["size"] for entry in results["study"]["dataset"]}))
    return (
        f"{len(rows)} segmentations of {', '.join(names)} ({sizes}^3 voxels of geometry each); everything here is "
        f"**simulated**, scans and users. fijibridge {results['versions']['fijibridge']}."
    )


def _findings(results: dict[str, Any]) -> str:
    words = {True: "holds", False: "**does not hold**", None: "cannot be told"}
    rows = [(f["text"], f["paper"], f["ours"], words[f["holds"]]) for f in results["findings"]]
    return "What the paper found:\n\n" + table(("finding", "paper", "ours, simulated", "verdict"), rows)


def _by_kind(groups: list[dict[str, Any]], value: str) -> Iterable[tuple[str, ...]]:
    places = list(dict.fromkeys((g["dataset"], g["filtered"]) for g in groups))
    for dataset, filtered in places:
        mine = [g for g in groups if (g["dataset"], g["filtered"]) == (dataset, filtered)]
        cells = [
            _mean([g[value] for g in mine if g["method"] in methods and g[value] is not None])
            for methods in KINDS.values()
        ]
        if any(cell != "-" for cell in cells):
            yield (dataset, "filtered" if filtered else "raw", *cells)


def _spread(groups: list[dict[str, Any]]) -> str:
    heads = ("data set", "input", *KINDS)
    return (
        "Sample standard deviation of the AM fraction over the users A, B, C (percentage points, mean over the methods "
        "of a kind):\n\n"
        + table(heads, _by_kind(groups, "std"))
        + "\n\nVoxels to which two users give different labels (%, mean over pairs and methods):\n\n"
        + table(heads, _by_kind(groups, "disagreement"))
    )


def _distance(groups: list[dict[str, Any]]) -> str:
    return (
        "Distance of the AM fraction to the exact truth (percentage points, mean over users and methods):\n\n"
        + table(("data set", "input", *KINDS), _by_kind(groups, "distance"))
    )


def _base(groups: list[dict[str, Any]]) -> str:
    rows = list(_by_kind(groups, "base_distance"))
    if not rows:
        return ""
    return "The same to the base truth from the prepared FIB-SEM stack:\n\n" + table(
        ("data set", "input", *KINDS), rows
    )


def _plus_minus(results: dict[str, Any]) -> str:
    rows = [
        (p["dataset"], p["methods"], f"{100 * p['fraction']:.1f}", f"{100 * p['plus_minus']:.1f}",
         f"{100 * p['sampling']:.1f}", "-" if p["truth"] is None else f"{100 * p['truth']:.1f}")
        for p in results["plus_minus"]
    ]  # fmt: skip
    heads = ("data set", "methods", "AM fraction (%)", "± 95 % (pp)", "of it: finite volume (pp, 1 sigma)", "truth (%)")
    return "One ± for the AM fraction of one such user with one such method:\n\n" + table(heads, rows)


def _left_out(results: dict[str, Any]) -> str:
    left = results["left_out"]
    return f"Not run ({len(left)}), for instance: {left[0]}" if left else ""


def _mean(values: list[float]) -> str:
    return f"{100 * statistics.mean(values):.1f}" if values else "-"


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Draw a Markdown table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def main() -> None:
    """Run what the options say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("out/study"))
    parser.add_argument("--into", type=Path, help="page whose study section is replaced")
    parser.add_argument("--no-run", action="store_true", help="take the results that are there")
    parser.add_argument("--cost", metavar="PHANTOM", help="measure one raw data set instead")
    chosen = parser.parse_args()
    if chosen.cost:
        sys.stdout.write(cost(chosen.cost) + "\n")
        return
    if not chosen.no_run:
        study("--phantoms", "-o", str(chosen.out))
    text = section(json.loads((chosen.out / "results.json").read_text(encoding="utf-8")))
    if chosen.into is None:
        sys.stdout.write(text + "\n")
        return
    page = chosen.into.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    chosen.into.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
