"""The Volume contract."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import volumes

from fijibridge.errors import VolumeError
from fijibridge.volume import (
    Volume,
    VoxelSize,
    check_same_grid,
    check_volume,
    describe_grid,
    history,
    make_volume,
    origin,
    record,
    same_grid,
    voxel_size,
    with_data,
)

STEP = {"operation": "smooth", "engine": "native", "version": "1", "parameters": {"sigma": 1.1}}


def _volume(shape: tuple[int, int, int] = (4, 5, 6), **given: object) -> Volume:
    return make_volume(np.zeros(shape, np.uint8), **{"spacing": (50, 10, 8), "origin": (1, 2, 3), **given})


@settings(deadline=None)
@given(volume=volumes())
def test_every_volume_that_is_made_keeps_the_contract(volume: Volume) -> None:
    """Any shape, dtype, size and origin; what was asked for is what is read back."""
    assert check_volume(volume) is volume
    size = voxel_size(volume)
    again = make_volume(volume.data, spacing=size[:3], units=size.units, origin=origin(volume))
    assert same_grid(volume, again)


def test_an_array_is_not_copied() -> None:
    """Volumes are gigabytes."""
    array = np.zeros((2, 3, 4), np.uint16)
    assert np.shares_memory(make_volume(array).data, array)
    assert np.shares_memory(with_data(make_volume(array), array).data, array)


def test_lists_become_arrays() -> None:
    """Examples in documents are typed by hand."""
    assert make_volume([[[1, 2]]]).shape == (1, 1, 2)


@pytest.mark.parametrize(
    ("part", "size", "start"),
    [
        ({"z": slice(None, None, 2)}, (100, 10, 8), (1, 2, 3)),
        ({"y": slice(2, None), "x": slice(3, 5)}, (50, 10, 8), (1, 22, 27)),
        ({"z": slice(2, 3)}, (50, 10, 8), (101, 2, 3)),
    ],
)
def test_crops_and_strides_know_their_size_and_place(part: dict, size: tuple, start: tuple) -> None:
    """Every second slice is twice as thick; an axis cropped to one voxel keeps its size."""
    cut = _volume().isel(part)
    assert voxel_size(cut)[:3] == size
    assert origin(cut) == start


def test_coarsening_makes_larger_voxels() -> None:
    """The mean of 2 x 2 x 2 voxels lies between them and is twice as large."""
    coarse = _volume((4, 4, 6)).coarsen(z=2, y=2, x=2).mean()
    assert voxel_size(coarse)[:3] == (100, 20, 16)
    assert origin(coarse) == (26, 7, 7)


def test_a_size_is_converted_between_nm_and_um() -> None:
    assert VoxelSize(256, 55, 55, "nm").to("um") == (0.256, 0.055, 0.055, "um")
    assert VoxelSize(0.25, 1, 2, "um").to("nm") == (250, 1000, 2000, "nm")
    assert VoxelSize(1, 2, 3, "voxel").to("voxel") == (1, 2, 3, "voxel")


@pytest.mark.parametrize(("size", "units"), [(VoxelSize(1, 1, 1, "voxel"), "nm"), (VoxelSize(1, 1, 1, "nm"), "voxel")])
def test_an_unknown_size_is_not_converted(size: VoxelSize, units: str) -> None:
    """Nobody may measure in nm what was never calibrated."""
    with pytest.raises(VolumeError, match="cannot convert"):
        size.to(units)


def test_grids_that_differ_by_rounding_are_the_same() -> None:
    """xarray, which compares coordinates to the last bit, would add up only what it finds in both: next to nothing."""
    a, b = _volume(spacing=(0.1, 0.1, 0.1)), _volume(spacing=(0.1 + 1e-9,) * 3)
    assert same_grid(a, b)
    assert (a + b).size < a.size


@pytest.mark.parametrize(
    "other",
    [_volume((4, 5, 7)), _volume(spacing=(50, 10, 8.1)), _volume(origin=(1, 2, 3.5)), _volume(units="um")],
    ids=["shape", "spacing", "origin", "units"],
)
def test_grids_that_differ_are_told_apart(other: Volume) -> None:
    """Comparing voxels of different places is the quietest of all errors."""
    assert not same_grid(_volume(), other)
    with pytest.raises(VolumeError, match=r"stack and labels do not lie on the same grid: 4 x 5 x 6 voxels of 50 x 10"):
        check_same_grid(_volume(), other, names=("stack", "labels"))


def test_with_data_keeps_grid_and_history() -> None:
    volume = record(_volume(), STEP)
    mask = with_data(volume, np.ones(volume.shape, bool))
    assert same_grid(mask, volume)
    assert history(mask) == (STEP,)
    assert mask.dtype == bool


def test_with_data_refuses_another_shape() -> None:
    with pytest.raises(VolumeError, match="make_volume for a new grid"):
        with_data(_volume(), np.zeros((4, 5, 7)))


def test_recording_leaves_the_recorded_volume_alone() -> None:
    """Two branches of one analysis must not write into each other's history."""
    volume = _volume()
    first, second = record(volume, STEP), record(volume, {"operation": "crop"})
    assert history(volume) == ()
    assert history(first) == (STEP,)
    assert history(second) == ({"operation": "crop"},)
    assert history(record(first, STEP, after=())) == (STEP,)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"array": np.zeros((2, 3))}, "three axes"),
        ({"array": np.zeros((0, 3, 4))}, "at least one voxel"),
        ({"array": np.zeros((1, 1, 1), complex)}, "dtype complex128"),
        ({"array": np.array([[["a"]]])}, "dtype <U1"),
        ({"spacing": (1, 0, 1)}, "three positive numbers"),
        ({"spacing": (1, float("nan"), 1)}, "three positive numbers"),
        ({"spacing": (1, 1)}, "three positive numbers"),
        ({"origin": (0, 0, float("inf"))}, "three finite numbers"),
        ({"units": "mm"}, "one of nm, um, voxel"),
    ],
)
def test_what_is_no_volume_is_refused(wrong: dict, words: str) -> None:
    """Each message says what was found."""
    with pytest.raises(VolumeError, match=words):
        make_volume(**{"array": np.zeros((2, 3, 4)), **wrong})


