"""The memory that was said beforehand is kept: measured on a program of its own, as the system counts it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import psutil
import pytest
from scipy import ndimage

import fijibridge as fb
from fijibridge.blocks import source_of
from fijibridge.io.layers import Layers
from fijibridge.pipeline._way import Way
from fijibridge.prepare.figures import orthoslices
from fijibridge.prepare.measure import stripe_spectrum

#: Enough for slices of 256 x 256 pixels; the stack's voxels alone take more, and the forest wants more to start with.
MEMORY, OF_A_FOREST = 80_000_000, 200_000_000
#: Of the whole command, and what the C library keeps of freed memory, which differs from run to run.
OF_A_RUN, FREED = 100_000_000, 16_000_000
#: What goes block by block on the native engine: operations that are not in the recipe below, those of which the
#: smallest part of the work is their own, and the forest; with the slices that take a few seconds at most.
CALLS = {
    "smooth": ({"sigma": 0.8}, 400, MEMORY),
    "threshold": ({}, 400, MEMORY),
    "fill_pores": ({"phase": 1}, 400, MEMORY),
    "shear": ({"angle_deg": 80.0}, 160, MEMORY),
    "watershed": ({"low": 90.0, "high": 130.0, "flood": "slices"}, 80, MEMORY),
    "predict": ({}, 48, OF_A_FOREST),
}
#: Runs all of them in that memory, each after a small run that loads and compiles whatever that is done once for.
PROGRAM = """
import ctypes, gc, json, re, sys
from pathlib import Path
import numpy as np
import fijibridge as fb
from fijibridge.blocks import apply_blocks, predict_blocks
calls, folder = json.loads(sys.argv[1]), Path(sys.argv[2])

