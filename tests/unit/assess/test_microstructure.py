"""Claims about surface, particles, connection and transport, on bodies whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from fijibridge.assess import (
    connectivity,
    particle_sizes,
    signal_to_noise,
    specific_surface,
    split_particles,
    tortuosity_factor,
)
from fijibridge.errors import LabelsError
from fijibridge.volume import make_volume


def draw_spheres(shape, spheres, size=(1.0, 1.0, 1.0)):
    """Label 1 inside the spheres (centre z, y, x and radius in the units of size), 2 outside."""
    grid = [axis * edge for axis, edge in zip(np.ogrid[tuple(map(slice, shape))], size, strict=True)]
    inside = np.zeros(shape, bool)
    for *centre, radius in spheres:
        inside |= sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True)) <= radius**2
    return make_volume(np.where(inside, 1, 2).astype(np.uint8), spacing=size, units="um")


def surfaces(shape, radius, size):
    """Measure a ball at 12 places in a block that repeats without end and is cut anywhere, as a share of the truth."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(12):
        centre = (np.array(shape) / 2 + rng.uniform(-0.5, 0.5, 3)) * size
        ball = np.tile(np.asarray(draw_spheres(shape, [(*centre, radius)], size).data), (3, 3, 3))
        rolled = np.roll(ball, rng.integers(0, shape), axis=(0, 1, 2))
        found.append(specific_surface(make_volume(rolled, spacing=size, units="um")))
    return np.mean(found) * np.prod(shape) * np.prod(size) / (4 * math.pi * radius**2)


@pytest.mark.parametrize(
    ("shape", "radius", "size"),
    [((22, 22, 22), 6.3, (1, 1, 1)), ((26, 26, 26), 11.6, (1, 1, 1)), ((16, 40, 40), 7.0, (1.0, 0.4, 0.4))],
    ids=["small", "large", "thick slices"],
)
def test_surface_of_a_sphere_is_right_to_one_and_a_half_percent(shape, radius, size):
    """Counting voxel faces finds 50 % too much, marching cubes about 8 %; slices may be thicker than pixels."""
    assert surfaces(shape, radius, size) == pytest.approx(1, abs=0.015)


def test_surface_of_a_flat_wall_is_its_area():
    """A wall across a block of 30: one unit of area per 30 of depth; the border itself is no surface."""
    data = np.full((30, 30, 30), 2, np.uint8)
    data[:13] = 1
    assert specific_surface(make_volume(data, units="um")) == pytest.approx(1 / 30, rel=0.1)


def test_touching_spheres_are_told_apart_and_measured():
    """Four spheres, two of them pressed into each other: four diameters, each to 4 %."""
    spheres = [(18, 18, 18, 10), (18, 37, 18, 10), (50, 50, 50, 7), (48, 20, 48, 5)]
    found = particle_sizes(draw_spheres((70, 70, 70), spheres))
    assert found.diameters == pytest.approx([10, 14, 20, 20], rel=0.04)
    assert found.d10 == pytest.approx(14, rel=0.04)
    assert found.d50 == found.d90 == pytest.approx(20, rel=0.04)


def test_an_elongated_particle_stays_one():
    """Two bulges with a wide neck are one particle."""
    chain = draw_spheres((30, 30, 50), [(15, 15, 17, 9), (15, 15, 24, 9), (15, 15, 31, 9)])
    assert split_particles(chain).data.max() == 1


def test_particles_cut_by_the_border_are_left_out_and_counted():
    """Their size is not known."""
    found = particle_sizes(draw_spheres((40, 40, 40), [(20, 20, 20, 8), (0, 35, 35, 6)]))
    assert len(found.diameters) == 1
    assert found.cut == 1
    with pytest.raises(LabelsError, match="wholly inside"):
        particle_sizes(draw_spheres((20, 20, 20), [(10, 10, 10, 15)]))


def test_large_particles_count_for_those_that_the_border_hides():
    """A body of 21 voxels in 41 is seen whole, off the border, in 19 places of 41 along each axis."""
    found = particle_sizes(draw_spheres((41, 41, 41), [(20, 20, 20, 10)]))
    assert found.weights[0] == pytest.approx((41 / 19) ** 3)


