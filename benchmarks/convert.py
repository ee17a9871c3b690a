"""What `fijibridge convert` costs: a stack larger than it may hold, from TIFF to OME-Zarr, NRRD, HDF5, MRC and TIFF.

The stack (a noisy tile that drifts, uint16) is written slice by slice to an OME-TIFF in a scratch folder. Each row is
the real command as a process of its own; private (anonymous) and resident memory are sampled while it runs, and a row
counts only if the command says that it compared every voxel with what it reads back. Beside it stands what the
format's own package takes to do the same by hand, with the whole array in memory and without the comparison.

    python benchmarks/convert.py --json out/convert.json                # all of it
    python benchmarks/convert.py --only zarr --json out/convert.json    # one format; --json adds to what is there
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from _rows import Row, versions, write_rows
from scipy.ndimage import gaussian_filter

_SIDE, _TILE = 2048, 512
_PACKAGES = ("numpy", "tifffile", "zarr", "h5py", "pynrrd", "mrcfile", "numcodecs")
#: What a user would write by hand: {0} is read, {1} is written.
_READ = "import tifffile; a = tifffile.imread({0!r}); "
_PEERS = {
    "zarr": _READ + "import zarr; zarr.create_array({1!r}, data=a, chunks=(32, 256, 256))",
    "nrrd": _READ + "import nrrd; nrrd.write({1!r}, a, {{'encoding': 'raw'}}, index_order='C')",
    "h5": _READ + "import h5py; f = h5py.File({1!r}, 'w'); "
    "f.create_dataset('data', data=a, chunks=(16, 128, 128), compression='gzip', compression_opts=1, shuffle=True)",
    "mrc": _READ + "import mrcfile; mrcfile.write({1!r}, a)",
    "ome.tif": _READ + "tifffile.imwrite({1!r}, a, ome=True, bigtiff=True, photometric='minisblack')",
}


def make_stack(path: Path, slices: int) -> int:
    """Write a stack without ever holding it; give its bytes."""
    rng = np.random.default_rng(0)
    blobs = gaussian_filter(rng.normal(size=(_TILE, _TILE)).astype(np.float32), 6, mode="wrap")
    grey = np.where(blobs > 0, np.float32(38000), np.float32(23000))
    noise = [rng.normal(0, 300, grey.shape).astype(np.float32) for _ in range(8)]

    def planes():
        for z in range(slices):
            tile = np.roll(grey, (z, 2 * z), (0, 1)) + noise[z % len(noise)]
            yield np.tile(tile.astype(np.uint16), (_SIDE // _TILE, _SIDE // _TILE))

    meta = {"axes": "ZYX", **{f"PhysicalSize{axis}": 10 for axis in "XYZ"}}
    meta |= {f"PhysicalSize{axis}Unit": "nm" for axis in "XYZ"}
    with tifffile.TiffWriter(path, ome=True, bigtiff=True) as tiff:
        tiff.write(planes(), shape=(slices, _SIDE, _SIDE), dtype=np.uint16, metadata=meta, rowsperstrip=_SIDE)
    return slices * _SIDE * _SIDE * 2


def watched(command: list[str], log: Path) -> dict[str, float]:
    """Run a program; give seconds, CPU seconds, and the largest private and resident memory that it had."""
    began, private, resident = time.perf_counter(), 0, 0
    with log.open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        while True:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            except OSError:
                status = ""
            if "RssAnon:" in status:
                private = max(private, int(status.split("RssAnon:")[1].split()[0]) * 1024)
                resident = max(resident, int(status.split("VmRSS:")[1].split()[0]) * 1024)
            done, code, used = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{log.read_text()}")
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "private": private, "resident": resident}


def size_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def one(name: str, source: Path, size: int, peer: bool) -> list[Row]:
    """Convert to one format, ours or by hand; give the rows."""
    target, log = source.parent / f"out.{name}", source.parent / "log.txt"
    command = [str(Path(sys.executable).parent / "fijibridge"), "convert", str(source), str(target)]
    if peer:
        command = [sys.executable, "-c", _PEERS[name].format(str(source), str(target))]
    found = watched(command, log)
    checked = "every voxel compared" in log.read_text(encoding="utf-8")
    if not (checked or peer):
        raise SystemExit(f"the command does not say that it compared: {log.read_text(encoding='utf-8')}")
    written = size_of(target)
    shutil.rmtree(target, ignore_errors=True)
    target.unlink(missing_ok=True)
    figures = {
        "by the clock": (found["seconds"], "s"),
        "speed": (size / 1e9 / found["seconds"], "GB/s"),
        "CPU": (found["cpu"] / (size / 1e9), "s/GB"),
        "private memory": (found["private"] / 1e6, "MB"),
        "resident memory": (found["resident"] / 1e6, "MB"),
        "written": (written / 1e9, "GB"),
        "read back and compared": (int(checked), ""),
    }
    who = f"{name}, by hand" if peer else name
    size_text = f"{size / 1e9:.2f} GB"
    return [Row(who, size_text, metric, value, unit) for metric, (value, unit) in figures.items()]


def table(rows: list[Row]) -> str:
    """Lay out one line for each conversion."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    units = {row.metric: row.unit for row in rows}
    heads = [f"{metric}, {units[metric]}" if units[metric] else str(metric) for metric in metrics]
    lines = ["| TIFF to | size | " + " | ".join(heads) + " |", "|---|--:|" + "--:|" * len(metrics)]
    for name, size in dict.fromkeys((row.name, row.size) for row in rows):
        values = {row.metric: row.value for row in rows if (row.name, row.size) == (name, size)}
        cells = ["yes" if v else "no" for m, v in values.items() if not units[m]]
        numbers = [f"{v:.3g}" if v < 100 else f"{v:.0f}" for m, v in values.items() if units[m]]
        lines.append(f"| {name} | {size} | " + " | ".join(numbers + cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a stack of 0.13 GB, so that the script itself is tried")
    parser.add_argument("--json", type=Path, help="file for the rows; what is in it is kept")
    parser.add_argument("--gb", type=float, default=4.0, help="size of the stack")
    parser.add_argument("--only", nargs="+", choices=list(_PEERS), default=list(_PEERS), help="formats to write")
    parser.add_argument("--who", nargs="+", choices=["ours", "hand"], default=["ours", "hand"], help="whom to measure")
    parser.add_argument("--scratch", type=Path, default=Path(), help="folder for the stack and the results")
    given = parser.parse_args()
    slices = 16 if given.quick else max(1, round(given.gb * 1e9 / (2 * _SIDE * _SIDE)))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=given.scratch) as folder:
        source = Path(folder) / "stack.ome.tif"
        size = make_stack(source, slices)
        for name in given.only:
            for who in given.who:
                rows += one(name, source, size, who == "hand")
                write_rows(rows, given.json, versions(*_PACKAGES), keep=True)
    print(table(rows))


if __name__ == "__main__":
    main()
