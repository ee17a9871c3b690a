"""The memory that was said beforehand is kept: measured on a program of its own, as the system counts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fijibridge as fb
from fijibridge.io.layers import Layers

#: Runs an operation in 88 MB on 90 MB of voxels, after a small run that loads whatever is loaded once.
PROGRAM = """
import json, resource, sys
import numpy as np
import fijibridge as fb
from fijibridge.blocks import apply_blocks, plan_blocks
name, file, out, memory, parameters = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), json.loads(sys.argv[5])
small = fb.make_volume(np.random.default_rng(0).integers(1, 255, (40, 64, 64)).astype(np.uint16))
apply_blocks(name, small, out + "/small.zarr", memory=memory, **parameters)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
volume = fb.read_volume(file, mmap=True)
made = apply_blocks(name, volume, out + "/made.zarr", memory=memory, **parameters)
print(json.dumps({"taken": peak() - before, "mean": float(np.mean(made.data[3]))}))
"""
MEMORY = 88_000_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file of 90 MB that can be mapped."""
    slab = np.random.default_rng(0).integers(1, 255, (18, 500, 500), np.uint16)
    path = tmp_path_factory.mktemp("stack") / "stack.tif"
    fb.write_volume(fb.make_volume(np.tile(slab, (10, 1, 1)), spacing=(20, 10, 10)), path)
    return path


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("smooth", '{"sigma": 0.8}'),
        ("threshold", "{}"),
        ("even_out", "{}"),
    ],
)
def test_an_operation_keeps_within_the_memory_given(tmp_path: Path, stack: Path, name: str, parameters: str) -> None:
    """The stack alone is larger; what the program had at its start is not counted."""
    command = [sys.executable, "-c", PROGRAM, name, str(stack), str(tmp_path), str(MEMORY), parameters]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["taken"] <= MEMORY


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
