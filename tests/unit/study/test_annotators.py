"""Claims about the simulated user who paints labels."""

from __future__ import annotations

import numpy as np
import pytest

from fijibridge.errors import LabelsError
from fijibridge.study.annotators import paint_labels
from fijibridge.volume import make_volume


@pytest.fixture
def truth():
    data = np.full((3, 60, 80), 2, np.uint8)
    data[:, 10:40, 20:60] = 1
    return make_volume(data)


@pytest.mark.parametrize("coverage", [0.02, 0.1, 0.35])
def test_coverage_is_the_share_asked_for(truth, coverage):
    """The MLX methods are named after the share of a slice that is painted."""
    painted = paint_labels(truth, slices=[1], coverage=coverage)
    assert (painted.data[1] > 0).mean() == pytest.approx(coverage, abs=0.001)


def test_paint_is_right_and_only_on_the_chosen_slices(truth):
    """A careful user paints what is there, on the slices that were opened."""
    painted = paint_labels(truth, slices=[0, 2], coverage=0.1).data
    assert not painted[1].any()
    assert np.array_equal(painted[painted > 0], truth.data[painted > 0])
    assert set(np.unique(painted)) == {0, 1, 2}


def test_class_with_few_voxels_is_painted_whole_and_ends(truth):
    """A rare phase must not keep the painter busy for ever."""
    truth.data[0] = 2
    truth.data[0, 0, :3] = 1
    painted = paint_labels(truth, slices=[0], coverage=0.2).data
    assert (painted[0] == 1).sum() == 3


@pytest.mark.parametrize("bad", [{"slices": [3]}, {"slices": []}, {"slices": [0], "coverage": 1.5}])
def test_impossible_wishes_are_refused(truth, bad):
    """Each with one sentence."""
    with pytest.raises(LabelsError):
        paint_labels(truth, **bad)