def _uneven() -> Volume:
    return _volume().isel(z=[0, 1, 3])


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        (np.zeros((2, 3, 4)), "expected a Volume, got ndarray; wrap the array"),
        (_volume().transpose("x", "y", "z"), "use volume.transpose"),
        (xr.DataArray(np.zeros((2, 3, 4)), dims=("z", "y", "x")), "axis 'z' has no coordinate with units"),
        (_uneven(), "axis 'z' is not evenly spaced"),
        (_volume().isel(y=slice(None, None, -1)), "axis 'y' is not evenly spaced and ascending"),
    ],
    ids=["array", "order", "coordinates", "uneven", "backwards"],
)
def test_what_does_not_keep_the_contract_is_refused(volume: object, words: str) -> None:
    """Each message says what to do."""
    with pytest.raises(VolumeError, match=words):
        check_volume(volume)


def test_axes_with_different_units_are_refused() -> None:
    volume = _volume()
    volume["z"] = volume["z"].copy()
    volume["z"].attrs["units"] = "um"
    with pytest.raises(VolumeError, match="all axes need the same units"):
        check_volume(volume)


def test_a_volume_survives_pickling() -> None:
    """Volumes travel to worker processes."""
    volume = record(_volume(), STEP)
    back = pickle.loads(pickle.dumps(volume))
    assert back.identical(volume)
    assert voxel_size(back) == voxel_size(volume)


@given(st.integers(1, 200), st.floats(1e-3, 1e4), st.floats(-1e6, 1e6))
def test_a_grid_is_even_to_the_last_voxel(count: int, step: float, start: float) -> None:
    """Adding up steps would drift; far origins must not make an axis uneven."""
    volume = make_volume(np.zeros((count, 1, 1), np.uint8), spacing=(step, 1, 1), origin=(start, 0, 0))
    assert voxel_size(volume).z == pytest.approx(step, rel=1e-4)


def test_the_grid_is_described_in_words() -> None:
    assert describe_grid(_volume()) == "4 x 5 x 6 voxels of 50 x 10 x 8 nm"
