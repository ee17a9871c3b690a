"""Claims about the flooding beneath the native watershed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import watershed

from fijibridge.ops._flood import flood, gradient_levels


@pytest.mark.parametrize("shape", [(1, 30, 40), (7, 30, 40), (16, 16, 16)])
def test_flood_without_ties_is_that_of_scikit_image(shape):
    """A peer library as oracle: where no two levels are equal there is only one right answer."""
    rng = np.random.default_rng(1)
    levels = rng.permutation(np.prod(shape)).reshape(shape).astype(np.uint16)
    seeds = np.zeros(shape, np.uint8)
    places = rng.choice(seeds.size, 12, replace=False)
    seeds.ravel()[places] = rng.integers(1, 4, 12)
    assert np.array_equal(flood(levels, seeds), watershed(levels, seeds.astype(np.int32)))


def test_every_voxel_gets_a_label_and_seeds_keep_theirs():
    """A flat image floods too, and nothing leaks over a seed."""
    levels = np.zeros((5, 20, 20), np.uint16)
    seeds = np.zeros(levels.shape, np.uint8)
    seeds[:, :, 0], seeds[:, :, -1] = 1, 2
    labels = flood(levels, seeds)
    assert labels.min() == 1
    assert np.array_equal(labels[seeds > 0], seeds[seeds > 0])
    assert np.array_equal(labels[:, :, :9] == 1, np.ones((5, 20, 9), bool))  # they meet half-way


def test_gradient_is_the_sobel_magnitude_in_equal_steps():
    """The steps must follow the gradient linearly, or the flood would take edges in another order."""
    grey = np.random.default_rng(0).integers(0, 256, (6, 8, 10)).astype(np.uint8)
    exact = np.sqrt(sum(ndimage.sobel(grey.astype(float), axis=axis, mode="nearest") ** 2 for axis in range(3)))
    assert gradient_levels(grey) == pytest.approx(exact / exact.max() * 65535, abs=0.51)


def test_lone_slice_has_a_gradient_of_its_own():
    """In a stack of one slice the z axis says nothing."""
    grey = np.random.default_rng(0).integers(0, 256, (1, 8, 10)).astype(np.uint8)
    exact = np.sqrt(sum(ndimage.sobel(grey[0].astype(float), axis=axis, mode="nearest") ** 2 for axis in range(2)))
    assert gradient_levels(grey)[0] == pytest.approx(exact / exact.max() * 65535, abs=0.51)


def test_constant_image_is_flat():
    """No division by a gradient of zero."""
    assert not gradient_levels(np.full((3, 4, 5), 7, np.uint8)).any()
