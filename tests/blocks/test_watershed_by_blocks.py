"""A stack flooded in files: block by block before and after, and the bytes of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

import fijibridge as fb
from fijibridge.blocks import _plan, apply_blocks, plan_blocks
from fijibridge.errors import WriteError
from fijibridge.io import spill
from fijibridge.ops import _flood
from fijibridge.volume import history

WINDOW = {"low": 100.0, "high": 140.0}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Volumes of a test are small, so chunks must be."""
    monkeypatch.setattr(_plan, "CHUNK", (2, 8, 8))
    monkeypatch.setattr(_plan, "_BESIDE", 0)


def grains(shape: tuple[int, int, int], seed: int, *, steps: int = 1) -> fb.Volume:
    """Two phases with soft edges; coarse grey steps make plateaus, on which the order of the queue decides."""
    grey = 120 + 300 * ndimage.gaussian_filter(np.random.default_rng(seed).normal(0, 1, shape), 1.5)
    data = (np.clip(grey, 0, 255) // steps * steps).astype(np.uint8)
    data[0, 0, 0], data[-1, -1, -1] = 0, 255
    return fb.make_volume(data, spacing=(20, 10, 10))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 20), st.integers(2, 30)),
    seed=st.integers(0, 99), steps=st.sampled_from((1, 8)), share=st.sampled_from((1, 4, 20)),
)  # fmt: skip
def test_a_stack_is_flooded_to_the_bytes_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int, int], seed: int, steps: int, share: int
) -> None:
    """Any shape, any blocks, plateaus too: fronts meet where they do in one piece."""
    volume, folder = grains(shape, seed, steps=steps), tmp_path_factory.mktemp("flood")
    memory = plan_blocks("watershed", shape, "uint8", memory=10**9, **WINDOW).bytes // share
    whole = fb.watershed(volume, **WINDOW)
    made = apply_blocks("watershed", volume, folder / "made.zarr", memory=max(memory, 30_000), **WINDOW)
    np.testing.assert_array_equal(np.asarray(made.data), whole.data)
    assert history(made) == history(whole)
    assert [path.name for path in folder.iterdir()] == ["made.zarr"]


def test_workers_give_the_same(tmp_path: Path) -> None:
    """They measure and cut out; the flood's files lie beside the result, where all of them can see them."""
    volume = grains((12, 40, 60), 3)
    made = apply_blocks("watershed", volume, tmp_path / "made.zarr", scheduler="processes", workers=2, **WINDOW)
    np.testing.assert_array_equal(np.asarray(made.data), fb.watershed(volume, **WINDOW).data)


def test_a_flood_can_be_interrupted_and_goes_on_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in turns, so that Ctrl-C and the progress have theirs; the turns leave no trace in the labels."""
    volume = grains((6, 30, 30), 5, steps=4)
    whole = fb.watershed(volume, **WINDOW)
    monkeypatch.setattr(_flood, "_AT_A_TIME", 37)
    np.testing.assert_array_equal(fb.watershed(volume, **WINDOW).data, whole.data)


def test_a_disk_without_room_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """11 bytes a voxel are more than many a disk has left; found out before the flood, not within it."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spill.os, "posix_fallocate", full)
    with pytest.raises(WriteError, match=r"cannot take .* No space left on device; make room there"):
        apply_blocks("watershed", grains((4, 9, 9), 1), tmp_path / "made.zarr", **WINDOW)
    assert not list(tmp_path.iterdir())
