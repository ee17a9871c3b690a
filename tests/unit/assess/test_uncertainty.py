"""Claims about the plus-minus of a volume fraction: against known covariance, against bootstrap, and its coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from fijibridge.assess import block_bootstrap, combine, sampling_error
from fijibridge.errors import ParameterError
from fijibridge.volume import make_volume


def random_field(size, sigma, rng):
    """A level set at zero of a Gaussian field whose correlation is exp(-r^2 / 4 sigma^2): half of it is 1."""
    wide = ndimage.gaussian_filter(rng.standard_normal((size + 8 * sigma,) * 3), sigma, mode="wrap")
    return (wide > 0)[:size, :size, :size]


def known_std(size, sigma):
    """Sum the known covariance asin(rho) / 2 pi of that level set over all pairs of a cube's voxels."""
    lag = np.arange(-size + 1, size)
    pairs = np.einsum("i,j,k->ijk", *[size - np.abs(lag)] * 3)
    rho = np.exp(-sum(axis**2 for axis in np.meshgrid(lag, lag, lag, sparse=True)) / (4 * sigma**2))
    return math.sqrt((pairs * np.arcsin(rho)).sum() / (2 * math.pi)) / size**3


@pytest.mark.parametrize(("size", "sigma"), [(40, 2), (48, 3)])
def test_sampling_error_is_that_of_the_known_covariance(size, sigma):
    """Root mean square over twelve fields, each of which alone gives an estimate."""
    rng = np.random.default_rng(3)
    found = [sampling_error(make_volume(random_field(size, sigma, rng), units="um")).std for _ in range(12)]
    assert math.sqrt(np.mean(np.square(found))) == pytest.approx(known_std(size, sigma), rel=0.2)


def test_sampling_error_stands_beside_the_block_bootstrap():
    """Two ways that share no assumption, where there are enough blocks for the second."""
    mask = make_volume(random_field(96, 2, np.random.default_rng(5)))
    assert sampling_error(mask).std == pytest.approx(block_bootstrap(mask, blocks=4), rel=0.35)


def test_sampling_error_of_white_noise_is_the_binomial_one():
    """Without correlation every voxel is a draw of its own: sqrt(p (1 - p) / n), integral range one voxel."""
    mask = make_volume(np.random.default_rng(0).random((40, 40, 40)) < 0.3, spacing=(2, 2, 2))
    found = sampling_error(mask)
    assert found.std == pytest.approx(math.sqrt(0.21 / 40**3), rel=0.15)
    assert found.integral_range == pytest.approx(8, rel=0.3)


def test_sampling_error_of_one_class_alone_is_zero():
    """Nothing varies."""
    assert sampling_error(make_volume(np.ones((8, 8, 8), np.uint8))).std == 0
    with pytest.raises(ParameterError, match="4 voxels"):
        sampling_error(make_volume(np.ones((1, 8, 8), np.uint8)))


def test_parts_of_the_plus_minus_worked_by_hand():
    """Users 0.1 apart on average, methods 0.2, nothing left over."""
    readings = {("A", "m"): 0.4, ("A", "n"): 0.6, ("B", "m"): 0.5, ("B", "n"): 0.7}
    found = combine(readings, sampling=0.01)
    assert found.fraction == pytest.approx(0.55)
    assert found.users == pytest.approx(math.sqrt(0.1**2 / 2))
    assert found.methods == pytest.approx(math.sqrt(0.2**2 / 2))
    assert found.rest == pytest.approx(0, abs=1e-9)
    assert found.standard == pytest.approx(math.sqrt(0.005 + 0.02 + 0.0001))


def test_one_method_and_three_users_leave_only_the_users():
    """Student's t of two degrees of freedom where the sample is large."""
    found = combine({(user, "m"): value for user, value in zip("ABC", (0.4, 0.5, 0.6), strict=True)}, sampling=0.0)
    assert found.users == pytest.approx(0.1)
    assert found.plus_minus == pytest.approx(0.43, abs=0.01)


def test_plus_minus_covers_the_reading_of_one_more_person():
    """Monte Carlo: biased users in finite volumes; 95 % are promised, and a promise too wide is worth little."""
    rng = np.random.default_rng(0)
    users, sampling, held, rounds = 0.05, 0.03, 0, 2000
    for _ in range(rounds):
        volume = 0.5 + rng.normal(0, sampling)
        readings = {(user, "m"): volume + rng.normal(0, users) for user in "ABCDEF"}
        held += (
            abs(combine(readings, sampling=sampling).fraction - 0.5 - rng.normal(0, users))
            < combine(readings, sampling=sampling).plus_minus
        )
    assert 0.92 < held / rounds < 0.99


def test_gaps_in_the_table_are_named():
    """A user without a method would shift the mean of that method."""
    with pytest.raises(ParameterError, match="user B lacks n"):
        combine({("A", "m"): 0.4, ("A", "n"): 0.6, ("B", "m"): 0.5}, sampling=0.0)
