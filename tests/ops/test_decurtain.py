"""Decurtaining takes streaks out, tells how many there are, and leaves everything else alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from fijibridge.errors import ParameterError, VolumeError
from fijibridge.ops._decurtain import decurtain, find_curtains
from fijibridge.phantom.fibsem import Defects, make_fibsem
from fijibridge.volume import history, make_volume, same_grid

SHAPE = (6, 256, 256)
STILL = Defects(drift=0, jumps=0, brightness=0, charging=0, outliers=0, missing=0)


def rms(values: NDArray[np.generic]) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64)))))


@pytest.fixture(scope="module")
def free():  # type: ignore[no-untyped-def]
    return make_fibsem(SHAPE, defects=replace(STILL, curtain=0.0))


@pytest.mark.parametrize("kind", ["gain", "offset"])
def test_most_of_the_streaks_go_and_their_kind_is_found(free, kind: str) -> None:  # type: ignore[no-untyped-def]
    """What is left beyond the noise must be less than half of what was there, wide streaks included."""
    streaky = make_fibsem(SHAPE, defects=replace(STILL, curtain_on=kind)).volume
    left = rms(decurtain(streaky).data.astype(float) - free.volume.data)
    before = rms(streaky.data.astype(float) - free.volume.data)
    assert left < 0.42 * before
    assert find_curtains(streaky).kind == kind


@pytest.mark.parametrize("kind", ["gain", "offset"])
@pytest.mark.parametrize("curtain", [0.04, 0.08])
def test_the_kind_of_streaks_is_told_in_twice_the_noise(kind: str, curtain: float) -> None:
    """An offset taken for gain takes streaks out of the pores that were never there."""
    noisy = make_fibsem((4, 256, 256), seed=1, defects=replace(STILL, curtain_on=kind, curtain=curtain, noise=12.0))
    assert find_curtains(noisy.volume).kind == kind


def test_streaks_far_above_the_noise_that_bend_are_removed(free) -> None:  # type: ignore[no-untyped-def]
    """On smooth ground severe streaks lean and bend by more than the noise: they are no edges of the sample."""
    smooth = np.asarray(free.clean.data[:2]) * 0.2 + 90
    across = 60 * ndimage.gaussian_filter1d(np.random.default_rng(1).normal(0, 1, 280), 2.0)
    place = np.arange(256) + 12 + 3 * np.sin(np.arange(256)[:, None] / 80)
    streaky = make_volume((smooth + np.interp(place, np.arange(280), across)).astype(np.float32))
    left = decurtain(streaky).data - smooth
    assert rms(left - left.mean(axis=(1, 2), keepdims=True)) < 0.5 * rms(across)


def test_a_stack_without_streaks_is_left_alone(free) -> None:  # type: ignore[no-untyped-def]
    """Automatic strength is worth nothing if it invents streaks."""
    assert rms(decurtain(free.volume).data.astype(float) - free.volume.data) < 0.5
    assert find_curtains(free.volume).strength < 0.5


def test_the_report_tells_what_is_removed_and_what_it_costs(free) -> None:  # type: ignore[no-untyped-def]
    """Both numbers, in grey levels: users weigh one against the other."""
    streaky = make_fibsem(SHAPE, defects=STILL).volume
    plan = find_curtains(streaky)
    true = rms(streaky.data.astype(float) - free.volume.data)
    assert 0.7 * true < plan.removed < 1.3 * true
    assert 0 < plan.structure_lost < 0.5 * plan.removed


@pytest.mark.parametrize("angle", [-3.0, 5.0])
def test_streaks_a_few_degrees_off_are_found_and_removed(free, angle: float) -> None:  # type: ignore[no-untyped-def]
    """A stage that is turned a little against the scan."""
    streaky = make_fibsem(SHAPE, defects=replace(STILL, curtain_angle=angle)).volume
    assert abs(find_curtains(streaky).angle_deg - angle) < 0.5
    before = rms(streaky.data.astype(float) - free.volume.data)
    assert rms(decurtain(streaky).data.astype(float) - free.volume.data) < 0.65 * before


def test_strength_zero_changes_nothing_and_half_takes_half() -> None:
    """The user's own strength overrides the measured one."""
    streaky = make_fibsem((2, 128, 128), defects=STILL).volume.astype(np.float32)
    none, half, all_ = (decurtain(streaky, strength=s, angle_deg=0).data - streaky.data for s in (0.0, 0.5, 1.0))
    assert rms(none) == 0
    assert rms(half - all_ / 2) < 1e-3


def test_wavelet_fft_removes_straight_streaks(free) -> None:  # type: ignore[no-untyped-def]
    """The field's standard, for comparison: it must do what it can."""
    across = np.random.default_rng(0).normal(0, 10, 256)
    streaky = make_volume(free.clean.data[:2] + across.astype(np.float32))
    before = rms(streaky.data - free.clean.data[:2])
    done = decurtain(streaky, method="wavelet_fft", level=3)
    assert rms(done.data - free.clean.data[:2]) < 0.7 * before


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_dtype_grid_and_input_stay_and_the_step_is_recorded(dtype: type) -> None:
    """What every operation owes."""
    volume = make_volume(
        make_fibsem((2, 96, 130), defects=STILL).volume.data.astype(dtype), spacing=(20, 10, 10), units="nm"
    )
    before = volume.data.copy()
    done = decurtain(volume)
    assert done.dtype == dtype
    assert same_grid(done, volume)
    assert (volume.data == before).all()
    assert history(done)[-1]["operation"] == "decurtain"


def test_a_constant_slice_stays_constant() -> None:
    """No noise, no edge, nothing to divide by."""
    flat = make_volume(np.full((2, 64, 64), 100, np.uint8))
    assert (decurtain(flat).data == 100).all()


def test_bad_input_is_refused_by_name() -> None:
    """NaN, slices too small, a wavelet that is none, levels too deep."""
    good = make_volume(np.random.default_rng(0).normal(100, 5, (2, 64, 64)).astype(np.float32))
    holed = good.copy(deep=True)
    holed.data[1, 3, 3] = np.nan
    with pytest.raises(VolumeError, match="slice 1"):
        decurtain(holed)
    with pytest.raises(VolumeError, match="16 x 16"):
        decurtain(good[:, :10])
    with pytest.raises(ParameterError, match="wavelet"):
        decurtain(good, method="wavelet_fft", wavelet="nonsense")
    with pytest.raises(ParameterError, match="level"):
        decurtain(good, method="wavelet_fft", level=9)