def held(line):
    return 1024 * int(re.search(rf"{line}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def forest():
    few = fb.read_volume(folder / "stack.tif")[:16]
    marks = np.where(few.data > 130, 1, np.where(few.data < 90, 2, 0)).astype(np.uint8)
    return fb.train(few, fb.with_data(few, marks), trees=2)

def work(name, volume, out, memory, parameters):
    if name == "predict":
        predict_blocks(trained, volume, folder / out, memory=memory)
    else:
        apply_blocks(name, volume, folder / out, memory=memory, **parameters)

trained, taken = forest(), {}
for name, (parameters, slices, memory) in calls.items():
    file = folder / ("labels.tif" if name == "fill_pores" else "stack.tif")
    work(name, fb.read_volume(file)[:24], "small.zarr", 10 * memory, parameters)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the largest so far
    before = held("VmRSS")
    work(name, fb.read_volume(file, mmap=True)[:slices], f"{name}.zarr", memory, parameters)
    taken[name] = held("VmHWM") - before
print(json.dumps(taken))
"""
RECIPE = """
input = "INPUT"
[[step]]
operation = "smooth"
sigma = 0.8
[[step]]
operation = "align"
[[step]]
operation = "decurtain"
strength = 0.7
kind = "offset"
[[step]]
operation = "even_out"
[[step]]
operation = "resample"
size = [20, 12, 12]
[[step]]
operation = "watershed"
low = 90
high = 130
[[step]]
operation = "fill_pores"
[[step]]
operation = "crop"
"""
#: What every step goes by blocks in on the small stack, so that whatever that needs is loaded once.
OF_A_SMALL_RUN = 74_000_000
#: The command itself on one recipe after the other, with a line before each but the first, and room given back.
COMMAND = """
import ctypes, sys
from fijibridge.cli import main
for memory, recipe in zip(sys.argv[1::2], sys.argv[2::2]):
    sys.argv = ["fijibridge", "prepare", recipe, "-o", recipe + ".out", "--memory", memory]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    ctypes.CDLL(None).malloc_trim(0)
    print("READY", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a stack of 105 MB of drifting, streaky slices, labels of it, and a small stack."""
    rng = np.random.default_rng(0)
    slab = ndimage.gaussian_filter(rng.normal(0, 1, (25, 256, 256)), 3.0, mode="wrap")
    slab = (110 + 400 * slab + rng.normal(0, 6, (1, 1, 256))).clip(1, 255).astype(np.float32)
    # There and back, so that neighbours are alike throughout.
    stack = np.concatenate([slab, slab[::-1]] * 8)
    where, grid = tmp_path_factory.mktemp("memory"), {"spacing": (20.0, 10.0, 10.0), "units": "nm"}
    fb.write_volume(fb.make_volume(stack, **grid), where / "stack.tif")
    fb.write_volume(fb.make_volume((stack > 100).astype(np.uint8), **grid), where / "labels.tif")
    fb.write_volume(fb.make_volume(stack[:64], **grid), where / "small.tif")
    return where


@pytest.fixture(scope="module")
def taken(folder: Path) -> dict[str, int]:
    """Run all operations in one program, and give the bytes that each took beyond what the program had before."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(CALLS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", CALLS)
def test_an_operation_keeps_within_the_memory_given(taken: dict[str, int], name: str) -> None:
    """What a cluster's queue was asked for must do: a job that takes more is ended without a word."""
    assert taken[name] <= CALLS[name][2]


def test_the_whole_of_prepare_keeps_within_the_memory_given(folder: Path) -> None:
    """Reading, hashing, the steps and their files, the last volume, the report's pictures: all of it is the command."""
    for name in ("small", "stack"):
        (folder / f"{name}.toml").write_text(RECIPE.replace("INPUT", f"{name}.tif"), encoding="utf-8")
    small, large = (str(folder / f"{name}.toml") for name in ("small", "stack"))
    command = [sys.executable, "-c", COMMAND, f"{OF_A_SMALL_RUN}", small, f"{OF_A_RUN}", large]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (folder / "said").open("w") as said, subprocess.Popen(command, stderr=said, **pipes) as process:  # type: ignore[call-overload]
        while "READY" not in (line := process.stdout.readline()) and line:
            pass
        start = peak = _private(process.pid)
        process.stdin.write("\n")
        process.stdin.close()
        while process.poll() is None:
            peak = max(peak, _private(process.pid))
            time.sleep(0.002)
    told = re.findall(r"step (\d): \w+: (\d+) blocks", (folder / "said").read_text(encoding="utf-8"))
    assert process.returncode == 0
    assert [number for number, _ in told[-8:]] == list("12345678")
    assert peak - start <= OF_A_RUN + FREED, f"{peak - start} over {start}"


def test_slices_of_chunks_are_held_as_few_at_a_time_as_fit(tmp_path: Path) -> None:
    """Chunks are 32 slices deep: of slices of 8000 x 8000 pixels these alone would take 4 GB."""
    volume = fb.make_volume(np.random.default_rng(0).integers(0, 99, (40, 64, 64), np.uint16))
    fb.write_volume(volume, tmp_path / "stack.zarr")
    read = Way(tmp_path, memory=8 * 3 * 64 * 64 * 2).read(fb.read_volume(tmp_path / "stack.zarr", mmap=True))
    assert source_of(read).depth == 3
    np.testing.assert_array_equal(np.stack([read.data[z] for z in range(40)]), volume.data)


def test_the_report_takes_little_more_than_what_it_shows() -> None:
    """Its pictures are small; drawn or measured whole, slices of 8000 x 8000 pixels would take gigabytes."""
    large = fb.make_volume(np.broadcast_to(np.arange(4000, dtype=np.uint16), (8, 4000, 4000)), spacing=(20, 10, 10))
    tracemalloc.start()
    try:
        orthoslices(large, large).savefig(io.BytesIO())
        drawn = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        spectrum = stripe_spectrum(large)
        measured = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert drawn < 4 * large[0].nbytes
    assert measured < 80 * 2048**2
    assert np.isfinite(spectrum.stripes).all()


def _private(pid: int) -> int:
    """Give the bytes of a process that are no file's: pages of mapped files go when the system wants them."""
    try:
        found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    except (OSError, psutil.Error):
        return 0
    return 1024 * int(found[1]) if found else 0


def test_a_volume_on_disk_stays_there() -> None:
    """Who asks for the data, a slice or the shape must not get all of it read by the way."""
    read: list[object] = []

    class Counted:
        shape, dtype = (4, 5, 6), np.dtype(np.uint8)

        def __getitem__(self, key: object) -> object:
            read.append(key)
            return np.zeros(self.shape, self.dtype)[key]  # type: ignore[call-overload]

    volume = fb.make_volume(Layers(Counted(), 2))
    assert (volume.data.shape, fb.with_data(volume, volume.data).dtype) == ((4, 5, 6), np.uint8)
    assert not read
    assert [volume.data[z].shape for z in range(4)] == [(5, 6)] * 4
    assert read == [slice(0, 2), slice(2, 4)]
