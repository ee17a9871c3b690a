"""Clusters are joined across blocks exactly: the numbers are those of the whole, whatever the blocks and the order."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

import fijibridge as fb
from fijibridge.assess import Connectivity, connectivity
from fijibridge.assess.transport import connectivity_of
from fijibridge.blocks import _plan, connectivity_blocks
from fijibridge.errors import ParameterError
from fijibridge.ops.joined import Joined, parts_of, see
from fijibridge.ops.parts import Place


@pytest.fixture(autouse=True)
def no_memory_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory that is no block's would be all of it."""
    monkeypatch.setattr(_plan, "CHUNK", (4, 8, 8))
    monkeypatch.setattr(_plan, "_BESIDE", 0)


def counted(mask: NDArray[np.bool_], axis: int) -> Connectivity:
    """The same numbers by SciPy alone, on the whole."""
    clusters, count = ndimage.label(mask)
    sizes = np.bincount(clusters.ravel())[1:]
    first, last = (set(np.unique(np.take(clusters, end, axis=axis))) - {0} for end in (0, -1))
    through = sum(int(sizes[n - 1]) for n in first & last)
    return Connectivity(sizes.max() / mask.sum(), through / mask.sum(), count) if count else Connectivity(0.0, 0.0, 0)


@settings(max_examples=120, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3), block=st.tuples(*[st.integers(1, 10)] * 3),
    density=st.sampled_from((0.0, 0.2, 0.3, 0.35, 0.5, 0.8, 1.0)), seed=st.integers(0, 9999), axis=st.integers(0, 2),
)  # fmt: skip
def test_any_blocks_in_any_order_give_the_numbers_of_the_whole(
    shape: tuple[int, int, int], block: tuple[int, int, int], density: float, seed: int, axis: int
) -> None:
    """Odd shapes, one-voxel axes, blocks of one voxel and blocks larger than the volume; around percolation, too."""
    mask = np.random.default_rng(seed).random(shape) < density
    joined, boxes = Joined(shape), list(_plan.boxes(shape, block))
    random.Random(seed).shuffle(boxes)
    for box in boxes:
        joined.add(Place(box, box), see(*parts_of(mask[box])))
    made = connectivity_of(joined, axis)
    assert made == counted(mask, axis)
    assert connectivity(fb.make_volume(mask.astype(np.uint8)), axis="zyx"[axis]) == made  # type: ignore[arg-type]


def snake(shape: tuple[int, int, int], axis: int) -> NDArray[np.uint8]:
    """One thread through all of the volume, from the first layer along an axis to the last; walls are one voxel."""
    depth, rows, columns = np.moveaxis(np.empty(shape, np.bool_), axis, 0).shape
    path = np.zeros((depth, rows, columns), np.uint8)
    path[::2, ::2] = 1
    ends = (columns - 1, 0)
    for z in range(0, depth, 2):
        for n, y in enumerate(range(1, rows - 1, 2)):
            path[z, y, ends[n % 2]] = 1
        turns = (rows - 1) // 2
        last = (rows - 1 - (rows - 1) % 2, ends[turns % 2]) if z % 4 == 0 else (0, 0)
        if z + 1 < depth:
            path[z + 1, last[0], last[1]] = 1
    return np.moveaxis(path, 0, axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_snake_through_all_blocks_is_one_cluster(axis: int) -> None:
    """It crosses every face many times, and leads through along its axis until it is cut at one voxel."""
    labels = np.ascontiguousarray(snake((17, 25, 21), axis))
    volume = fb.make_volume(labels)
    told: list[str] = []
    letter = "zyx"[axis]
    found = connectivity_blocks(volume, axis=letter, memory=30_000, told=told.append)  # type: ignore[arg-type]
    assert found == Connectivity(1.0, 1.0, 1)
    assert int(told[0].split()[1]) > 8
    across = np.moveaxis(labels, axis, 0)
    (y,), (x,) = np.nonzero(across[9])
    across[9, y, x] = 0
    cut = connectivity_blocks(volume, axis=letter, memory=30_000)  # type: ignore[arg-type]
    assert (cut.through, cut.clusters) == (0.0, 2)
    assert cut.largest == max(across[:9].sum(), across[9:].sum()) / across.sum()


@pytest.mark.parametrize("kind", ["tif", "zarr", "workers"])
def test_files_and_workers_give_the_same(tmp_path: Path, kind: str) -> None:
    """Mapped, unpacked from chunks, or sent to other processes; within the memory that was said."""
    noise = np.random.default_rng(4).random((13, 30, 41)) < 0.33
    volume = fb.make_volume(np.where(noise, 2, 1).astype(np.uint8))
    told: list[str] = []
    shares: list[float] = []
    source = volume if kind == "workers" else tmp_path / f"labels.{kind}"
    if kind != "workers":
        fb.write_volume(volume, source)
    who: dict[str, Any] = {"scheduler": "processes", "workers": 2} if kind == "workers" else {}
    found = connectivity_blocks(
        source, label=2, axis="y", memory=80_000, told=told.append, progress=shares.append, **who
    )
    assert found == counted(noise, 1)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert " blocks of " in told[0]


def test_no_such_axis_is_told_before_anything_is_read(tmp_path: Path) -> None:
    """One sentence, not a result along another axis."""
    with pytest.raises(ParameterError, match="axis must be z, y or x, got 't'"):
        connectivity_blocks(tmp_path / "none.zarr", axis="t")  # type: ignore[arg-type]


def test_too_little_memory_is_told() -> None:
    """Faces wait for the block beyond: their memory is part of what is said beforehand."""
    with pytest.raises(ParameterError, match=r"connectivity needs .* give it more memory"):
        connectivity_blocks(fb.make_volume(np.ones((4, 900, 900), np.uint8)), memory=1_000_000)
