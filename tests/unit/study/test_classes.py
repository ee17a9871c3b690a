"""Claims about thresholds, windows and which class is brighter."""

from __future__ import annotations

import numpy as np
import pytest

from fijibridge.errors import LabelsError
from fijibridge.study.classes import classes_by_brightness, multi_otsu, windows
from fijibridge.volume import make_volume


@pytest.fixture
def three_levels():
    rng = np.random.default_rng(0)
    return make_volume(np.repeat([50, 120, 200], 2000).reshape(3, 40, 50) + rng.normal(0, 4, (3, 40, 50)))


def test_classes_are_ordered_by_the_grey_of_their_paint(three_levels):
    """Graphite is darker than its binder, NMC brighter: only the labels can say which class is which."""
    painted = np.zeros(three_levels.shape, np.uint8)
    painted[0, 0], painted[1, 0], painted[2, 0] = 2, 3, 1
    assert classes_by_brightness(three_levels, make_volume(painted)) == (2, 3, 1)


def test_one_class_is_not_enough(three_levels):
    """There is nothing to tell apart."""
    with pytest.raises(LabelsError, match="at least two"):
        classes_by_brightness(three_levels, make_volume(np.ones(three_levels.shape, np.uint8)))


def test_multi_otsu_parts_well_separated_levels(three_levels):
    """Every voxel falls into the range of its own peak."""
    low, high = multi_otsu(three_levels, 2)
    ranges = (three_levels.data > low).astype(int) + (three_levels.data > high)
    assert (ranges == np.repeat([0, 1, 2], 2000).reshape(3, 40, 50)).mean() > 0.998


def test_conservative_windows_hold_the_generous_ones(three_levels):
    """Generous seeds leave a small window, conservative seeds a large one, both around the threshold."""
    thresholds = multi_otsu(three_levels, 2)
    for generous, conservative, value in zip(
        windows(three_levels, thresholds, "gWS"), windows(three_levels, thresholds, "cWS"), thresholds, strict=True
    ):
        assert conservative.low < generous.low < value < generous.high < conservative.high


def test_window_reaches_its_share_of_the_way_to_the_means(three_levels):
    """Hand-worked: threshold 160 between the means of 85 (50 and 120) and 200, share 0.75."""
    (window,) = windows(three_levels, (160.0,), "cWS")
    assert window.low == pytest.approx(160 - 0.75 * (160 - 85), abs=0.5)
    assert window.high == pytest.approx(160 + 0.75 * (200 - 160), abs=0.5)
