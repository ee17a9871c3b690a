"""Claims about the spread over users and about distances between surfaces, on cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from fijibridge.assess import boundary_error, sample_std, subtraction
from fijibridge.assess._distance import distance_to
from fijibridge.errors import LabelsError
from fijibridge.volume import make_volume


def labels(values, **kwargs):
    return make_volume(np.array(values, np.uint8).reshape(1, 1, -1), **kwargs)


def test_spread_divides_by_one_less_than_the_number_of_users():
    """The paper's standard deviation of three users is a sample's: of 1, 2, 3 it is 1, not 0.816."""
    assert sample_std([1.0, 2.0, 3.0]) == pytest.approx(1.0)
    assert math.isnan(sample_std([1.0]))


def test_subtraction_gives_every_pair_and_their_mean():
    """A-B differ in one of four voxels, A-C in two, B-C in one."""
    found = subtraction({"A": labels([1, 1, 2, 2]), "B": labels([1, 1, 1, 2]), "C": labels([1, 1, 1, 1])})
    assert found.pairs == {("A", "B"): 0.25, ("A", "C"): 0.5, ("B", "C"): 0.25}
    assert found.mean == pytest.approx(1 / 3)


def test_one_user_cannot_be_subtracted():
    """From nobody."""
    with pytest.raises(LabelsError, match="two users"):
        subtraction({"A": labels([1])})


def test_distance_is_scipys_on_any_voxels():
    """A peer library as oracle, with voxels that are no cubes."""
    marked = np.random.default_rng(0).random((9, 14, 11)) < 0.03
    size = (2.56, 0.55, 0.7)
    assert distance_to(marked, size) == pytest.approx(ndimage.distance_transform_edt(~marked, sampling=size), rel=1e-5)


def test_distance_is_infinite_where_nothing_is_marked():
    """No surface, no distance."""
    assert np.isinf(distance_to(np.zeros((2, 3, 4), bool), (1, 1, 1))).all()


def test_boundary_error_of_a_moved_wall_is_how_far_it_moved():
    """A flat wall moved by 3 voxels of 50 nm is 150 nm off everywhere, mean and 95 %."""
    truth, found = np.full((2, 6, 6, 20), 2, np.uint8)
    truth[..., :8], found[..., :11] = 1, 1
    error = boundary_error(*(make_volume(data, spacing=(90, 70, 50)) for data in (found, truth)))
    assert error == (pytest.approx(150.0), pytest.approx(150.0))


def test_boundary_error_counts_what_was_missed_and_what_was_invented():
    """Both directions: a missing particle must cost as much as an invented one."""
    one = np.full((3, 5, 40), 2, np.uint8)
    one[..., :5] = 1
    two = one.copy()
    two[..., 30:32] = 1
    a, b = make_volume(one), make_volume(two)
    assert boundary_error(a, b) == boundary_error(b, a)
    assert boundary_error(a, b).mean > 5


def test_boundary_error_without_a_surface_is_nan():
    """A segmentation that calls everything one class has no boundary to be right or wrong."""
    assert math.isnan(boundary_error(labels([1, 1]), labels([1, 2])).mean)
