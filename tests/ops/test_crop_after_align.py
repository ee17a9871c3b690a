"""Cropping finds what aligning left empty, also where later steps have filled it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fijibridge.ops._align import align, apply_shifts
from fijibridge.ops._align_shifts import Shifts
from fijibridge.ops._crop import crop
from fijibridge.ops._even_out import even_out
from fijibridge.ops._smooth import smooth
from fijibridge.phantom.fibsem import NO_DEFECTS, make_fibsem
from fijibridge.volume import make_volume, same_grid


def test_crop_cuts_the_same_box_after_steps_that_changed_the_empty_voxels() -> None:
    """Evening out makes the zeros of aligning something else; the history still knows where they were."""
    made = make_fibsem((8, 96, 96), defects=replace(NO_DEFECTS, drift=2.0))
    aligned = align(made.volume, trend="remove")
    at_once = crop(aligned)
    later = crop(even_out(smooth(aligned)))
    assert at_once.shape[1] < 96
    assert same_grid(at_once, later)


def test_the_history_and_the_voxels_tell_the_same_box() -> None:
    """Two ways to one answer, for shifts to either side by parts of a pixel and by whole ones."""
    volume = make_volume(np.full((4, 40, 50), 9, np.uint8))
    moved = apply_shifts(volume, _shifts([[2.5, -3.0], [0.0, 1.2], [-4.0, 0.0], [0.3, 0.3]]))
    by_voxels = make_volume(np.asarray(moved.data))
    assert crop(moved).shape == crop(by_voxels).shape == (4, 33, 45)


def test_shifts_before_an_earlier_crop_are_not_used_again() -> None:
    """The smaller grid has nothing empty left."""
    volume = make_volume(np.full((2, 40, 50), 9, np.uint8))
    once = crop(apply_shifts(volume, _shifts([[2.5, -3.0], [-4.0, 0.0]])))
    assert crop(once).shape == once.shape


def test_a_stack_aligned_by_hand_is_cropped_by_its_voxels() -> None:
    """Nothing in the history tells of empty voxels."""
    data = np.full((3, 40, 40), 9, np.uint8)
    data[1, :5] = 0
    assert crop(make_volume(data)).shape == (3, 35, 40)


def _shifts(moves: list[list[float]]) -> Shifts:
    count = len(moves)
    return Shifts(np.array(moves), np.ones(count), np.zeros(count), np.zeros(count, np.bool_), np.zeros((count, 2)))
