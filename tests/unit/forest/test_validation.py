"""Cross-validation by blocks of space, and smaller feature sets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from fijibridge.errors import LabelsError, ParameterError
from fijibridge.forest import FeatureSet, Trainer, cross_validate, suggest_features
from fijibridge.volume import make_volume, with_data


@pytest.fixture(scope="module")
def trainer(painted) -> Trainer:
    return Trainer(painted.volume)


def test_the_accuracy_is_that_on_the_rest_of_the_volume(painted, forest, trainer):
    """What cross-validation says must hold where nobody painted."""
    found = cross_validate(trainer, painted.labels, block=16, trees=30, min_leaf=5)
    truly = (forest.predict(painted.volume).data == painted.truth).mean()
    assert abs(found.accuracy - truly) < 0.02
    assert found.confusion.sum() == sum(forest.provenance["voxels_per_class"].values())
    assert found.confusion.trace() / found.confusion.sum() == found.accuracy
    assert len(found.folds) == 5


def test_leaving_out_whole_blocks_sees_through_memorising():
    """Smooth noise and labels that have nothing to do with it: neighbours give them away, other blocks cannot."""
    rng = np.random.default_rng(0)
    grey = gaussian_filter(rng.normal(size=(16, 64, 64)), 3)
    blocks = np.kron(rng.integers(1, 3, (1, 8, 8)), np.ones((16, 8, 8))).astype(np.uint8)
    volume = make_volume((grey * 1e4).astype(np.float32))
    trainer = Trainer(volume)
    labels = {8: blocks[8]}
    assert trainer.fit(labels, trees=30, min_leaf=1, out_of_bag=True).provenance["out_of_bag_error"] < 0.1
    assert cross_validate(trainer, labels, block=16, trees=30, min_leaf=1).accuracy < 0.65


def test_a_smaller_set_costs_no_more_than_was_allowed(painted, trainer):
    """And it is smaller, and trains."""
    found = suggest_features(trainer, painted.labels, cost=0.005, block=16, trees=10, folds=3)
    assert found.columns < 30
    assert found.accuracy >= found.full_accuracy - 0.005
    assert len(found.features.columns(dimensions=3)) == found.columns
    forest = Trainer(painted.volume, features=found.features).fit(painted.labels)
    assert (forest.predict(painted.volume).data == painted.truth).mean() > 0.94


def test_labels_in_too_few_places_are_refused(painted, trainer):
    """One stroke cannot be both trained on and tested on."""
    one = np.zeros(painted.volume.shape, np.uint8)
    one[2, 2, 2:8] = [1, 2, 1, 2, 1, 2]
    with pytest.raises(LabelsError, match="too few"):
        cross_validate(trainer, with_data(painted.volume, one))


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"block": 0}])
def test_folds_and_blocks_must_make_sense(painted, trainer, wrong):
    """Nothing to leave out, nothing to leave it out of."""
    with pytest.raises(ParameterError):
        cross_validate(trainer, painted.labels, **wrong)
    with pytest.raises(ParameterError):
        suggest_features(trainer, painted.labels, **wrong)


def test_features_that_are_known_are_not_computed_again(painted):
    """Cross-validation after training costs only its forests."""
    trainer = Trainer(painted.volume, features=FeatureSet(("gaussian(1)",)))
    trainer.fit(painted.labels)
    trainer._extractor = None
    assert cross_validate(trainer, painted.labels, block=16, trees=10).accuracy > 0.8
