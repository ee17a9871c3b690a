"""Run the whole study on the phantoms, and write what it found as the study's section of a Markdown page.

    python benchmarks/study.py -o out/study --into docs/results.md     # runs what is missing, then writes
    python benchmarks/study.py -o out/study                            # prints the section
    python benchmarks/study.py --quick                                 # one small phantom, a minute at most
    python benchmarks/study.py --forests                               # why the study's forests are what they are

A run that was stopped goes on; `--no-run` takes the results that are there. What the run cost stands in
``out/study/cost.json``; the page says so where one run made all of it. `--json FILE` writes the numbers as rows.
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
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _rows import Row, versions, write_rows

from fijibridge.phantom.library import make_sample
from fijibridge.study.matrix import LEAF, MOST, TREES, Bench, paint_iteratively
from fijibridge.study.people import PEOPLE

BEGIN, END = "<!-- study -->", "<!-- end of study -->"
#: How the report sums methods up.
KINDS = {
    "simple": ("S1", "S2", "S3"),
    "watershed": ("gWS", "cWS"),
    "ML1-3": ("ML1", "ML2", "ML3"),
    "MLX10-65": ("MLX10", "MLX25", "MLX35", "MLX50", "MLX65"),
    "otsu": ("otsu",),
}


#: Forests beside the study's own: trees, voxels of a leaf, voxels of a class.
FORESTS = ((TREES, LEAF, MOST), (60, 1, MOST), (60, 1, 20_000), (60, LEAF, MOST), (TREES, 1, MOST))

#: What `--quick` runs.
QUICK = """\
name = "quick"
training_voxels = 2000
[[dataset]]
name = "NMC-1"
phantom = "NMC-1"
size = 64
"""


def study(out: Path, *arguments: str) -> None:
    """Run the command line, and write down beside its results what that cost."""
    found = len(list(out.glob("cells/*.json")))
    start = time.perf_counter()
    main_of_program = "from fijibridge.cli import main; main()"
    subprocess.run([sys.executable, "-c", main_of_program, "study", *arguments, "-o", str(out)], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {
        "wall_s": time.perf_counter() - start,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_gib": used.ru_maxrss / 2**20,
        "cells_found": found,
        "cells_made": len(list(out.glob("cells/*.json"))) - found,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    if cost["cells_made"]:
        (out / "cost.json").write_text(json.dumps(cost, indent=1), encoding="utf-8")


def quick_file(out: Path) -> str:
    """Write the study of one small phantom."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "quick.toml"
    file.write_text(QUICK, encoding="utf-8")
    return str(file)


def cost_words(out: Path) -> str:
    """Say what the run cost, where one run made everything."""
    try:
        cost = json.loads((out / "cost.json").read_text(encoding="utf-8"))
    except OSError:
        return ""
    if cost["cells_found"]:
        return "The run was resumed, so that no clock ran over the whole of it."
    wall, cpu = cost["wall_s"] / 60, cost["cpu_s"] / 60
    return (
        f"One run made all of it: {wall:.1f} minutes by the clock, {cpu:.1f} CPU minutes, at most "
        f"{cost['peak_gib']:.2f} GiB ({cost['cores']} cores, {cost['machine']}, Python {cost['python']})."
    )


def forests(size: int) -> Iterator[dict[str, Any]]:
    """Train forests of several sizes on what A and B painted for MLX25 on raw data, and hold them against the truth."""
    for name in ("NMC-2", "GRA-2"):
        sample = make_sample(name, size=size)
        bench = Bench(sample.grey, sample.truth)
        truth = np.asarray(sample.truth.data)
        painted = [paint_iteratively(bench, 0.25, PEOPLE[person]) for person in "AB"]
        for trees, leaf, most in FORESTS:
            found, start = [], time.process_time()
            for labels in painted:
                forest = bench.trainer.fit(labels, trees=trees, min_leaf=leaf, most=most)
                found.append(np.asarray(forest.predict(sample.grey).data))
            seconds = (time.process_time() - start) / len(found)
            right = statistics.mean(float((labels == truth).mean()) for labels in found)
            yield {"name": f"{name}, {trees} trees, leaves of {leaf}, {most} voxels of a class", "size": f"{size}^3",
                   "right": 100 * right, "seconds": seconds}  # fmt: skip


def forest_table(size: int) -> tuple[str, list[Row]]:
    """Give the table of `forests` and its rows."""
    found = list(forests(size))
    lines = [(entry["name"], f"{entry['right']:.2f}", f"{entry['seconds']:.1f}") for entry in found]
    units = {"right": "%", "seconds": "CPU s to train and label"}
    rows = [
        Row(entry["name"], entry["size"], metric, entry[metric], unit)
        for entry in found
        for metric, unit in units.items()
    ]
    return table(("forest", f"voxels right of {size}^3 (%)", "CPU s to train and label"), lines), rows


def section(results: dict[str, Any], out: Path) -> str:
    """Write the tables."""
    parts = [
        _runs(results),
        cost_words(out),
        _findings(results),
        _spread(results["groups"]),
        _distance(results["groups"]),
    ]
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
         f"{100 * p['sampling']:.1f}", f"{100 * p['bootstrap']:.1f}",
         "-" if p["truth"] is None else f"{100 * p['truth']:.1f}")
        for p in results["plus_minus"]
    ]  # fmt: skip
    heads = ("data set", "methods", "AM fraction (%)", "± 95 % (pp)", "of it: finite volume (pp, 1 sigma)",
             "the same by block bootstrap", "truth (%)")  # fmt: skip
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


def rows_of(results: dict[str, Any], out: Path) -> list[Row]:
    """Give what the run cost and each group's numbers as rows."""
    cost = json.loads((out / "cost.json").read_text(encoding="utf-8")) if (out / "cost.json").is_file() else {}
    units = {"wall_s": "s", "cpu_s": "s", "peak_gib": "GiB", "cells_found": "", "cells_made": ""}
    rows = [Row("the run", "", metric, cost[metric], unit) for metric, unit in units.items() if metric in cost]
    for group in results["groups"]:
        name = f"{group['dataset']}, {group['method']}, {'filtered' if group['filtered'] else 'raw'}"
        rows += [
            Row(name, "", metric, group[metric], "share of 1")
            for metric in ("mean", "std", "disagreement", "distance", "base_distance")
            if group[metric] is not None
        ]
    return rows


def replace_section(page: Path, text: str) -> None:
    """Replace the study's section of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="folder of the results (default out/study, or out/study-quick)")
    parser.add_argument("--into", type=Path, help="page whose study section is replaced")
    parser.add_argument("--no-run", action="store_true", help="take the results that are there")
    parser.add_argument("--quick", action="store_true", help="one small phantom (with --forests: small ones)")
    parser.add_argument("--forests", action="store_true", help="compare forests instead")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    return parser.parse_args()


def main() -> None:
    """Run what the options say."""
    chosen = options()
    measured = versions("numpy", "numba", "scikit-learn")
    if chosen.forests:
        text, rows = forest_table(64 if chosen.quick else 128)
    else:
        out = chosen.out or Path("out/study-quick" if chosen.quick else "out/study")
        if not chosen.no_run:
            study(out, quick_file(out) if chosen.quick else "--phantoms")
        results = json.loads((out / "results.json").read_text(encoding="utf-8"))
        text, rows, measured = section(results, out), rows_of(results, out), versions() | results["versions"]
    write_rows(rows, chosen.json, measured)
    if chosen.into is None:
        sys.stdout.write(text + "\n")
    else:
        replace_section(chosen.into, text)


if __name__ == "__main__":
    main()
