"""Evening out, cropping, shear, resampling and pore filling: each against a truth that is known."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fijibridge.errors import ParameterError, VolumeError
from fijibridge.io.spill import spilling
from fijibridge.ops._crop import crop
from fijibridge.ops._even_out import even_out
from fijibridge.ops._fill_pores import fill_pores
from fijibridge.ops._resample import resample
from fijibridge.ops._shear import shear
from fijibridge.phantom.fibsem import NO_DEFECTS, make_fibsem
from fijibridge.volume import make_volume, origin, voxel_size


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64)))))


def test_even_out_undoes_jumps_of_brightness_and_contrast() -> None:
    """Each slice gets its own gain and offset; the phases' levels must come back."""
    clean = make_fibsem((12, 128, 128), defects=replace(NO_DEFECTS, noise=4.0)).volume.data.astype(np.float32)
    rng = np.random.default_rng(0)
    gain, offset = 1 + 0.1 * rng.standard_normal(12), 8 * rng.standard_normal(12)
    gain[5] = 0.6
    jumpy = clean * gain[:, None, None].astype(np.float32) + offset[:, None, None].astype(np.float32)
    done = even_out(make_volume(jumpy)).data
    means = done.mean(axis=(1, 2)) - clean.mean(axis=(1, 2))
    assert means.std() < 2
    assert rms(done - clean - means.mean()) < 0.35 * rms(jumpy - clean)


def test_even_out_leaves_slices_with_more_of_one_phase_alone() -> None:
    """True contrast is not flattened: the share of a phase may change from slice to slice."""
    rng = np.random.default_rng(1)
    data = np.full((8, 100, 100), 60.0, np.float32)
    for z in range(8):
        data[z, : 30 + 5 * z] = 160
    data += rng.normal(0, 3, data.shape).astype(np.float32)
    done = even_out(make_volume(data)).data
    assert np.abs(done[:, :25].mean(axis=(1, 2)) - 160).max() < 3
    assert np.abs(done[:, 80:].mean(axis=(1, 2)) - 60).max() < 3


def test_even_out_takes_out_a_slow_gradient_but_keeps_the_phases() -> None:
    """Light that falls off across the slice, over particles far smaller."""
    clean = make_fibsem((3, 256, 256), defects=replace(NO_DEFECTS, noise=4.0), diameter_um=1.6).volume
    data = clean.data.astype(np.float32)
    slope = np.linspace(0.8, 1.2, 256, dtype=np.float32)[None, None]
    done = even_out(make_volume(data * slope), gradient_share=0.5).data
    left = (done / data).mean(axis=1)
    assert np.ptp(left[:, 10:-10], axis=1).max() < 0.12
    assert abs(rms(done - done.mean()) / rms(data - data.mean()) - 1) < 0.1


def test_crop_takes_the_box_and_keeps_its_place_in_space() -> None:
    """A crop must still lie where it lay in the sample."""
    volume = make_volume(np.arange(4 * 5 * 6).reshape(4, 5, 6), spacing=(4, 2, 1), units="nm")
    part = crop(volume, box=(1, 3, 0, 5, 2, 6))
    assert (part.data == volume.data[1:3, :, 2:]).all()
    assert origin(part) == (4, 0, 2)
    assert voxel_size(part)[:3] == (4, 2, 1)


def test_crop_without_a_box_keeps_what_every_slice_fills() -> None:
    """The region valid in all slices after alignment, and not a row less."""
    data = np.full((3, 20, 20), 9, np.uint8)
    data[0, :3], data[1, :, -4:], data[2, -2:] = 0, 0, 0
    data[:, 10, 10] = 0
    assert crop(make_volume(data)).shape == (3, 15, 16)
    assert (crop(make_volume(data)).data[:, 0] == 9).all()


def test_crop_refuses_boxes_outside_and_stacks_without_common_region() -> None:
    """An empty volume is no volume."""
    volume = make_volume(np.ones((2, 8, 8), np.uint8))
    with pytest.raises(ParameterError, match="box"):
        crop(volume, box=(0, 2, 0, 9, 0, 8))
    data = np.zeros((2, 8, 8), np.uint8)
    data[0, :4], data[1, 4:] = 1, 1
    with pytest.raises(ParameterError, match="valid"):
        crop(make_volume(data))


def test_shear_makes_a_tilted_rod_upright_and_y_as_long_as_it_is() -> None:
    """At 52 degrees and slices as far apart as rows, the face moves 0.616 rows a slice."""
    data = np.zeros((20, 60, 12), np.float32)
    rows = np.arange(60)
    for z in range(20):
        centre = 40 - z * np.cos(np.deg2rad(52))
        data[z] = np.exp(-((rows - centre) ** 2) / 8)[:, None]
    done = shear(make_volume(data, spacing=(10, 10, 10)), angle_deg=52)
    places = (done.data[:, :, 6] * np.arange(done.shape[1])).sum(axis=1) / done.data[:, :, 6].sum(axis=1)
    assert np.ptp(places) < 0.05
    assert voxel_size(done).y == pytest.approx(10 / np.sin(np.deg2rad(52)))


def test_shear_face_on_changes_nothing() -> None:
    """90 degrees is the view without tilt."""
    volume = make_volume(np.random.default_rng(0).integers(0, 9, (3, 8, 8)).astype(np.uint8))
    assert (shear(volume, angle_deg=90).data == volume.data).all()


