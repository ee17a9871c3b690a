"""Claims about `fijibridge segment`, and about `predict` where it goes block by block."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import fijibridge as fb
from fijibridge.volume import history


def test_segment_labels_bright_1_and_dark_2(run, stack, tmp_path):
    """As all labels of this project are: what train, compare and study read."""
    code, said, _ = run("segment", stack / "grey.tif", "-o", tmp_path / "labels.tif", "--json")
    labels = fb.read_volume(tmp_path / "labels.tif")
    bright = fb.threshold(fb.read_volume(stack / "grey.tif"), method="otsu").data
    assert code == 0
    np.testing.assert_array_equal(labels.data, np.where(bright, 1, 2))
    assert json.loads(said)["fraction"] == pytest.approx(bright.mean())


@pytest.mark.parametrize(
    "options",
    [
        ["--method", "li"],
        ["--method", "fixed", "--value", "120"],
        ["--method", "watershed", "--low", "100", "--high", "140", "--flood", "slices"],
    ],
)
def test_segment_into_ome_zarr_gives_the_labels_and_history_of_the_whole(run, stack, tmp_path, options):
    """By blocks or whole is a matter of memory, not of the result."""
    for name in ("labels.tif", "labels.zarr"):
        code, _, error = run("segment", stack / "grey.tif", "-o", tmp_path / name, *options)
        assert code == 0, error
    whole, blocks = fb.read_volume(tmp_path / "labels.tif"), fb.read_volume(tmp_path / "labels.zarr")
    np.testing.assert_array_equal(whole.data, blocks.data)
    assert history(whole) == history(blocks)
    assert fb.voxel_size(whole) == fb.voxel_size(blocks)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--method", "nix"], "watershed, fixed, default"),
        (["--method", "watershed", "--low", "3"], "got no --high; give both"),
        (["--method", "otsu", "--low", "3"], "are for watershed"),
        (["--scheduler", "processes"], "-o NAME.zarr"),
        (["--memory", "4GB"], "-o NAME.zarr"),
    ],
)
def test_segment_refuses_options_that_would_do_nothing(run, stack, tmp_path, options, told):
    """Passed over, they would leave their user believing what is not so."""
    code, _, error = run("segment", stack / "grey.tif", "-o", tmp_path / "labels.tif", *options)
    assert code == 3
    assert told in " ".join(error.split())
    assert list(tmp_path.iterdir()) == []


def test_the_plan_and_its_memory_are_told_before_the_work(run, stack, tmp_path):
    """Whoever waits for hours wants to know beforehand what will be taken; stdout stays for the result."""
    code, said, told = run("segment", stack / "grey.tif", "-o", tmp_path / "labels.zarr", "--memory", "700MB", "--json")
    assert code == 0
    assert re.search(r"threshold: 1 block of .* voxels; needs \d+ MB", " ".join(told.split()))
    assert json.loads(said)["file"].endswith("labels.zarr")


def test_a_memory_that_is_no_size_is_one_sentence(run, stack, tmp_path):
    """A slip such as 4X."""
    code, _, error = run("segment", stack / "grey.tif", "-o", tmp_path / "labels.zarr", "--memory", "4X")
    assert code == 3
    assert "4GB" in error
