"""Thresholds against phantoms, cases worked by hand, and a peer library."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import skimage.filters
from hypothesis import given, settings
from hypothesis import strategies as st

from fijibridge.errors import ParameterError
from fijibridge.ops import AutoMethod, automatic_threshold, threshold
from fijibridge.ops._autothreshold import find_bin
from fijibridge.volume import Volume, make_volume

METHODS = get_args(AutoMethod)
#: Found far from the valley even on this phantom, as the papers say of them: Glasbey's mean of the histogram and
#: Doyle's half of the voxels depend on the phases' shares, the triangle is made for one peak, the others for entropy.
LOOSE = ("mean", "percentile", "triangle", "renyi_entropy", "shanbhag", "max_entropy", "yen", "moments")


def _two_phases(
    share: float = 0.4, noise: float = 8.0, shape: tuple[int, ...] = (12, 40, 40)
) -> tuple[Volume, np.ndarray]:
    """Give a uint8 volume of grey levels 70 and 180 with noise, and where it is bright."""
    rng = np.random.default_rng(3)
    truth = rng.random(shape) < share
    grey = np.where(truth, 180, 70) + rng.normal(0, noise, shape)
    return make_volume(np.clip(np.rint(grey), 0, 255).astype(np.uint8)), truth


@pytest.mark.parametrize("method", [name for name in METHODS if name not in LOOSE])
def test_methods_for_two_peaks_part_two_phases(engine: str, method: str) -> None:
    """Grey levels nearly 14 standard deviations apart leave no voxel in doubt."""
    volume, truth = _two_phases()
    np.testing.assert_array_equal(threshold(volume, method=method, engine=engine).data, truth)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_method_tells_two_grey_values_apart(engine: str, method: str, dtype: str) -> None:
    """Label volumes and masks come in as two values; no method may put both on one side."""
    truth = np.random.default_rng(0).random((3, 5, 6)) < 0.3
    volume = make_volume(np.where(truth, 9, 4).astype(dtype))
    np.testing.assert_array_equal(threshold(volume, method=method, engine=engine).data, truth)


@pytest.mark.parametrize("method", ["otsu", "yen", "li"])
def test_another_library_finds_the_same(method: str) -> None:
    """scikit-image, where it follows the same paper on the same histogram; to one grey level."""
    volume, _ = _two_phases(noise=25)
    peer = getattr(skimage.filters, f"threshold_{method}")(volume.data)
    assert automatic_threshold(volume, method=method) == pytest.approx(peer, abs=1)


def test_otsu_by_hand() -> None:
    """Counts 4, 2, 3, 1 at grey 0 to 3: w0 w1 (m0 - m1)^2 is 0.67, 0.86, 0.40 past 0, 1, 2, so 1 is the last dark."""
    data = np.repeat(np.arange(4, dtype=np.uint8), (4, 2, 3, 1)).reshape(1, 2, 5)
    assert automatic_threshold(make_volume(data), method="otsu") == 1


def test_the_mean_by_hand() -> None:
    """Grey 0, 1, 5, 10: the mean is 4, so that 5 is bright."""
    data = np.array([[[0, 1, 5, 10]]], np.uint8)
    np.testing.assert_array_equal(threshold(make_volume(data), method="mean").data, data > 4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_bright_is_what_lies_above_the_value_found(dtype: str) -> None:
    """`automatic_threshold` gives the number to report; the mask must be what a reader of the number expects."""
    volume, _ = _two_phases(noise=30)
    grey = make_volume(volume.data.astype(dtype) * (3 if dtype != "uint8" else 1))
    value = automatic_threshold(grey, method="li")
    np.testing.assert_array_equal(threshold(grey, method="li").data, grey.data > value)
    np.testing.assert_array_equal(threshold(grey, method="fixed", value=value).data, grey.data > value)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("value", [-1, 0, 3, 3.5, 254, 255, 256, 65535, 1e6])
def test_a_fixed_value_is_dark_itself(engine: str, dtype: str, value: float) -> None:
    """Voxels above it are bright, those equal to it are not, whatever the value and dtype."""
    data = np.array([[[0, 3, 4, 254, 255, 255 if dtype == "uint8" else 65535]]], dtype)
    mask = threshold(make_volume(data), method="fixed", value=value, engine=engine)
    np.testing.assert_array_equal(mask.data, data.astype(np.float64) > value)


def test_a_fixed_value_between_two_floats_is_exact(engine: str) -> None:
    """0.1 is no float32: the nearest one lies above it, and so is bright."""
    nearest = np.float32(0.1)
    below = np.nextafter(nearest, np.float32(0))
    data = np.array([[[below, nearest]]], np.float32)
    mask = threshold(make_volume(data), method="fixed", value=0.1, engine=engine)
    np.testing.assert_array_equal(mask.data, [[[False, True]]])


def test_the_histogram_is_that_of_the_whole_stack(engine: str) -> None:
    """The second slice alone would be parted in the middle of its own grey levels."""
    rng = np.random.default_rng(0)
    dark, bright = rng.integers(0, 60, (1, 30, 30)), rng.integers(180, 240, (1, 30, 30))
    volume = make_volume(np.concatenate([dark, bright]).astype(np.uint8))
    mask = threshold(volume, method="otsu", engine=engine)
    assert not mask.data[0].any()
    assert mask.data[1].all()


def test_nan_is_dark_and_counts_for_nothing(engine: str) -> None:
    """Cut-off corners of rotated stacks are NaN; the threshold is that of the rest."""
    volume, truth = _two_phases()
    data = volume.data.astype(np.float32)
    data[0, :5, :5] = np.nan
    mask = threshold(make_volume(data), method="otsu", engine=engine)
    np.testing.assert_array_equal(mask.data, truth & ~np.isnan(data))


@pytest.mark.parametrize("data", [np.full((2, 3, 4), 7, np.uint8), np.full((2, 3, 4), 0.5, np.float32)])
def test_a_volume_of_one_grey_value_is_refused(engine: str, data: np.ndarray) -> None:
    """Any answer would be made up."""
    with pytest.raises(ParameterError, match="all voxels have the grey value"):
        threshold(make_volume(data), method="otsu", engine=engine)


def test_infinite_voxels_are_refused(engine: str) -> None:
    """256 bins up to infinity hold everything in the first."""
    data = np.array([[[0, 1, np.inf]]], np.float32)
    with pytest.raises(ParameterError, match="infinite"):
        threshold(make_volume(data), method="otsu", engine=engine)


@pytest.mark.parametrize("method", ["intermodes", "minimum"])
def test_a_histogram_without_two_peaks_is_refused(engine: str, method: str) -> None:
    """ImageJ by itself logs a line and marks all but the blackest; a made-up answer must not pass for one."""
    # k voxels of each grey value k: one peak, at the end, however often the histogram is smoothed.
    ramp = make_volume(np.repeat(np.arange(256, dtype=np.uint8), np.arange(256)).reshape(2, 60, 272))
    with pytest.raises(ParameterError, match="finds no threshold"):
        threshold(ramp, method=method, engine=engine)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "fixed"}, "needs a value"),
        ({"method": "otsu", "value": 5}, "finds its own value"),
        ({"method": "Otsu"}, "method = 'Otsu' will not do"),
        ({"valeu": 5}, "did you mean 'value'"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong: dict, words: str) -> None:
    volume, _ = _two_phases(shape=(1, 4, 4))
    with pytest.raises(ParameterError, match=words):
        threshold(volume, **wrong)


def test_a_mask_is_refused() -> None:
    """It is the result of a threshold; the grey volume was meant."""
    mask = make_volume(np.eye(3, dtype=bool)[None])
    with pytest.raises(ParameterError, match="got a mask"):
        threshold(mask)
    with pytest.raises(ParameterError, match="got a mask"):
        automatic_threshold(mask)


_COUNTS = st.lists(st.integers(0, 1000), min_size=256, max_size=256).map(lambda counts: np.array(counts, np.int64))


@settings(max_examples=40, deadline=None)
@given(counts=_COUNTS, method=st.sampled_from([name for name in METHODS if name != "default"]))
def test_twice_as_many_voxels_of_the_same_kind_have_the_same_threshold(counts: np.ndarray, method: str) -> None:
    """Only shares count (ImageJ's default cuts its highest bin to a whole number of voxels); no sum overflows."""
    counts[[10, 100, 200]] += 1
    once = find_bin(method, counts)
    assert -1 <= once < 256
    assert find_bin(method, counts * 2**20) == once
