"""The numbers of a preparation's report, on stacks whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from fijibridge.prepare.measure import emptied, grey_window, shifts_in, slice_histograms, stripe_spectrum
from fijibridge.volume import make_volume


@pytest.fixture
def noise():
    """Give white noise: no direction, one brightness."""
    grey = np.random.default_rng(0).normal(100, 10, (12, 160, 128))
    return make_volume(np.clip(grey, 0, 255).astype(np.uint8), spacing=(30, 10, 10))


def test_noise_has_no_stripes(noise):
    """The measure must be 1 where there is nothing to remove."""
    assert stripe_spectrum(noise).ratio == pytest.approx(1, abs=0.05)


def test_vertical_stripes_show_at_their_frequency(noise):
    """Stripes of a period of 80 nm stand at 1/80 per nm, and nowhere else."""
    wave = 20 * np.sin(2 * np.pi * np.arange(128) * 10 / 80)
    spectrum = stripe_spectrum(make_volume(noise.data + wave, spacing=(30, 10, 10)))
    peak = spectrum.frequency[(spectrum.stripes / spectrum.reference).argmax()]
    assert peak == pytest.approx(1 / 80, abs=np.diff(spectrum.frequency)[0])
    assert spectrum.ratio > 1.3


def test_faint_stripes_of_all_widths_stand_out_at_any_brightness():
    """Curtains of a quarter of the noise, such as the eye just sees; contrast must not change the number."""
    rng = np.random.default_rng(2)
    curtains = rng.normal(0, 10 / np.sqrt(160), (12, 1, 128))
    grey = make_volume(rng.normal(100, 10, (12, 160, 128)) + 3 * curtains)
    assert 2 < stripe_spectrum(grey).ratio < 8
    assert stripe_spectrum(make_volume(grey.data * 5)).ratio == pytest.approx(stripe_spectrum(grey).ratio)


def test_horizontal_stripes_are_none_of_the_beams(noise):
    """What runs along x is no curtain; it lies in neither wedge."""
    wave = 20 * np.sin(2 * np.pi * np.arange(160) * 10 / 80)[:, None]
    assert stripe_spectrum(make_volume(noise.data + wave, spacing=(30, 10, 10))).ratio == pytest.approx(1, abs=0.1)


def test_a_rim_emptied_by_aligning_is_no_stripe(noise):
    """Aligned slices end in empty bars, which are the sharpest vertical edges of all."""
    data = np.array(noise.data)
    data[:, :, :9] = 0
    data[:, :, -6:] = 0
    assert stripe_spectrum(make_volume(data, spacing=(30, 10, 10))).ratio == pytest.approx(1, abs=0.05)


def test_a_slices_brightness_shows_in_its_row(noise):
    """Each row is the histogram of one slice, and sums to one."""
    data = np.array(noise.data)
    data[5] += 60
    volume = make_volume(data)
    window = grey_window(volume)
    table = slice_histograms(volume, window)
    levels = np.linspace(*window, table.shape[1] + 1)[:-1] + 0.5
    means = table @ levels
    assert table.sum(axis=1) == pytest.approx(1)
    assert means[5] == pytest.approx(160, abs=1)
    assert np.delete(means, 5) == pytest.approx(100, abs=1)


def test_whole_grey_levels_get_a_step_each(noise):
    """Otherwise every other step would hold two levels: stripes in the picture that are not in the data."""
    volume = make_volume(np.tile(np.arange(50, 210, dtype=np.uint8), (3, 40, 1)))
    table = slice_histograms(volume, grey_window(volume))
    assert table.min() > 0
    assert np.ptp(table[:, 1:-1]) < 1e-12


def test_numbers_that_are_none_do_not_spoil_the_measures():
    """Floats may hold nan where a stack has no data."""
    grey = np.random.default_rng(1).normal(0, 1, (4, 64, 64)).astype(np.float32)
    grey[:, :, :3] = np.nan
    volume = make_volume(grey)
    assert np.isfinite(slice_histograms(volume, grey_window(volume))).all()
    assert stripe_spectrum(volume).ratio == pytest.approx(1, abs=0.2)


def test_shifts_are_found_in_a_step_or_within_it():
    """An alignment records them within its step; applying given ones records them itself."""
    table = [[0.0, 1.5], [2.0, -3.0]]
    inner = {"operation": "apply_shifts", "parameters": {"shifts": table}}
    for step in (inner, {"operation": "align", "parameters": {"trend": "keep"}, "within": [inner]}):
        np.testing.assert_array_equal(shifts_in(step), table)
    assert shifts_in({"operation": "smooth", "parameters": {"sigma": 1}}) is None


def test_voxels_emptied_by_shifts_are_counted():
    """Of 10 x 20 voxels, moving by (1, -2) leaves 9 x 18; of two slices the other stays whole."""
    assert emptied(np.array([[1.0, -2.0], [0.0, 0.0]]), (2, 10, 20)) == pytest.approx((200 - 9 * 18) / 400)
