"""What lies on the disk in the end: coarser levels and files of many chunks, as when the whole volume is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

import fijibridge as fb
from fijibridge.blocks import _plan, apply_blocks, crew
from fijibridge.io import _pyramid, _zarr_write

SHAPE = (10, 70, 300)


@pytest.fixture
def many_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a volume of thousands of chunks, of which several levels are made part by part."""
    monkeypatch.setattr(_plan, "CHUNK", (2, 16, 16))
    monkeypatch.setattr(_plan, "_BESIDE", 0)
    monkeypatch.setattr(_zarr_write, "_MANY", 50)
    monkeypatch.setattr(_pyramid, "_PART", 4000)
    monkeypatch.setattr(_pyramid, "_SMALLEST", 40)


def stack(path: Path) -> fb.Volume:
    """Grey levels with a voxel size, as a file that can be mapped."""
    grey = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    volume = fb.make_volume(grey, spacing=(20, 10, 10))
    fb.write_volume(volume, path)
    return volume


def levels(folder: Path) -> list[np.ndarray]:
    group = zarr.open_group(str(folder), mode="r")
    return [np.asarray(group[name]) for name in sorted(group.array_keys())]


def test_many_chunks_lie_in_few_files_each_written_by_one_block(tmp_path: Path, many_small_chunks: None) -> None:
    """A result of 10^12 voxels would be half a million files otherwise, more than clusters let a user have."""
    volume = stack(tmp_path / "in.tif")
    made = apply_blocks("smooth", tmp_path / "in.tif", tmp_path / "out.zarr", memory=1_600_000, sigma=0.6)
    array = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")["0"]
    assert array.chunks == (2, 16, 16)
    assert array.shards == (2, 64, 64)
    np.testing.assert_array_equal(np.asarray(made.data), fb.smooth(volume, sigma=0.6).data)
    files = sum(path.is_file() for path in (tmp_path / "out.zarr" / "0").rglob("*"))
    assert files < 2 + np.prod([-(-size // part) for size, part in zip(SHAPE, array.shards, strict=True)]) + 1


@pytest.mark.parametrize("scheduler", [None, "processes"])
def test_coarser_levels_are_those_of_the_whole(tmp_path: Path, many_small_chunks: None, scheduler: str | None) -> None:
    """Viewers show them first; workers make them part by part, where a cluster is there."""
    volume = stack(tmp_path / "in.tif")
    fb.write_volume(fb.smooth(volume), tmp_path / "whole.zarr")
    with crew(scheduler, 2 if scheduler else None):
        apply_blocks("smooth", tmp_path / "in.tif", tmp_path / "out.zarr", scheduler=scheduler, memory=10**9)
    whole, made = levels(tmp_path / "whole.zarr"), levels(tmp_path / "out.zarr")
    assert len(made) == len(whole) > 2
    for one, other in zip(whole, made, strict=True):
        np.testing.assert_array_equal(one, other)
