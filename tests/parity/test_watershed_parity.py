"""ImageJ's watershed beside the native one: what is equal, how near the rest comes, and why it differs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from fijibridge.errors import EngineMissingError
from fijibridge.ops import watershed
from fijibridge.phantom import make_electrode
from fijibridge.volume import make_volume, with_data


@pytest.fixture(scope="module")
def cathode():
    return make_electrode((12, 96, 96), noise=10).grey


@pytest.mark.parametrize(
    "window", [{"low": 90, "high": 125}, {"low": 80, "high": 140}], ids=["generous", "conservative"]
)
def test_slice_by_slice_the_engines_agree_to_four_percent(cathode, window):
    """Same seeds, same kind of gradient, both flood by slice: what is left are lines and contact pixels (3.4 %)."""
    assert (
        watershed(cathode, **window, engine="fiji").data != watershed(cathode, **window, flood="slices").data
    ).mean() < 0.04


def test_where_seeds_lie_apart_they_keep_their_side_in_both(cathode):
    """Only a seed pixel beside a seed of the other kind is left to ImageJ's flooding."""
    low, high = 80, 140
    found = watershed(cathode, low=low, high=high, engine="fiji").data
    eight = np.ones((1, 3, 3), bool)
    near_bright = ndimage.binary_dilation(cathode.data > high, eight)
    near_dark = ndimage.binary_dilation(cathode.data < low, eight)
    assert found[(cathode.data > high) & ~near_dark].all()
    assert not found[(cathode.data < low) & ~near_bright].any()


def test_imagej_floods_each_slice_by_itself():
    """The 3-D flood reaches through a slice without seeds of its own; ImageJ parts it at the window's middle."""
    grey = np.full((3, 20, 20), 60, np.uint8)
    grey[:, 5:15, 5:15] = 180
    grey[1] = np.where(grey[1] == 180, 115, 100)  # no seed in this slice, both below the middle of 120
    volume = make_volume(grey)
    window = {"low": 80, "high": 160}
    assert watershed(volume, **window).data[1, 10, 10]
    assert not watershed(volume, **window, engine="fiji").data[1].any()


def test_a_slice_without_seeds_of_both_kinds_is_settled_alike_by_both():
    """Parted at the window's middle without any seed, all of one kind with seeds of that kind."""
    grey = np.full((4, 20, 20), 60, np.uint8)
    grey[:, 5:15, 5:15] = 180
    grey[1] = np.where(grey[1] == 180, 125, 100)
    grey[2] = np.where(grey[2] == 180, 180, 100)
    grey[3] = np.where(grey[3] == 180, 140, 60)
    window = {"low": 80, "high": 160, "flood": "slices"}
    native, imagej = (watershed(make_volume(grey), **window, engine=engine).data for engine in ("native", "fiji"))
    np.testing.assert_array_equal(native[1], grey[1] == 125)
    assert native[2].all()
    assert not native[3].any()
    np.testing.assert_array_equal(imagej, native)


def test_flooding_the_stack_in_imagej_needs_morpholibj(cathode):
    """Never by slices instead, behind the user's back."""
    with pytest.raises(EngineMissingError, match="MorphoLibJ"):
        watershed(cathode, low=80, high=140, flood="stack", engine="fiji")


def test_native_in_3d_is_nearer_to_a_known_truth_than_by_slice_where_noise_is_high():
    """Why the native engine floods in 3-D: neighbouring slices say where the edge is."""
    electrode = make_electrode((32, 72, 72), noise=24)
    window = {"low": 80, "high": 140}
    truth = electrode.truth.data == 1
    whole = (watershed(electrode.grey, **window).data != truth).mean()
    assert whole < (watershed(electrode.grey, **window, flood="slices").data != truth).mean()


def test_scale_of_the_grey_levels_does_not_matter_to_either(cathode):
    """16-bit data of the same shape of histogram are parted in the same places."""
    wide = with_data(cathode, cathode.data.astype(np.uint16) * 200)
    for engine in ("native", "fiji"):
        narrow = watershed(cathode, low=80, high=140, engine=engine).data
        assert (watershed(wide, low=80 * 200, high=140 * 200, engine=engine).data != narrow).mean() < 0.001
