"""A file is there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from fijibridge.errors import WriteError
from fijibridge.io import read_volume, write_volume
from fijibridge.volume import make_volume


class _FailsHalfWay(np.ndarray):
    """An array whose third slice cannot be had, as on a failing disk."""

    def __getitem__(self, key: object) -> np.ndarray:
        if key == 2:
            raise OSError(28, "No space left on device")
        return np.asarray(super().__getitem__(key))


def test_a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """The file of yesterday is better than half of today's."""
    path = tmp_path / "v.tif"
    write_volume(make_volume(np.ones((4, 5, 6), np.uint8)), path)
    broken = np.zeros((4, 5, 6), np.uint8).view(_FailsHalfWay)
    with pytest.raises(WriteError, match="No space left on device"):
        write_volume(make_volume(broken), path)
    assert [file.name for file in tmp_path.iterdir()] == ["v.tif"]
    assert read_volume(path).data.all()


def test_the_file_appears_under_its_name_only_when_whole(tmp_path: Path) -> None:
    """Another program that watches the folder must never open half a stack."""
    path = tmp_path / "v.tif"
    seen = []
    write_volume(make_volume(np.zeros((4, 5, 6), np.uint8)), path, progress=lambda _: seen.append(path.exists()))
    assert seen == [False] * 4
    assert path.exists()


@pytest.mark.skipif(os.name != "posix", reason="file modes are a matter of POSIX systems")
def test_the_file_gets_the_mode_that_any_new_file_gets(tmp_path: Path) -> None:
    """A temporary file for its owner's eyes alone would stay so under its final name."""
    (tmp_path / "other").touch()
    write_volume(make_volume(np.zeros((1, 2, 3), np.uint8)), tmp_path / "v.tif")
    assert stat.S_IMODE((tmp_path / "v.tif").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_missing_folder_and_a_folder_in_place_of_a_file_are_named(tmp_path: Path) -> None:
    """The two mistakes people make with output paths."""
    volume = make_volume(np.zeros((1, 2, 3), np.uint8))
    with pytest.raises(WriteError, match="is not there; make it first"):
        write_volume(volume, tmp_path / "none" / "v.tif")
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(WriteError, match="it is a folder"):
        write_volume(volume, tmp_path / "folder.tif")


def test_a_mapped_file_can_be_written_over(tmp_path: Path) -> None:
    """The old voxels stay readable through the map, since the new ones are another file until the rename."""
    path = tmp_path / "v.tif"
    write_volume(make_volume(np.full((2, 3, 4), 7, np.uint8)), path)
    mapped = read_volume(path, mmap=True)
    write_volume(make_volume(mapped.data + np.uint8(1)), path)
    assert (mapped.data == 7).all()
    assert (read_volume(path).data == 8).all()
