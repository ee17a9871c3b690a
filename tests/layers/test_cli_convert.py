"""Claims about `fijibridge convert`."""

from __future__ import annotations

import json

import numpy as np
import tifffile

import fijibridge as fb


def test_convert_writes_another_format_and_says_what_it_compared(run, stack, tmp_path):
    """The voxel size goes along, and the history with it."""
    out = tmp_path / "grey.nrrd"
    code, said, _ = run("convert", stack / "grey.tif", out)
    assert code == 0
    assert "every voxel compared" in said
    before, after = fb.read_volume(stack / "grey.tif"), fb.read_volume(out)
    np.testing.assert_array_equal(after.data, before.data)
    assert fb.voxel_size(after) == fb.voxel_size(before)
    assert after.attrs["history"] == before.attrs["history"]


def test_convert_gives_a_voxel_size_to_a_file_without_one(run, stack, tmp_path):
    """Raw exports rarely have one."""
    code, said, _ = run("convert", stack / "grey.tif", tmp_path / "v.h5", "--voxel-size", "30,20,10", "--json")
    assert code == 0
    assert json.loads(said)["voxel_size"] == [30, 20, 10]
    assert fb.voxel_size(fb.read_volume(tmp_path / "v.h5")) == fb.VoxelSize(30, 20, 10, "nm")


def test_convert_names_the_formats_that_it_writes(run, stack, tmp_path):
    """An ending that nobody knows is no reason for a traceback."""
    code, _, said = run("convert", stack / "grey.tif", tmp_path / "v.xyz")
    assert code == 6
    assert ".nrrd" in said
    assert list(tmp_path.iterdir()) == []


def test_convert_takes_the_channel_that_is_named_of_a_stack_in_colour(run, tmp_path):
    """What is in colour is no volume, and which channel is meant only the user knows."""
    colours = (np.arange(3 * 20 * 30 * 3) % 251).astype(np.uint8).reshape(3, 20, 30, 3)
    tifffile.imwrite(tmp_path / "c.tif", colours, photometric="rgb")
    code, _, said = run("convert", tmp_path / "c.tif", tmp_path / "v.nrrd")
    assert code != 0
    assert "--channel 0" in said
    code, _, said = run("convert", tmp_path / "c.tif", tmp_path / "v.nrrd", "--channel", "2")
    assert code == 0, said
    np.testing.assert_array_equal(fb.read_volume(tmp_path / "v.nrrd").data, colours[..., 2])
