"""Claims about simulated people: how much they paint, where, how wrongly, and how they choose grey levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fijibridge.errors import ParameterError
from fijibridge.phantom.library import make_sample
from fijibridge.study.classes import range_means
from fijibridge.study.people import PEOPLE, choose, make_person, paint, perceive


@pytest.fixture(scope="module")
def sample():
    return make_sample("NMC-1", size=64)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def look(sample, person, rng):
    return perceive(sample.grey.data[32], person, rng, levels=(62, 152), truth=sample.truth.data[32])


@pytest.mark.parametrize("person", PEOPLE.values(), ids=PEOPLE)
@pytest.mark.parametrize("coverage", [0.10, 0.25, 0.35, 0.50, 0.65])
def test_coverage_is_the_share_asked_for_to_one_percent(sample, person, coverage, rng):
    """The MLX methods are named after it."""
    painted = paint(look(sample, person, rng), coverage, person, rng)
    assert (painted > 0).mean() == pytest.approx(coverage, rel=0.01)


def test_wrong_strokes_come_at_the_rate_asked_for(sample, rng):
    """A twentieth of the paint carries the other class."""
    person = replace(PEOPLE["A"], wrong=0.05)
    seen = look(sample, person, rng)
    shares = []
    for _ in range(10):
        painted = paint(seen, 0.3, person, rng)
        shares.append((painted != seen)[painted > 0].mean())
    assert np.mean(shares) == pytest.approx(0.05, abs=0.01)


def test_a_steady_unbiased_eye_sees_the_truth(sample, rng):
    """All but the edges that its own blur rounds off."""
    seen = look(sample, replace(PEOPLE["A"], bias=0, shake=0), rng)
    assert (seen == sample.truth.data[32]).mean() > 0.97


def test_bias_moves_what_is_seen_and_chosen(sample, rng):
    """Whoever sees the boundary at brighter grey levels calls less active material, by threshold and by brush."""
    low, high = (replace(PEOPLE["B"], bias=bias, hand=0.0) for bias in (-0.2, 0.2))
    assert (look(sample, low, rng) == 1).sum() > (look(sample, high, rng) == 1).sum()
    middle = choose(sample.grey, replace(low, bias=0.0), rng).threshold
    dark, bright = range_means(sample.grey, (middle,))
    assert choose(sample.grey, high, rng).threshold - middle == pytest.approx(0.2 * (bright - dark), rel=0.05)


def test_choices_scatter_as_the_hand_does(sample, rng):
    """The standard deviation of many choices is the one asked for, in shares of the contrast."""
    person = replace(PEOPLE["B"], hand=0.05)
    levels = [choose(sample.grey, person, rng).threshold for _ in range(60)]
    dark, bright = range_means(sample.grey, (float(np.mean(levels)),))
    assert np.std(levels) / (bright - dark) == pytest.approx(0.05, rel=0.3)


def test_conservative_windows_are_larger_than_generous_ones(sample, rng):
    """For each of the three."""
    for person in PEOPLE.values():
        found = choose(sample.grey, person, rng)
        assert found.conservative.high - found.conservative.low > found.generous.high - found.generous.low


def test_correction_goes_where_the_segmentation_is_wrong(sample, rng):
    """Most strokes begin at mistakes, so that more of these are painted than of the rest."""
    person = PEOPLE["A"]
    seen = look(sample, person, rng)
    found = seen.copy()
    found[10:30, 10:30] = 3 - found[10:30, 10:30]
    painted = paint(seen, 0.1, person, rng, found=found) > 0
    assert painted[10:30, 10:30].mean() > 2 * painted.mean()


def test_people_without_truth_judge_by_grey_levels(sample, rng):
    """On real data nothing else is there."""
    seen = perceive(sample.grey.data[32], replace(PEOPLE["B"], bias=0, shake=0), rng, levels=(62, 152))
    assert (seen == sample.truth.data[32]).mean() > 0.9


def test_same_seed_paints_the_same(sample):
    """A simulated person is a parameter set and a seed."""
    one, two = (paint(look(sample, PEOPLE["C"], r), 0.2, PEOPLE["C"], r) for r in map(np.random.default_rng, (4, 4)))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("changes", [{"biass": 0.1}, {"wrong": 0.9}, {"generous": 0.9, "conservative": 0.5}])
def test_impossible_people_are_refused(changes):
    """With what there is."""
    with pytest.raises(ParameterError, match="simulated user"):
        make_person("A", changes)
