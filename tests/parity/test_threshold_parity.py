"""ImageJ's 17 automatic thresholds against the native ones.

Compared: whole masks, voxel by voxel, tolerance none, for uint8, uint16 and float32, on a phantom (two phases, blurred,
noisy) and on real images. Not compared: volumes so large that ImageJ's 32-bit sums overflow; the last test shows one.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from scipy import ndimage

from fijibridge.errors import ParameterError
from fijibridge.io import read_volume
from fijibridge.ops import AutoMethod, automatic_threshold, threshold
from fijibridge.volume import Volume, make_volume

METHODS = get_args(AutoMethod)


def _phantom(dtype: str, *, depth: int = 12) -> Volume:
    rng = np.random.default_rng(11)
    solid = ndimage.gaussian_filter(rng.normal(size=(depth, 48, 56)), 3) > 0.01
    grey = ndimage.gaussian_filter(np.where(solid, 175.0, 80.0), 1) + rng.normal(0, 14, solid.shape)
    scale, shift = {"uint8": (1, 0), "uint16": (201.7, 900), "float32": (1 / 77, -1.3)}[dtype]
    grey = np.clip(grey, 0, 255) * scale + shift
    return make_volume(grey.astype(dtype))


def _mask(volume: Volume, method: str, engine: str) -> np.ndarray | str:
    """Give the mask, or the refusal: both engines must refuse the same."""
    try:
        return np.asarray(threshold(volume, method=method, engine=engine).data)
    except ParameterError as error:
        return str(error)


def _assert_same(volume: Volume, method: str) -> None:
    np.testing.assert_array_equal(_mask(volume, method, "native"), _mask(volume, method, "fiji"))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("depth", [1, 12])
def test_masks_are_equal_on_a_phantom(method: str, dtype: str, depth: int) -> None:
    """A single slice takes another way through ImageJ than a stack."""
    _assert_same(_phantom(dtype, depth=depth), method)


@pytest.mark.parametrize("method", METHODS)
def test_masks_are_equal_on_real_images(method: str, shared_data) -> None:
    """Cement (X-ray CT, uint8, 128^3), a Li-ion cell (X-ray CT, uint16) and that in float32."""
    _assert_same(read_volume(shared_data("cement_xct_volume") / "cement_128x128x128.tif")[:64], method)
    cell = read_volume(shared_data("battery_cell_xct") / "im_1.tif")
    _assert_same(cell, method)
    _assert_same(cell.astype(np.float32, keep_attrs=True) / np.float32(3), method)


def test_masks_are_equal_where_grey_values_are_few(shared_data) -> None:
    """Labels of three values: histograms with wide gaps, where ties decide."""
    labels = read_volume(shared_data("nmc_segmented_volumes") / "nmc-1-cal_generatedCBD_bridge.tif")[::25, ::3, ::3]
    for method in METHODS:
        _assert_same(labels, method)
        _assert_same(labels.astype(np.uint16, keep_attrs=True) * np.uint16(1000), method)


def test_imagej_overflows_on_large_volumes_and_native_does_not() -> None:
    """MinError sums bin^2 * voxels in 32 bits. The native threshold is that of every 40th voxel, as it should be."""
    rng = np.random.default_rng(2)
    grey = np.concatenate([rng.normal(110, 30, 1_000_000), rng.normal(215, 10, 3_000_000)])
    grey = np.sort(grey.clip(0, 255).astype(np.uint8))
    large, few = make_volume(grey.reshape(80, 200, 250)), make_volume(grey[40::80].reshape(1, 200, 250))
    right = automatic_threshold(few, method="min_error")
    _assert_same(few, "min_error")
    assert automatic_threshold(large, method="min_error") == right
    by_imagej = threshold(large, method="min_error", engine="fiji")
    assert large.data[by_imagej.data].min() == right + 4


def test_a_macro_of_the_same_name_in_the_working_folder_is_not_run(tmp_path, monkeypatch):
    """An operation must do the same wherever it is called."""
    (tmp_path / "threshold.ijm").write_text('exit("the wrong macro");')
    monkeypatch.chdir(tmp_path)
    volume = make_volume(np.tile(np.uint8([10, 200]), (2, 8, 4)))
    np.testing.assert_array_equal(threshold(volume, engine="fiji").data, volume.data == 200)
