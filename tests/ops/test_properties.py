"""What every operation owes on every engine: input unchanged, grid right, history that replays, honest halo."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import volumes

import fijibridge.ops
from fijibridge.operation import Operation, operations
from fijibridge.volume import Volume, history, make_volume, origin, record, same_grid, voxel_size

#: One call of each operation that keeps the grid; the test below says which are missing.
EXAMPLES: dict[str, dict[str, Any]] = {
    "decurtain": {},
    "even_out": {},
    "fill_pores": {"phase": 180},
    "smooth": {"sigma": 0.9},
    "threshold": {"method": "li"},
    "watershed": {"low": 60, "high": 140},
}


def _engines(name: str) -> tuple[str, ...]:
    return operations()[name].engines


CALLS = [(name, engine) for name in EXAMPLES for engine in _engines(name)]


@pytest.fixture(scope="module")
def volume() -> Volume:
    """Give a calibrated uint8 volume with a bright ball, noise, an origin and a past."""
    z, y, x = np.mgrid[:14, :22, :24]
    ball = (z - 7) ** 2 + (y - 10) ** 2 + (x - 12) ** 2 < 40
    grey = np.where(ball, 180, 70) + np.random.default_rng(0).normal(0, 20, ball.shape)
    past = ({"operation": "crop", "engine": "native", "version": "1", "parameters": {}},)
    data = np.clip(grey, 0, 255).astype(np.uint8)
    return make_volume(data, spacing=(50, 10, 10.5), units="nm", origin=(100, 0, -3), history=past)


def _run(name: str, engine: str, volume: Volume) -> Volume:
    call: Operation[Any] = operations()[name]
    return call(volume, engine=engine, **EXAMPLES[name])


@pytest.mark.parametrize(("name", "engine"), CALLS)
def test_the_input_stays_as_it_was(name: str, engine: str, volume: Volume) -> None:
    """Voxels, coordinates and attributes: whoever compares before and after relies on it."""
    before = volume.copy(deep=True)
    volume.data.flags.writeable = False
    _run(name, engine, volume)
    volume.data.flags.writeable = True
    assert volume.identical(before)


@pytest.mark.parametrize(("name", "engine"), CALLS)
def test_the_result_lies_on_the_grid_of_the_input(name: str, engine: str, volume: Volume) -> None:
    """Size, place and units of every voxel."""
    result = _run(name, engine, volume)
    assert same_grid(result, volume)
    assert voxel_size(result) == voxel_size(volume)
    assert origin(result) == origin(volume)


@pytest.mark.parametrize(("name", "engine"), CALLS)
def test_the_history_grows_by_one_step_that_replays_to_the_same_voxels(name: str, engine: str, volume: Volume) -> None:
    """Engine, its version and every parameter with its default are there, and suffice."""
    result = _run(name, engine, volume)
    *past, step = history(result)
    assert tuple(past) == history(volume)
    assert step["operation"] == name
    assert step["engine"] == engine
    assert step["version"].startswith("ImageJ 1." if engine == "fiji" else "fijibridge ")
    assert set(step["parameters"]) == set(operations()[name].parameters.model_fields)
    again = operations()[name](volume, engine=step["engine"], **step["parameters"])
    np.testing.assert_array_equal(again.data, result.data)
    assert again.dtype == result.dtype


@pytest.mark.parametrize(("name", "engine"), [call for call in CALLS if operations()[call[0]].halo is not None])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_block_by_block_equals_the_whole(name: str, engine: str, dtype: str, volume: Volume) -> None:
    """The halo that an operation declares is all that a block needs of its surroundings, to the last bit."""
    grey = record(volume.astype(dtype, keep_attrs=True), {"operation": "convert"})
    whole = _run(name, engine, grey).data
    halo = operations()[name].halo_of(**EXAMPLES[name])
    assert halo is not None
    joined = np.empty_like(whole)
    for inner in _blocks(grey.shape, 8):
        outer = tuple(slice(max(part.start - halo, 0), part.stop + halo) for part in inner)
        result = _run(name, engine, grey[outer]).data
        joined[inner] = result[tuple(_within(part, wide) for part, wide in zip(inner, outer, strict=True))]
    np.testing.assert_array_equal(joined, whole)


def _blocks(shape: tuple[int, ...], size: int) -> list[tuple[slice, ...]]:
    axes = [[slice(start, min(start + size, stop)) for start in range(0, stop, size)] for stop in shape]
    return list(product(*axes))


def _within(part: slice, wide: slice) -> slice:
    return slice(part.start - wide.start, part.stop - wide.start)


def test_every_operation_that_keeps_the_grid_has_an_example_here() -> None:
    """A new operation owes the same; one that makes a new grid says so by its name in this list."""
    new_grid = {"crop", "resample", "shear", "align", "register"}
    assert set(operations()) - new_grid == set(EXAMPLES)


@settings(max_examples=40, deadline=None)
@given(volume=volumes(), sigma=st.floats(0.3, 3))
def test_smoothing_any_volume_keeps_dtype_grid_and_grey_range(volume: Volume, sigma: float) -> None:
    """Any shape, one-voxel axes among them, any dtype: a mean of voxels lies between their extremes."""
    smoothed = fijibridge.ops.smooth(volume, sigma=sigma)
    assert smoothed.dtype == volume.dtype
    assert same_grid(smoothed, volume)
    slack = 1e-3 if volume.dtype.kind == "f" else 0
    assert smoothed.data.min() >= volume.data.min() - slack
    assert smoothed.data.max() <= volume.data.max() + slack
