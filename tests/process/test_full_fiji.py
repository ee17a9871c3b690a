"""What a full Fiji adds, run only where one is given: ``pytest --fiji FOLDER``."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from fijibridge.errors import EngineFailedError
from fijibridge.fiji import Fiji
from fijibridge.ops import align, watershed
from fijibridge.phantom import make_electrode
from fijibridge.volume import make_volume, same_grid, voxel_size, with_data

_SIFT = {
    "initial_gaussian_blur": 1.6,
    "steps_per_scale_octave": 3,
    "minimum_image_size": 64,
    "maximum_image_size": 1024,
    "feature_descriptor_size": 4,
    "feature_descriptor_orientation_bins": 8,
    "closest/next_closest_ratio": 0.92,
    "maximal_alignment_error": 25,
    "inlier_ratio": 0.05,
    "expected_transformation": "Translation",
    "interpolate": True,
}


@pytest.fixture(scope="module")
def shifted():
    """Eight noisy views of one textured plane, each moved by whole pixels, and the moves."""
    rng = np.random.default_rng(0)
    plane = ndimage.gaussian_filter(rng.normal(size=(200, 200)), 3)
    plane = 128 + 40 * plane / plane.std()
    moves = rng.integers(-6, 7, (8, 2))
    moves[0] = 0
    views = [np.roll(plane, move, (0, 1)) + rng.normal(0, 2, plane.shape) for move in moves]
    return make_volume(np.clip(views, 0, 255).astype(np.uint8), spacing=(20, 10, 10), units="nm")


@pytest.fixture
def having(full_fiji):
    """Give the Fiji if it has a command; skip, counted, where the plugin is not installed."""

    def find(command: str) -> Fiji:
        if not full_fiji.has(command):
            pytest.skip(f"the given Fiji has no {command}")
        return full_fiji

    return find


def _left_over(stack: np.ndarray) -> float:
    """Mean grey difference of neighbouring slices away from the borders; the noise alone gives about 2.3."""
    inside = stack[:, 20:-20, 20:-20].astype(float)
    return float(np.abs(np.diff(inside, axis=0)).mean())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_voxels_and_sizes_go_through_a_full_fiji(full_fiji, dtype):
    """The same way in and out as in the embedded ImageJ."""
    values = np.arange(2 * 5 * 7).reshape(2, 5, 7).astype(dtype)
    volume = make_volume(values, spacing=(30, 10, 10), units="nm")
    back = full_fiji.run_macro("", volume).image
    np.testing.assert_array_equal(back.data, values)
    assert back.dtype == dtype
    assert voxel_size(back) == voxel_size(volume)


def test_a_full_fiji_reports_failures_and_goes_on(full_fiji):
    """A failing macro costs its own job only."""
    with pytest.raises(EngineFailedError, match="on purpose"):
        full_fiji.run_macro('exit("failed on purpose");')
    assert full_fiji.run_macro('return "still here";').returned == "still here"


def test_a_full_fiji_leaves_nothing_between_jobs(full_fiji):
    """What one macro leaves open would change the next one."""
    full_fiji.run_macro('newImage("left", "8-bit ramp", 9, 9, 1); makeRectangle(1, 1, 3, 3); run("Measure");')
    counted = full_fiji.run_macro('return "" + nImages + " " + nResults;').returned
    assert counted == "0 0"


def test_sift_takes_the_moves_out(having, shifted):
    """The plugin that Fiji users align FIB-SEM stacks with."""
    command = "Linear Stack Alignment with SIFT"
    result = having(command).run(command, shifted, **_SIFT)
    aligned = next(image for title, image in result.images.items() if title.startswith("Aligned"))
    assert _left_over(shifted.data) > 20
    assert _left_over(aligned.data) < 4


def test_stackreg_takes_the_moves_out(having, shifted):
    """The other one."""
    result = having("StackReg").run("StackReg", shifted, transformation="Translation")
    assert _left_over(result.image.data) < 4


def test_morpholibj_floods_from_markers_in_3d(having):
    """Two balls that touch are parted where they meet, all the way through the stack."""
    z, y, x = np.indices((20, 32, 40))
    near = np.minimum((x - 12) ** 2, (x - 28) ** 2) + (y - 16) ** 2 + (z - 10) ** 2
    inside = make_volume((near < 81).astype(np.uint8) * 255).rename("mask")
    distance = ndimage.distance_transform_edt(inside.data)
    relief = make_volume((20 - np.clip(distance, 0, 20)).astype(np.float32)).rename("relief")
    markers = np.zeros(near.shape, np.uint8)
    markers[10, 16, 12], markers[10, 16, 28] = 1, 2
    result = having("Marker-controlled Watershed").run(
        "Marker-controlled Watershed",
        relief,
        make_volume(markers).rename("markers"),
        inside,
        input="relief",
        marker="markers",
        mask="mask",
        compactness=0,
    )
    labels = np.asarray(next(image for title, image in result.images.items() if "watershed" in title).data)
    assert set(np.unique(labels[(near < 81) & (x < 19)])) <= {0, 1}
    assert set(np.unique(labels[(near < 81) & (x > 21)])) <= {0, 2}
    assert (labels == 1).sum() > 1500
    assert (labels == 2).sum() > 1500


def test_morpholibj_and_the_native_watershed_agree_on_a_stack(having, monkeypatch):
    """In 3-D both, on the same gradient; voxels go into the queue in another order, so that noise tells (4.9 %)."""
    fiji = having("Marker-controlled Watershed")
    monkeypatch.setattr("fijibridge.fiji._door._default", fiji)
    electrode = make_electrode((24, 64, 64), noise=10)
    window = {"low": 80, "high": 140, "flood": "stack"}
    native, imagej = (watershed(electrode.grey, **window, engine=engine) for engine in ("native", "fiji"))
    assert imagej.dtype == bool
    assert (native.data != imagej.data).mean() < 0.07
    assert (imagej.data == (electrode.truth.data == 1)).mean() > 0.92


def test_align_takes_turns_out_by_stackreg(having, monkeypatch):
    """Native and ImageJ alike: slices that were turned by known angles lie on each other again."""
    fiji = having("StackReg")
    monkeypatch.setattr("fijibridge.fiji._door._default", fiji)
    rng = np.random.default_rng(1)
    plane = ndimage.gaussian_filter(rng.normal(size=(220, 220)), 3)
    plane = 128 + 40 * plane / plane.std()
    turned = [ndimage.rotate(plane, angle, reshape=False, mode="nearest") for angle in (0, 1.5, -1, 0.5)]
    volume = make_volume(np.clip(np.array(turned)[:, 20:-20, 20:-20], 0, 255).astype(np.uint8))
    assert _left_over(volume.data) > 10
    for engine in ("native", "fiji"):
        assert _left_over(align(volume, model="rigid", trend="remove", engine=engine).data) < 4, engine


@pytest.mark.parametrize(
    ("method", "command"), [("stackreg", "StackReg"), ("sift", "Linear Stack Alignment with SIFT")]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_align_takes_moves_out_by_the_plugin_that_was_asked_for(having, shifted, monkeypatch, method, command, dtype):
    """Grey levels of every type come back as they went, on the same grid."""
    monkeypatch.setattr("fijibridge.fiji._door._default", having(command))
    volume = with_data(shifted, shifted.data.astype(dtype))
    done = align(volume, trend="remove", method=method, engine="fiji")
    assert same_grid(done, volume)
    assert done.dtype == dtype
    assert _left_over(done.data) < 4


def test_align_takes_turns_out_by_sift(having, shifted, monkeypatch):
    """The model goes through to the plugin."""
    monkeypatch.setattr("fijibridge.fiji._door._default", having("Linear Stack Alignment with SIFT"))
    plane = np.pad(shifted.data[0].astype(float), 20, mode="reflect")
    turned = [ndimage.rotate(plane, angle, reshape=False, mode="nearest") for angle in (0, 1.5, -1, 0.5)]
    volume = make_volume(np.clip(np.array(turned)[:, 20:-20, 20:-20], 0, 255).astype(np.uint8))
    done = align(volume, model="rigid", trend="remove", method="sift", engine="fiji")
    assert _left_over(volume.data) > 8
    assert _left_over(done.data) < 4
