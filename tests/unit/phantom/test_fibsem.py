"""The simulated FIB-SEM stack keeps the truth it claims."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fijibridge.errors import ParameterError
from fijibridge.phantom.fibsem import NO_DEFECTS, Defects, make_fibsem
from fijibridge.volume import make_volume, same_grid

SHAPE = (12, 96, 96)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def test_a_stack_without_defects_is_the_clean_stack_in_whole_grey_levels() -> None:
    """Every difference between `volume` and `clean` must be a defect that was asked for."""
    made = make_fibsem(SHAPE, defects=NO_DEFECTS)
    assert np.abs(made.volume.data - made.clean.data).max() <= 0.51
    assert same_grid(made.volume, made.clean)
    assert same_grid(made.volume, made.truth)


def test_the_shifts_put_every_slice_where_the_clean_one_lies() -> None:
    """The truth of the alignment benchmark: the sign and the axes of the shifts."""
    made = make_fibsem(SHAPE, defects=replace(NO_DEFECTS, drift=1.0, jumps=1, jump=6.0))
    assert np.abs(np.diff(made.shifts, axis=0)).max() > 3
    for z in range(SHAPE[0]):
        dy, dx = np.rint(made.shifts[z]).astype(int)
        moved = np.roll(made.volume.data[z].astype(float), (dy, dx), axis=(0, 1))[24:-24, 24:-24]
        unmoved = made.volume.data[z, 24:-24, 24:-24].astype(float)
        clean = made.clean.data[z, 24:-24, 24:-24]
        assert rms(moved - clean) <= rms(unmoved - clean) + 1e-6
        assert rms(moved - clean) < 9


def test_curtains_add_what_they_are_asked_to_and_run_along_y() -> None:
    """The truth of the decurtaining benchmark: streaks of 8 % of the grey level."""
    still = Defects(drift=0, jumps=0, brightness=0, charging=0, outliers=0, missing=0)
    with_streaks = make_fibsem(SHAPE, defects=still)
    without = make_fibsem(SHAPE, defects=replace(still, curtain=0.0))
    streaks = with_streaks.volume.data.astype(float) - without.volume.data
    assert 6 < rms(streaks) < 11
    assert rms(np.diff(streaks, axis=1)) < 0.5 * rms(np.diff(streaks, axis=2))
    assert rms(without.volume.data - without.clean.data) == pytest.approx(6.0, abs=0.2)


def test_missing_slices_and_spoilt_slices_are_where_the_truth_says() -> None:
    """Counts and places of what no slice shows."""
    made = make_fibsem((40, 64, 64), defects=Defects(outliers=0.1, missing=2))
    assert made.outliers.sum() == 4
    assert not made.outliers[[0, -1]].any()
    assert np.diff(made.positions).sum() == 41
    assert made.volume.shape == (40, 64, 64)


def test_a_cap_is_the_same_in_every_slice() -> None:
    """A region that is fixed by construction is what `trend="template"` needs."""
    made = make_fibsem(SHAPE, cap=24, defects=NO_DEFECTS)
    cap = made.clean.data[:, :20]
    assert np.abs(cap - cap[0]).max() < 1
    assert (made.truth.data[:, :24] == 0).all()


def test_a_given_geometry_is_imaged_and_comes_back_as_truth() -> None:
    """Real segmentations serve as exact truth."""
    labels = np.full((10, 64, 64), 2, np.uint8)
    labels[:, 20:40, 30:50] = 1
    made = make_fibsem(geometry=make_volume(labels, spacing=(20, 10, 10)), defects=NO_DEFECTS)
    assert (made.truth.data == labels).all()
    assert made.clean.data[:, 30, 40].mean() > made.clean.data[:, 5, 5].mean() + 40


def test_the_same_seed_gives_the_same_stack() -> None:
    """Benchmarks and tests must be repeatable."""
    first, second = (make_fibsem((6, 64, 64), seed=4) for _ in range(2))
    assert (first.volume.data == second.volume.data).all()


@pytest.mark.parametrize("kwargs", [{"shape": (1, 64, 64)}, {"active": 0.9}, {"cap": 60, "shape": (4, 64, 64)}])
def test_impossible_stacks_are_refused(kwargs: dict[str, object]) -> None:
    """A phantom that cannot be made says so instead of making another."""
    with pytest.raises(ParameterError):
        make_fibsem(**kwargs)  # type: ignore[arg-type]