def test_fill_pores_fills_closed_pores_and_no_open_ones() -> None:
    """A pore that is a ring in every slice but open along z must stay."""
    labels = np.full((9, 20, 20), 2, np.uint8)
    labels[1:8, 2:18, 2:18] = 1
    labels[3:5, 5:8, 5:8] = 2
    labels[:, 12:14, 12:14] = 2
    done = fill_pores(make_volume(labels)).data
    assert (done[3:5, 5:8, 5:8] == 1).all()
    assert (done[:, 12:14, 12:14] == 2).all()
    kept = fill_pores(make_volume(labels), largest=5).data
    assert (kept == labels).all()
    mask = make_volume(labels == 1)
    assert (fill_pores(mask).data == (done == 1)).all()


def test_resample_down_averages_by_area_and_keeps_the_total() -> None:
    """Every voxel counts by its share, also where sizes do not divide."""
    data = np.random.default_rng(0).random((6, 10, 15)).astype(np.float32)
    volume = make_volume(data, spacing=(2, 2, 2))
    half = resample(volume, size=(2, 4, 2))
    assert half.shape == (6, 5, 15)
    assert np.allclose(half.data, data.reshape(6, 5, 2, 15).mean(axis=2), atol=1e-5)
    odd = resample(volume, size=(2, 2, 5))
    assert odd.data.mean() == pytest.approx(data.mean(), abs=1e-4)
    assert origin(odd)[2] == pytest.approx(1.5)


def test_resample_up_follows_a_smooth_function() -> None:
    """Splines, not steps; coordinates say where the values lie."""
    z, y, x = np.meshgrid(np.arange(8.0), np.arange(24.0), np.arange(24.0), indexing="ij")

    def wave(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.sin(0.4 * y) + np.cos(0.3 * x) + 0.1 * z

    fine = resample(make_volume(wave(z, y, x).astype(np.float32)), size=(0.5, 0.5, 0.5))
    grid = np.meshgrid(*(fine.coords[d].values for d in "zyx"), indexing="ij")
    assert fine.shape == (16, 48, 48)
    assert np.abs(fine.data - wave(*grid))[3:-3, 6:-6, 6:-6].max() < 0.01


def test_resample_isotropic_is_the_default_and_units_are_converted() -> None:
    """256 nm slices of 55 nm pixels become cubes."""
    volume = make_volume(np.zeros((5, 8, 8), np.uint8), spacing=(256, 55, 55), units="nm")
    assert voxel_size(resample(volume))[:3] == (55, 55, 55)
    assert voxel_size(resample(volume, size=(0.11, 0.11, 0.11), units="um"))[:3] == pytest.approx((110, 110, 110))


def test_resample_labels_takes_the_majority_and_makes_no_new_label() -> None:
    """A mean of labels would be nonsense."""
    labels = np.array([1, 1, 2, 2, 2, 5, 5, 5], np.uint8)[None, None].repeat(2, 1).repeat(2, 0)
    done = resample(make_volume(labels, spacing=(1, 1, 1)), size=(1, 1, 4), labels=True)
    assert set(np.unique(done.data)) <= {1, 2, 5}
    assert done.data[0, 0].tolist() == [1, 5]
    finer = resample(make_volume(labels), size=(1, 1, 0.5), labels=True)
    assert finer.data[0, 0].tolist() == np.repeat(labels[0, 0], 2).tolist()


def test_resample_puts_uneven_slices_where_they_were() -> None:
    """Slices thinner and thicker than meant, measured; the linear structure must come out straight."""
    places = np.array([0.0, 1.0, 1.5, 3.0, 4.0])
    data = (10 * places)[:, None, None] * np.ones((1, 4, 4))
    done = resample(make_volume(data.astype(np.float32)), positions=tuple(places))
    assert np.allclose(done.data[:, 0, 0], [0, 10, 20, 30, 40], atol=1e-4)
    with pytest.raises(ParameterError, match="positions"):
        resample(make_volume(data), positions=(0.0, 2.0))


def test_resample_refuses_sizes_that_are_a_slip_of_units() -> None:
    """A millionth of a voxel would ask for all memory there is."""
    volume = make_volume(np.zeros((4, 64, 64), np.uint8))
    with pytest.raises(ParameterError, match="units"):
        resample(volume, size=(1e-6, 1e-6, 1e-6))
    with pytest.raises(ParameterError, match="positive"):
        resample(volume, size=(0, 1, 1))


@pytest.mark.parametrize("labels", [False, True])
def test_resample_holds_few_slices_in_memory(tmp_path: Path, labels: bool) -> None:
    """Stacks may be larger than memory: what is held must not grow with the number of slices."""
    data = np.random.default_rng(0).integers(0, 4, (200, 96, 96)).astype(np.uint8)
    with spilling(tmp_path, large=1000):
        tracemalloc.start()
        done = resample(make_volume(data, spacing=(2, 1, 1)), labels=labels)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert done.shape == (400, 96, 96)
    assert peak < 0.5 * done.nbytes


def test_resample_refuses_voxels_that_are_no_numbers() -> None:
    """One of them would spread over all that is interpolated from it."""
    data = np.ones((4, 16, 16), np.float32)
    data[2, 5, 5] = np.nan
    with pytest.raises(VolumeError, match="slice 2 holds 1"):
        resample(make_volume(data), size=(0.5, 0.5, 0.5))
