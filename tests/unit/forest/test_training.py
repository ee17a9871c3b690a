"""Training: what labels are taken, what is refused, and training again."""

from __future__ import annotations

import numpy as np
import pytest

from fijibridge.errors import LabelsError, ParameterError
from fijibridge.forest import FeatureSet, Trainer, train
from fijibridge.forest._extract import Extractor
from fijibridge.volume import make_volume, with_data

FEW = FeatureSet.of(sigmas=(0.7, 1.6))


def _same(a, b) -> bool:
    return np.array_equal(a.trees.nodes, b.trees.nodes) and np.array_equal(a.trees.leaves, b.trees.leaves)


def test_the_same_seed_gives_the_same_forest_on_any_number_of_threads(painted):
    """Training is repeatable; another seed is another forest."""
    one = train(painted.volume, painted.labels, features=FEW, seed=3, threads=1)
    assert _same(one, train(painted.volume, painted.labels, features=FEW, seed=3, threads=3))
    assert not _same(one, train(painted.volume, painted.labels, features=FEW, seed=4))


def test_painted_slices_are_as_good_as_a_label_volume(painted):
    """Who painted three slices need not hold a volume of zeros."""
    slices = {z: plane for z, plane in enumerate(painted.labels.data) if plane.any()}
    dense = train(painted.volume, painted.labels, features=FEW)
    assert _same(train(painted.volume, slices, features=FEW), dense)


def test_training_again_gives_what_training_afresh_would(painted, monkeypatch):
    """Cached features must not show in the result; and they are used: no old voxel is computed again."""
    trainer = Trainer(painted.volume, features=FEW)
    first = painted.labels.data.copy()
    first[23:] = 0
    trainer.fit(with_data(painted.volume, first))
    computed = []
    floats = Extractor.floats
    monkeypatch.setattr(
        Extractor, "floats", lambda self, box, coarse: computed.append(box) or floats(self, box, coarse)
    )
    again = trainer.fit(painted.labels)
    assert min(box.low[0] for box in computed) == 23
    assert _same(again, train(painted.volume, painted.labels, features=FEW))


def test_labels_may_be_corrected(painted):
    """A voxel that gets another class keeps its features and changes the forest."""
    trainer = Trainer(painted.volume, features=FEW)
    trainer.fit(painted.labels)
    swapped = with_data(painted.volume, np.choose(painted.labels.data, [0, 2, 1]).astype(np.uint8))
    assert _same(trainer.fit(swapped), train(painted.volume, swapped, features=FEW))


def test_classes_keep_their_label_values(painted):
    """Labels 7 and 200 come out as 7 and 200."""
    renamed = with_data(painted.volume, np.choose(painted.labels.data, [0, 200, 7]).astype(np.int32))
    forest = train(painted.volume, renamed, features=FEW)
    assert forest.classes == (7, 200)
    assert set(np.unique(forest.predict(painted.volume).data)) == {7, 200}


def test_dense_labels_are_thinned_to_so_many_of_each_class(painted):
    """A fully labelled volume must not take hours; rare classes are kept whole."""
    dense = painted.truth.copy()
    dense[5, 5, 5:15] = 3
    forest = train(painted.volume, with_data(painted.volume, dense), features=FEW, most=500)
    assert forest.provenance["voxels_per_class"] == {"1": 500, "2": 500, "3": 10}


def test_balanced_classes_find_more_of_a_rare_one(painted):
    """Three voxels in a hundred are otherwise outvoted."""
    labels = painted.labels.data.copy()
    rare = np.random.default_rng(0).random(labels.shape) > 0.05
    labels[(labels == 2) & rare] = 0
    plain, fair = (
        train(painted.volume, with_data(painted.volume, labels), features=FEW, class_weight=weight, min_leaf=20)
        for weight in (None, "balanced")
    )
    assert (fair.predict(painted.volume).data == 2).sum() > 1.1 * (plain.predict(painted.volume).data == 2).sum()


def test_out_of_bag_error_is_measured_on_request(painted):
    """Recorded with the forest; near the error on the whole volume where labels are scattered."""
    forest = train(painted.volume, painted.labels, out_of_bag=True)
    error = (forest.predict(painted.volume).data != painted.truth).mean()
    assert abs(forest.provenance["out_of_bag_error"] - error) < 0.02


def test_importance_ranks_what_tells_the_phases_apart(painted, forest):
    """Two grey levels in white noise: smoothing beats every derivative, and shares add up to one."""
    ranking = forest.ranking()
    assert len(ranking) == 61
    assert ranking[0][0].startswith(("gaussian(", "difference_of_gaussians("))
    assert not ranking[-1][0].startswith("gaussian(1")
    assert sum(share for _, share in ranking) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda labels: labels[1:], "another grid"),
        (lambda labels: make_volume(labels.data, spacing=(1, 1, 1)), "another grid"),
        (lambda labels: labels.astype(np.float32), "integers"),
        (lambda labels: labels.astype(np.int16) - 1, "0 .unlabelled. to 255"),
        (lambda labels: labels.astype(np.int32) * 300, "0 .unlabelled. to 255"),
        (lambda labels: labels * 0, "at least two classes"),
        (lambda labels: (labels > 0).astype(np.uint8), "at least two classes"),
        (lambda labels: labels.data, "no volume"),
        (lambda labels: {}, "at least two classes"),
        (lambda labels: {99: labels.data[0]}, "slice 99"),
        (lambda labels: {0: labels.data[0, :9]}, "shape"),
    ],
)
def test_labels_that_will_not_do_are_refused(painted, change, words):
    """Each with a sentence that says what is wrong with them."""
    with pytest.raises(LabelsError, match=words):
        train(painted.volume, change(painted.labels), features=FEW)


@pytest.mark.parametrize("wrong", [{"trees": 0}, {"trees": 1001}, {"min_leaf": 0}, {"most": 0}, {"max_depth": -1}])
def test_numbers_out_of_range_are_refused(painted, wrong):
    """Before any feature is computed."""
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        train(painted.volume, painted.labels, **wrong)
