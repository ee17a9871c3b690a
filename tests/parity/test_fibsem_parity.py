"""The FIB-SEM steps in ImageJ against the native ones: what is the same, and how far the rest lies apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fijibridge.errors import EngineMissingError, ParameterError
from fijibridge.ops._align import align
from fijibridge.ops._crop import crop
from fijibridge.ops._decurtain import decurtain
from fijibridge.ops._even_out import even_out
from fijibridge.ops._resample import resample
from fijibridge.ops._shear import shear
from fijibridge.phantom.fibsem import NO_DEFECTS, Defects, make_fibsem
from fijibridge.volume import make_volume, origin, same_grid, voxel_size


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64)))))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_crop_is_the_same_to_the_voxel(dtype: type) -> None:
    """Nothing is computed: any difference would be a slip by one."""
    data = np.random.default_rng(0).integers(0, 250, (5, 20, 30)).astype(dtype)
    volume = make_volume(data, spacing=(20, 10, 5), origin=(3, 2, 1))
    ours, theirs = (crop(volume, box=(1, 4, 2, 17, 3, 30), engine=engine) for engine in ("native", "fiji"))
    assert same_grid(ours, theirs)
    assert (ours.data == theirs.data).all()
    assert theirs.dtype == dtype


def test_align_moves_slices_as_the_native_engine_does() -> None:
    """On good slices both see the same drift, to half a pixel."""
    made = make_fibsem((8, 160, 160), defects=replace(NO_DEFECTS, drift=1.5, noise=5.0))
    left = {}
    for engine in ("native", "fiji"):
        done = align(made.volume, trend="remove", engine=engine).data.astype(float)[:, 30:-30, 30:-30]
        left[engine] = rms(np.diff(done, axis=0))
    before = rms(np.diff(made.volume.data.astype(float)[:, 30:-30, 30:-30], axis=0))
    assert left["native"] < 0.75 * before
    assert left["fiji"] < 1.15 * left["native"]


def test_align_by_a_template_holds_the_cap_in_place() -> None:
    """The slow drift of a cap that is the same in every slice."""
    made = make_fibsem((8, 160, 160), cap=60, defects=replace(NO_DEFECTS, trend=12.0, noise=5.0))
    done = align(made.volume, trend="template", region=(0, 48, 0, 160), engine="fiji").data.astype(float)
    cap = done[:, 12:40, 20:-20]
    before = made.volume.data[:, 12:40, 20:-20].astype(float)
    assert rms(cap - cap.mean(axis=0)) < 0.6 * rms(before - before.mean(axis=0))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_notch_removes_some_of_the_streaks_and_less_than_the_native_engine(dtype: type) -> None:
    """What the docstring says of the difference."""
    still = Defects(drift=0, jumps=0, brightness=0, charging=0, outliers=0, missing=0)
    made = make_fibsem((2, 150, 200), defects=still)
    volume = make_volume(made.volume.data.astype(dtype))
    before = rms(volume.data - made.clean.data)
    notched = rms(decurtain(volume, engine="fiji").data - made.clean.data)
    assert notched < 0.95 * before
    assert rms(decurtain(volume).data - made.clean.data) < notched


def test_even_out_in_imagej_gives_all_slices_the_mean_of_the_reference() -> None:
    """Mean and standard deviation, as documented."""
    made = make_fibsem((4, 64, 64), defects=replace(NO_DEFECTS, noise=4.0)).volume.data.astype(np.float32)
    jumpy = make_volume(made * np.array([1, 0.8, 1.1, 0.9], np.float32)[:, None, None])
    done = even_out(jumpy, reference="first", engine="fiji").data
    assert np.abs(done.mean(axis=(1, 2)) - jumpy.data[0].mean()).max() < 0.1
    assert np.abs(done.std(axis=(1, 2)) - jumpy.data[0].std()).max() < 0.1


def test_resample_gives_the_same_grid_and_nearly_the_same_values() -> None:
    """Bicubic against spline: smooth images agree."""
    y, x = np.mgrid[:40, :50]
    data = (128 + 60 * np.sin(y / 6) * np.cos(x / 7)).astype(np.float32)[None].repeat(6, axis=0)
    volume = make_volume(data, spacing=(20, 10, 10))
    ours, theirs = (resample(volume, engine=engine) for engine in ("native", "fiji"))
    assert ours.shape == theirs.shape == (12, 40, 50)
    assert voxel_size(ours) == voxel_size(theirs)
    assert origin(ours) == origin(theirs)
    assert rms(ours.data - theirs.data) < 1


def test_shear_moves_slices_as_the_native_engine_does() -> None:
    """A smooth image moved by parts of a pixel: both interpolate well."""
    y = np.arange(60)[:, None] + np.zeros((60, 40))
    data = np.stack([100 + 50 * np.sin((y - 0.6 * z) / 5) for z in range(6)]).astype(np.float32)
    ours, theirs = (shear(make_volume(data), engine=engine) for engine in ("native", "fiji"))
    assert same_grid(ours, theirs)
    assert rms((ours.data - theirs.data)[:, 12:50, 5:-5]) < 1


@pytest.mark.parametrize(
    ("operation", "kwargs"),
    [
        (decurtain, {"method": "robust"}),
        (decurtain, {"angle_deg": 3.0}),
        (align, {"interpolation": "nearest"}),
        (align, {"method": "sift", "trend": "keep"}),
        (even_out, {"gradient_share": 0.5}),
        (resample, {"positions": (0.0, 1.0)}),
        (shear, {"nearest": True}),
    ],
)
def test_what_imagej_lacks_is_an_error_that_names_the_native_engine(operation, kwargs) -> None:  # type: ignore[no-untyped-def]
    """No silent second choice."""
    volume = make_volume(np.random.default_rng(0).integers(0, 200, (2, 64, 64)).astype(np.uint8))
    with pytest.raises(ParameterError, match="native"):
        operation(volume, engine="fiji", **kwargs)


def test_a_method_of_imagej_is_refused_by_the_native_engine_and_by_an_imagej_without_its_plugin() -> None:
    """Nothing else is done in its stead."""
    volume = make_volume(np.random.default_rng(0).integers(0, 200, (2, 64, 64)).astype(np.uint8))
    with pytest.raises(ParameterError, match="engine='fiji'"):
        align(volume, method="sift", trend="remove")
    with pytest.raises(EngineMissingError, match="mpicbg"):
        align(volume, method="sift", trend="remove", engine="fiji")
