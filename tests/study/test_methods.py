"""Claims about each method of the study, on a phantom whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from fijibridge.errors import ParameterError
from fijibridge.phantom.library import make_sample
from fijibridge.study.classes import Window
from fijibridge.study.matrix import (
    PAPER_METHODS,
    Bench,
    grey_step,
    paint_iteratively,
    painted_slices,
    seed_slices,
    segment_automatically,
    segment_by_choices,
    segment_by_person,
)
from fijibridge.study.methods import smooth_input
from fijibridge.study.people import PEOPLE, Choices
from fijibridge.study.specks import remove_specks
from fijibridge.volume import history, make_volume


@pytest.fixture(scope="module")
def bench():
    sample = make_sample("NMC-1", size=48)
    return Bench(smooth_input(sample.grey, slicewise=False, engine="native"), sample.truth)


@pytest.mark.parametrize("method", PAPER_METHODS)
def test_every_method_finds_the_particles(bench, method):
    """With the user whose bias is least, on filtered data: nine in ten voxels right, both classes there."""
    found = segment_by_person(bench, method, PEOPLE["B"]).labels.data
    assert set(np.unique(found)) == {1, 2}
    assert (found == bench.truth.data).mean() > 0.88


def test_forests_come_nearer_to_the_truth_than_simple_thresholds(bench):
    """Of the most biased user: what the whole study is about."""
    simple, forest = (
        (segment_by_person(bench, name, PEOPLE["C"]).labels.data == bench.truth.data).mean() for name in ("S2", "MLX25")
    )
    assert forest > simple


def test_s1_and_s3_lie_ten_levels_of_8_bit_from_s2():
    """In the grey levels of any other type, ten 255ths of the range."""
    ramp = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    choices = Choices(100.0, Window(80, 120), Window(60, 140))
    for volume, factor in ((make_volume(ramp), 1), (make_volume(ramp.astype(np.uint16) * 200), 200)):
        assert grey_step(volume) == pytest.approx(10 * factor)
    counts = [
        int((segment_by_choices(Bench(make_volume(ramp)), name, choices).labels.data == 1).sum())
        for name in ("S1", "S2", "S3")
    ]
    assert counts == [165, 155, 145]


def test_slices_are_the_papers():
    """Of 200: 100 first, then 25, 50, ... 175 for the brush; the first, six spread out, or all for the seeds."""
    assert painted_slices(200) == (100, 25, 50, 75, 125, 150, 175)
    assert seed_slices("ML1", 200) == (0,)
    assert len(seed_slices("ML2", 200)) == 6
    assert seed_slices("ML3", 5) == (0, 1, 2, 3, 4)


def test_automatic_methods_need_no_user(bench):
    """And have their threshold recorded."""
    found = segment_automatically(bench, "otsu")
    assert (found.labels.data == bench.truth.data).mean() > 0.88
    assert 70 < found.thresholds[0] < 140


def test_a_look_while_painting_is_what_a_small_forest_makes_of_the_slice(bench):
    """Its features are taken from the store of labelled voxels instead of the volume; the labels are the same."""
    labels = paint_iteratively(bench, 0.1, PEOPLE["B"])
    forest = bench.trainer.fit(labels, most=1000, trees=8, min_leaf=10, seed=bench.seed)
    for z in (6, 24):
        assert np.array_equal(bench.look(labels, z), forest.predict(bench.volume, z=z).data[0])


def test_the_same_seed_gives_the_same_labels(bench):
    """Painting, training and predicting included."""
    one, two = (segment_by_person(bench, "MLX10", PEOPLE["A"]).labels.data for _ in range(2))
    assert np.array_equal(one, two)


def test_removing_specks_takes_the_small_and_leaves_the_large():
    """A speck of 3 voxels and a hole of 1 go, a block of 27 stays; the step is written down."""
    data = np.full((7, 9, 9), 2, np.uint8)
    data[1:4, 1:4, 1:4], data[2, 2, 2], data[5, 6:9, 6] = 1, 2, 1
    cleaned = remove_specks(make_volume(data), smallest=4)
    assert (cleaned.data == 1).sum() == 27
    assert history(cleaned)[-1]["parameters"] == {"smallest": 4}
    assert np.array_equal(remove_specks(make_volume(data), smallest=1).data, data)
    with pytest.raises(ParameterError, match="1 voxel"):
        remove_specks(make_volume(data), smallest=0)
