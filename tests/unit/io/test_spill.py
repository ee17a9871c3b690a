"""Large arrays lie in a nameless file where asked for, hold the same voxels, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fijibridge as fb
from fijibridge.errors import WriteError
from fijibridge.io.spill import new_array, spilling
from fijibridge.phantom.fibsem import Defects, make_fibsem


def test_large_arrays_lie_on_the_disk_within_the_block_only(tmp_path: Path) -> None:
    """A library call elsewhere must not write into a folder that nobody named."""
    with spilling(tmp_path, large=1000):
        assert isinstance(new_array((11, 10, 10), np.uint8), np.memmap)
        assert not isinstance(new_array((10, 10, 10), np.uint8), np.memmap)
    assert not isinstance(new_array((11, 10, 10), np.uint8), np.memmap)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [("align", {}), ("decurtain", {}), ("even_out", {}), ("shear", {}), ("crop", {"box": (1, 6, 3, 60, 0, 64)}),
     ("smooth", {}), ("resample", {"size": (20.0, 40.0, 70.0)})],
)  # fmt: skip
def test_slice_wise_steps_give_the_same_voxels_on_the_disk(tmp_path: Path, operation, parameters) -> None:
    """Where the result lies must not change it."""
    volume = make_fibsem((8, 64, 64), diameter_um=1.2, defects=Defects(outliers=0, missing=0)).volume
    call = fb.operations()[operation]
    with spilling(tmp_path, large=1000):
        spilled = call(volume, **parameters)
    assert isinstance(spilled.data, np.memmap) or isinstance(spilled.data.base, np.memmap)
    assert spilled.identical(call(volume, **parameters))


def test_a_folder_of_slices_is_read_onto_the_disk(tmp_path: Path) -> None:
    """It cannot be mapped, and may be larger than memory."""
    volume = make_fibsem((6, 64, 64), defects=Defects(outliers=0, missing=0)).volume
    (tmp_path / "slices").mkdir()
    for z in range(6):
        fb.write_volume(volume[z : z + 1], tmp_path / "slices" / f"{z}.tif")
    with spilling(tmp_path / "scratch", large=1000):
        found = fb.read_volume(tmp_path / "slices", spacing=(50, 50, 50), units="nm", mmap=True)
    assert np.array_equal(found.data, volume.data)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_no_room_on_the_disk_is_one_sentence_and_not_the_end_of_the_program(tmp_path: Path) -> None:
    """Writing into a map on a full disk ends a program without a word."""
    with spilling(tmp_path), pytest.raises(WriteError, match="make room there"):
        new_array((2**20, 2**15, 2**15), np.uint8)
