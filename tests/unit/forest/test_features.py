"""The feature set: names, columns, and what it refuses."""

from __future__ import annotations

import pytest

from fijibridge.errors import ParameterError
from fijibridge.forest import FeatureSet


def test_the_default_set_has_ilastiks_61_columns_in_3d_and_49_in_2d():
    """7 Gaussians, 3 x 6 plain filters, and 2 x 6 filters with as many eigenvalues as there are dimensions."""
    assert len(FeatureSet.default().columns(dimensions=3)) == 7 + 18 + 36
    assert len(FeatureSet.default().columns(dimensions=2)) == 7 + 18 + 24


def test_every_column_can_be_named_in_a_smaller_set():
    """A suggested set is written in names of columns, and must give those columns again in any order."""
    columns = FeatureSet.default().columns(dimensions=3)
    chosen = columns[::-7]
    assert FeatureSet(tuple(column.name for column in chosen)).columns(dimensions=3) == chosen


def test_a_feature_that_is_named_twice_is_computed_once():
    """Overlapping choices (a filter and one of its eigenvalues) must not train on the same numbers twice."""
    assert len(FeatureSet(("hessian(1.6)", "hessian(1.6)[0]")).columns(dimensions=3)) == 3


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "at least one"),
        (("gauss(1)",), "cannot read"),
        (("gaussian(-1)",), "cannot read"),
        (("gaussian(0)",), "positive"),
        (("gaussian(1.2.3)",), "positive"),
        (("gaussian(1)[0]",), "parts"),
        (("hessian(1)[3]",), "cannot read"),
    ],
)
def test_a_name_that_means_nothing_is_refused(names, words):
    """A typo in a feature must not silently train on something else."""
    with pytest.raises(ParameterError, match=words):
        FeatureSet(names)
