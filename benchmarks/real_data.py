"""Run `fijibridge compare` on real images and on grey levels rendered from a real geometry, and print the tables.

    python benchmarks/real_data.py --data ../shared/data -o out/real --json out/real/rows.json

Each data set that is not in the folder is left out, and said so. `--quick` takes smaller pieces.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from _rows import Row, versions, write_rows

import fijibridge as fb
from fijibridge.phantom import simulate_scan
from fijibridge.study.annotators import paint_labels
from fijibridge.volume import Volume, make_volume, with_data


class Case(NamedTuple):
    """One comparison: the inputs, further options of the command line, and a line about them."""

    name: str
    volume: Volume
    labels: Volume
    truth: Volume
    options: list[str]
    note: str


def sandstone(folder: Path, quick: bool) -> Case:
    """Lab X-ray CT, five slices 50 apart: six painted strips on the first, scored on the other four."""
    files = sorted((folder / "dev").glob("Sandstone_Versa????.tif"))
    grey = np.stack([tifffile.imread(file) for file in files])
    # The masks are in colour: blue is pore and outside, red quartz, green and yellow other minerals.
    masks = np.stack([tifffile.imread(file.with_name(f"{file.stem}_mask.tif")) for file in files])
    phases = np.where(masks[..., 2] == 0, np.uint8(1), np.uint8(2))
    if quick:
        grey, phases = grey[:, 300:700, 300:700], phases[:, 300:700, 300:700]
    painted, truth = np.zeros_like(phases), phases.copy()
    for y in np.linspace(0, phases.shape[1] - 6, 8).astype(int)[1:-1]:
        painted[0, y : y + 6] = phases[0, y : y + 6]
    truth[0] = 0
    spacing = (50 * 2.2315, 2.2315, 2.2315)
    volumes = (make_volume(data, spacing=spacing, units="um") for data in (grey, painted, truth))
    note = (
        "X-ray CT of sandstone; 1 = solid, 2 = pore and outside. Labels: six strips of slice 0; truth: the other four."
    )
    return Case("sandstone", *volumes, ["--slicewise"], note)


def superalloy(folder: Path, quick: bool) -> Case:
    """SEM micrograph with its authors' scribbles and full truth, three classes."""
    number = {0: 0, 85: 1, 170: 2, 255: 3}
    lookup = np.array([number.get(value, 0) for value in range(256)], np.uint8)
    grey = tifffile.imread(folder / "0.tif")[None]
    painted, truth = (lookup[tifffile.imread(folder / f"0_{name}.tif")][None] for name in ("labels", "ground_truth"))
    volumes = (make_volume(data, units="voxel") for data in (grey, painted, truth))
    return Case(
        "isb", *volumes, [], "SEM micrograph, three classes, labels: the scribbles that came with it (1 % of it)."
    )


def cathode(folder: Path, quick: bool) -> Case:
    """Simulated grey levels over the real geometry of an NMC cathode: exact truth."""
    size = 96 if quick else 160
    phases = tifffile.imread(folder / "nmc-1-cal_generatedCBD_bridge.tif")[:size, :size, :size]
    geometry = make_volume(phases, spacing=(397, 397, 397))
    truth = with_data(geometry, np.where(phases == 1, np.uint8(1), np.uint8(2)))
    labels = paint_labels(truth, slices=[size // 5, size // 2, 4 * size // 5], coverage=0.05)
    note = "Real NMC geometry; grey levels, blur, noise and rings are **simulated**; labels by a simulated user."
    return Case("nmc-rendered", simulate_scan(geometry), labels, truth, [], note)


CASES = {"sandstone_versa_xct": sandstone, "isb_scribble_truth": superalloy, "nmc_segmented_volumes": cathode}


def cases(data: Path, quick: bool) -> Iterator[Case]:
    """Give every case whose data are there."""
    for name, make in CASES.items():
        if (data / name).is_dir():
            yield make(data / name, quick)
        else:
            print(f"{name} is not in {data}: left out", file=sys.stderr)


def run(case: Case, out: Path) -> dict:
    """Write the inputs, run the command line on them, and give its results.json."""
    folder = out / case.name
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("volume", "labels", "truth"):
        fb.write_volume(getattr(case, name), folder / f"{name}.tif")
    command = ["compare", "volume.tif", "--labels", "labels.tif", "--truth", "truth.tif", "-o", "."]
    command += ["--dataset", case.name, *case.options]
    subprocess.run(
        [Path(sys.executable).parent / "fijibridge", *command], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def table(case: Case, result: dict) -> str:
    """Write one case as Markdown."""
    labels = sorted(result["rows"][0]["fractions"])
    head = ["method", "engine", "input", *(f"fraction {k} (%)" for k in labels), "error 1 (pp)"]
    head += [*(f"IoU {k}" for k in labels), "accuracy (%)"]
    lines = [f"### {case.name}", "", case.note, "", f"`{result['command']}`", ""]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * 3 + "--:|" * (len(head) - 3)]
    for row in result["rows"]:
        cells = [
            row["method"],
            "ImageJ" if row["engine"] == "fiji" else "Python",
            "filtered" if row["filtered"] else "raw",
        ]
        cells += [f"{100 * row['fractions'][k]:.2f}" for k in labels]
        cells.append(f"{100 * row['fraction_errors'][labels[0]]:+.2f}")
        cells += [f"{row['iou_by_class'][k]:.4f}" for k in labels]
        lines.append("| " + " | ".join([*cells, f"{100 * row['accuracy']:.2f}"]) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/real"), help="folder for inputs and reports")
    parser.add_argument("--json", type=Path, help="write all rows there")
    parser.add_argument("--quick", action="store_true", help="smaller pieces, under a minute")
    given = parser.parse_args()
    rows, measured = [], {}
    for case in cases(given.data, given.quick):
        result = run(case, given.out)
        print(table(case, result))
        rows += [
            Row(f"{row['method']}-{row['engine']}-{'filtered' if row['filtered'] else 'raw'}", case.name,
                metric, row[metric], "1")
            for row in result["rows"] for metric in ("iou", "dice", "accuracy")
        ]  # fmt: skip
        measured = result["versions"]
    write_rows(rows, given.json, versions() | measured)


if __name__ == "__main__":
    main()
