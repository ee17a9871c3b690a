"""Claims about agreement, on cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from fijibridge.assess import agreement, difference_map, disagreement, volume_fractions
from fijibridge.errors import LabelsError, VolumeError
from fijibridge.volume import make_volume


def labels(values, **kwargs):
    return make_volume(np.array(values, np.uint8).reshape(1, 1, -1), **kwargs)


def test_overlap_of_a_case_worked_by_hand():
    """Truth 1112, found 1121: two of three 1s are hit, one false; Dice 4/6, IoU 2/4; for 2: Dice 0, IoU 0."""
    found = agreement(labels([1, 1, 2, 1]), labels([1, 1, 1, 2]), classes=(1, 2))
    assert found.confusion.tolist() == [[2, 1, 0], [1, 0, 0]]
    assert found.dice == {1: pytest.approx(4 / 6), 2: 0.0}
    assert found.iou == {1: pytest.approx(2 / 4), 2: 0.0}
    assert found.accuracy == pytest.approx(0.5)
    assert found.voxels == 4


def test_unknown_truth_and_masked_voxels_are_not_scored():
    """Painted voxels and voxels without truth would flatter or blame a method for nothing."""
    where = np.array([True, True, True, False]).reshape(1, 1, 4)
    found = agreement(labels([1, 2, 1, 2]), labels([1, 2, 0, 1]), classes=(1, 2), where=where)
    assert found.voxels == 2
    assert found.accuracy == 1.0


def test_voxels_without_a_class_count_as_wrong():
    """A method must not gain by leaving hard voxels unlabelled."""
    found = agreement(labels([1, 0]), labels([1, 1]), classes=(1, 2))
    assert found.accuracy == 0.5
    assert found.confusion.tolist() == [[1, 0, 1], [0, 0, 0]]


def test_class_that_nothing_holds_has_no_overlap():
    """Nan says "nothing to agree on"; 0 or 1 would move the mean."""
    assert math.isnan(agreement(labels([1]), labels([1]), classes=(1, 2)).iou[2])


def test_scores_are_those_of_scikit_learn():
    """A peer library as oracle, over three random classes."""
    rng = np.random.default_rng(0)
    truth, found = rng.integers(1, 4, (2, 4, 5, 6)).astype(np.uint8)
    mine = agreement(make_volume(found), make_volume(truth), classes=(1, 2, 3))
    truth, found = truth.ravel(), found.ravel()
    assert mine.accuracy == pytest.approx(metrics.accuracy_score(truth, found))
    assert list(mine.iou.values()) == pytest.approx(metrics.jaccard_score(truth, found, average=None))
    assert list(mine.dice.values()) == pytest.approx(metrics.f1_score(truth, found, average=None))
    assert np.array_equal(mine.confusion[:, :-1], metrics.confusion_matrix(truth, found))


def test_truth_without_the_classes_is_an_error():
    """A truth numbered 0/255 would otherwise score nothing, silently."""
    with pytest.raises(LabelsError, match="holds none of the classes"):
        agreement(labels([1, 2]), labels([255, 255]), classes=(1, 2))


def test_image_subtraction_is_one_minus_one_or_zero():
    """+1 only in the first, -1 only in the second, 0 where both or neither."""
    assert difference_map(labels([1, 1, 2, 2]), labels([1, 2, 1, 2])).data.ravel().tolist() == [0, 1, -1, 0]


def test_disagreement_is_the_share_of_voxels_that_differ():
    """The paper's voxel disagreement between two users."""
    assert disagreement(labels([1, 1, 2, 2]), labels([1, 2, 1, 2])) == 0.5


def test_volumes_on_other_grids_are_not_compared():
    """Equal shapes with different voxel sizes are different pieces of matter."""
    with pytest.raises(VolumeError, match="same grid"):
        disagreement(labels([1, 2]), labels([1, 2], spacing=(2, 2, 2)))


def test_volume_fractions_are_shares_of_all_voxels():
    """Unlabelled voxels count in the whole, so that fractions of partial labels do not look complete."""
    assert volume_fractions(labels([1, 1, 2, 0]), classes=(1, 2)) == {1: 0.5, 2: 0.25}