def test_connectivity_of_bars_worked_by_hand():
    """One bar of 10 voxels leads through, one of 5 ends half-way, and the axis matters."""
    data = np.full((10, 6, 6), 2, np.uint8)
    data[:, 1, 1], data[:5, 4, 4] = 1, 1
    volume = make_volume(data)
    found = connectivity(volume, axis="z")
    assert (found.largest, found.through, found.clusters) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 2)
    assert connectivity(volume, axis="x").through == 0


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_straight_channels_have_tortuosity_one(axis):
    """By definition, along any axis and for any voxel."""
    data = np.full((12, 12, 12), 1, np.uint8)
    moved = np.moveaxis(data, "zyx".index(axis), 0)
    moved[:, 3:7, 2:9] = 2
    assert tortuosity_factor(make_volume(data, spacing=(3, 1, 2)), axis=axis) == pytest.approx(1, abs=2e-3)


def test_tortuosity_without_a_path_is_infinite():
    """A wall across."""
    data = np.full((6, 6, 6), 2, np.uint8)
    data[3] = 1
    assert tortuosity_factor(make_volume(data)) == math.inf


def test_tortuosity_around_a_sphere_is_maxwells():
    """A dilute insulating sphere raises it to 1 + phi / 2 (Maxwell 1873)."""
    ball = draw_spheres((40, 40, 40), [(19.5, 19.5, 19.5, 10)])
    phi = float((ball.data == 1).mean())
    assert tortuosity_factor(ball) == pytest.approx(1 + phi / 2, abs=0.01)


def direct_tortuosity(mask, size):
    """Assemble and solve the same equations directly."""
    number = -np.ones(mask.shape, int)
    number[mask] = np.arange(mask.sum())
    matrix, right = sparse.lil_matrix((mask.sum(), mask.sum())), np.zeros(mask.sum())
    for place in np.argwhere(mask):
        row = number[tuple(place)]
        for axis in range(3):
            weight = 1 / size[axis] ** 2
            for step in (-1, 1):
                other = place.copy()
                other[axis] += step
                if axis == 0 and not 0 <= other[0] < len(mask):
                    matrix[row, row] += 2 * weight
                    right[row] += 2 * weight * (step < 0)
                elif (other >= 0).all() and (other < mask.shape).all() and mask[tuple(other)]:
                    matrix[row, row] += weight
                    matrix[row, number[tuple(other)]] -= weight
    field = np.zeros(mask.shape)
    field[mask] = spsolve(matrix.tocsr(), right)
    flux = 2 * (1 - field[0])[mask[0]].sum() / mask[0].size
    return mask.mean() / (flux * len(mask))


def test_tortuosity_is_that_of_a_direct_solution():
    """A random medium with flat voxels, every equation solved at once by scipy."""
    mask = np.random.default_rng(1).random((9, 8, 7)) < 0.8
    mask[0] = mask[-1] = True
    parts, _ = ndimage.label(mask)
    mask = parts == parts[0, 0, 0]
    size = (2.0, 1.0, 0.7)
    volume = make_volume(np.where(mask, 2, 1).astype(np.uint8), spacing=size)
    assert tortuosity_factor(volume) == pytest.approx(direct_tortuosity(mask, size), rel=3e-3)


def test_signal_to_noise_is_contrast_over_noise_away_from_edges():
    """Means 150 and 60, noise 12: 7.5, whatever the blurred layer between the classes."""
    rng = np.random.default_rng(0)
    truth = np.full((20, 30, 30), 2, np.uint8)
    truth[:, :15] = 1
    grey = np.where(truth == 1, 150.0, 60.0)
    grey[:, 14:16] = 105
    grey += rng.normal(0, 12, grey.shape)
    found = signal_to_noise(make_volume(grey), make_volume(truth))
    assert found.ratio == pytest.approx(7.5, rel=0.03)
    assert found.contrast == pytest.approx(90, rel=0.01)
