"""Registering finds a known rotation and shift between two kinds of image at two voxel sizes, or says that it can't."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

import fijibridge as fb
from fijibridge.errors import EngineMissingError, ParameterError, VolumeError
from fijibridge.operation import jsonable
from fijibridge.ops._register import register
from fijibridge.phantom.fibsem import NO_DEFECTS, make_fibsem
from fijibridge.volume import Volume, history, make_volume, same_grid

TURN = (9.0, -6.0, 4.0)
#: Where the middle of the FIB-SEM volume lies in the X-ray volume (nm): off its centre.
PLACE = np.array([3600.0, 5200.0, 4400.0])
FIB = np.array([110.0, 60.0, 60.0])
XRAY = 126.0


@pytest.fixture(scope="module")
def sample() -> NDArray[np.float32]:
    """Give an electrode on a grid of 100 nm."""
    made = make_fibsem((76, 100, 92), voxel_nm=(100, 100, 100), diameter_um=2.2, seed=3, defects=NO_DEFECTS)
    return np.asarray(made.clean.data)


@pytest.fixture(scope="module")
def xray(sample: NDArray[np.float32]) -> Volume:
    """Give it as an X-ray scan: coarser, blurred, with other grey levels and noise; in um."""
    shape = [int(size * 100 / XRAY) for size in sample.shape]
    places = np.meshgrid(*[np.arange(size) * XRAY / 100 for size in shape], indexing="ij")
    seen = ndimage.map_coordinates(ndimage.gaussian_filter(sample, 0.8), places, order=1)
    grey = 0.5 * seen + 20 + np.random.default_rng(0).normal(0, 6, seen.shape)
    return make_volume(grey.astype(np.float32), spacing=(XRAY / 1000,) * 3, units="um")


@pytest.fixture(scope="module")
def fibsem(sample: NDArray[np.float32]) -> Volume:
    """Give a part of it, turned and moved, with finer voxels that are not cubes; in nm."""
    shape = (36, 70, 70)
    corners = np.stack(np.meshgrid(*[np.arange(size) for size in shape], indexing="ij"), -1).reshape(-1, 3) * FIB
    turn = Rotation.from_rotvec(TURN[::-1], degrees=True)
    there = turn.apply((corners - FIB * (np.array(shape) - 1) / 2)[:, ::-1])[:, ::-1] + PLACE
    seen = ndimage.map_coordinates(sample, (there / 100).T, order=1).reshape(shape)
    grey = seen + np.random.default_rng(1).normal(0, 6, shape)
    return make_volume(np.clip(grey, 0, 255).astype(np.uint8), spacing=(110, 60, 60))


def test_a_known_turn_and_place_are_found_to_a_tenth_of_a_degree_and_a_tenth_of_a_voxel(
    fibsem: Volume, xray: Volume
) -> None:
    """Two kinds of image, two voxel sizes, the place unknown: correlative work starts here."""
    result = register(fibsem, reference=xray)
    (found,) = history(result)[-1]["within"]
    turn = Rotation.from_rotvec(found["parameters"]["rotation_deg"][::-1], degrees=True)
    off = turn * Rotation.from_rotvec(TURN[::-1], degrees=True).inv()
    assert np.degrees(off.magnitude()) < 0.1
    place = np.add(found["parameters"]["centre_nm"], found["parameters"]["translation_nm"])
    assert np.abs(place - PLACE).max() < 0.1 * XRAY
    assert same_grid(result, xray)
    assert result.dtype == fibsem.dtype
    inside = result.data > 0
    assert np.corrcoef(result.data[inside], xray.data[inside])[0, 1] > 0.85


def test_labels_move_with_the_volume_and_keep_their_values(fibsem: Volume, xray: Volume) -> None:
    """A segmentation goes to the X-ray's grid too; labels between labels would be nonsense."""
    labels = make_volume((fibsem.data > 115).astype(np.uint8) * 7, spacing=(110, 60, 60))
    result = register(labels, reference=xray, interpolation="nearest", start_deg=TURN)
    assert set(np.unique(result.data)) == {0, 7}
    assert register(fb.with_data(labels, labels.data > 0), reference=xray, start_deg=TURN).dtype == bool


def test_the_history_alone_repeats_the_transform(fibsem: Volume, xray: Volume) -> None:
    """A record that does not lead to the same voxels is none."""
    first = register(fibsem, reference=xray, start_deg=TURN)
    step = history(first)[-1]
    again = register(fibsem, **{**step["parameters"], "reference": xray})
    assert np.array_equal(first.data, again.data)
    assert step["parameters"]["reference"]["volume"] == list(xray.shape)


def test_volumes_of_different_samples_are_refused(xray: Volume) -> None:
    """A place is always found; it must not pass for a result where nothing agrees."""
    noise = np.random.default_rng(5).normal(100, 20, (36, 70, 70)).astype(np.float32)
    with pytest.raises(ParameterError, match="agrees with the reference nowhere"):
        register(make_volume(noise, spacing=(110, 60, 60)), reference=xray)


def test_a_volume_without_a_size_is_refused(fibsem: Volume, xray: Volume) -> None:
    """Where the voxel size is not known, none fits."""
    bare = make_volume(fibsem.data, units="voxel")
    with pytest.raises(VolumeError, match="the volume has none"):
        register(bare, reference=xray)
    with pytest.raises(VolumeError, match="the reference has none"):
        register(fibsem, reference=bare)


def test_without_simpleitk_the_error_names_the_extra(
    fibsem: Volume, xray: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a large package that only this step needs."""
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(EngineMissingError, match=r"fijibridge\[register\]"):
        register(fibsem, reference=xray)


def test_another_voxel_size_of_the_reference_makes_a_recipes_step_stale(xray: Volume) -> None:
    """The voxels alone do not name a volume: laid on a grid of another size, the result is another."""
    other = make_volume(xray.data, spacing=(0.1, 0.1, 0.1), units="um")
    assert jsonable(xray) != jsonable(other)
    assert jsonable(xray) == jsonable(xray.copy())
