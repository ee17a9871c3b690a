"""Our trees against scikit-learn's: the same votes, bit for bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from fijibridge.forest._encode import LANES
from fijibridge.forest._evaluate import label_bricks, probability_bricks
from fijibridge.forest._trees import pack


def _compare(model, table):
    """Run both on a (voxel, column) table of bytes."""
    trees = pack(model)
    bricks = np.ascontiguousarray(table.reshape(-1, LANES, table.shape[1]).transpose(0, 2, 1))
    theirs = model.predict_proba(table.astype(np.float32))
    mine = probability_bricks(trees, bricks).transpose(0, 2, 1).reshape(theirs.shape)
    assert np.array_equal(mine, theirs)
    assert np.array_equal(label_bricks(trees, bricks).ravel(), theirs.argmax(axis=1))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    classes=st.integers(2, 5),
    columns=st.integers(1, 12),
    levels=st.sampled_from([2, 5, 256]),
    trees=st.integers(1, 40),
    min_leaf=st.sampled_from([1, 2, 7]),
    max_depth=st.sampled_from([None, 1, 3]),
    balanced=st.booleans(),
    noise=st.floats(0, 1),
)
def test_probabilities_and_labels_are_scikit_learns(
    seed, classes, columns, levels, trees, min_leaf, max_depth, balanced, noise
):
    """Any forest at all: deep or stumps, pure leaves or mixed, weighted, with many ties; every bit of float64."""
    rng = np.random.default_rng(seed)
    table = rng.integers(0, levels, (400, columns)).astype(np.uint8)
    values = np.where(rng.random(400) < noise, rng.integers(0, classes, 400), table[:, 0] % classes)
    values[:classes] = np.arange(classes)
    model = RandomForestClassifier(
        trees,
        min_samples_leaf=min_leaf,
        max_depth=max_depth,
        class_weight="balanced" if balanced else None,
        random_state=seed,
        n_jobs=1,
    )
    model.fit(table.astype(np.float32), values)
    _compare(model, rng.integers(0, levels, (3 * LANES, columns)).astype(np.uint8))


def test_five_hundred_trees_still_vote_exactly():
    """The fewer parts a vote has, the more often rounding must be looked into."""
    rng = np.random.default_rng(0)
    table = rng.integers(0, 256, (300, 4)).astype(np.uint8)
    model = RandomForestClassifier(500, min_samples_leaf=5, max_depth=3, random_state=0, n_jobs=1)
    model.fit(table.astype(np.float32), rng.integers(0, 3, 300))
    _compare(model, rng.integers(0, 256, (2 * LANES, 4)).astype(np.uint8))


def test_a_tree_that_is_only_a_leaf_votes():
    """Trained with leaves as large as the labels, a forest knows nothing but the classes' shares."""
    table = np.arange(40, dtype=np.uint8)[:, None]
    model = RandomForestClassifier(3, min_samples_leaf=30, random_state=0, n_jobs=1)
    model.fit(table.astype(np.float32), np.arange(40) % 2)
    _compare(model, np.arange(LANES, dtype=np.uint8)[:, None])
