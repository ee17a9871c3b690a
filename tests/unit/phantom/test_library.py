"""Claims about the phantom library: what stands for the study's data sets."""

from __future__ import annotations

import numpy as np
import pytest

from fijibridge.assess import signal_to_noise
from fijibridge.errors import ParameterError
from fijibridge.phantom.fibsem import NO_DEFECTS
from fijibridge.phantom.library import LIBRARY, make_nex_fibsem, make_sample
from fijibridge.volume import make_volume, same_grid, voxel_size


@pytest.fixture(scope="module")
def samples():
    return {name: make_sample(name, size=72) for name in LIBRARY}


def test_signal_to_noise_falls_in_the_order_that_the_library_promises(samples):
    """Which data set is hard is what the study is about."""
    ratios = {name: signal_to_noise(*sample).ratio for name, sample in samples.items()}
    assert sorted(ratios, key=ratios.__getitem__, reverse=True) == [
        "NMC-1",
        "NEX-V",
        "NMC-2",
        "NEX-U",
        "GRA-1",
        "GRA-2",
    ]


def test_samples_have_the_voxels_and_fractions_asked_for(samples):
    """397 nm NMC, 126 nm graphite, and the asked share of active material to a few percent."""
    for name, sample in samples.items():
        assert same_grid(sample.grey, sample.truth)
        assert voxel_size(sample.grey).x == pytest.approx(LIBRARY[name].voxel_nm)
        assert float((sample.truth.data == 1).mean()) == pytest.approx(LIBRARY[name].active, abs=0.05)


def test_one_geometry_is_seen_by_both_scanners(samples):
    """NEX-V is NEX-U at larger voxels: the same matter in the same place."""
    fine, coarse = (np.asarray(samples[name].truth.data) == 1 for name in ("NEX-U", "NEX-V"))
    centres = ((np.arange(coarse.shape[0]) + 0.5) * 371 / 126 - 0.5).round().astype(int)
    assert (fine[np.ix_(centres, centres, centres)] == coarse).mean() > 0.93


def test_the_fib_sem_stack_images_that_geometry_too(samples):
    """Slices of 256 nm, pixels of 55 nm, the same fraction of active material."""
    stack = make_nex_fibsem(size=72, defects=NO_DEFECTS)
    assert voxel_size(stack.volume)[:3] == pytest.approx((256, 55, 55))
    fine = float((samples["NEX-U"].truth.data == 1).mean())
    assert float((stack.truth.data == 1).mean()) == pytest.approx(fine, abs=0.02)


def test_the_same_seed_gives_the_same_voxels():
    """And another seed another piece of material."""
    one, two, other = (make_sample("GRA-1", size=40, seed=seed).grey.data for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_real_geometry_is_scanned_like_a_simulated_one():
    """Its phases become the truth; the data set's voxel size is written on it."""
    phases = np.zeros((40, 50, 50), np.uint8)
    phases[10:30, 10:30, 10:30], phases[10:30, 30:34, 10:30] = 1, 2
    sample = make_sample("NMC-1", size=40, geometry=make_volume(phases))
    assert np.array_equal(sample.truth.data == 1, phases[:, 5:45, 5:45] == 1)
    assert voxel_size(sample.grey).z == pytest.approx(397)


def test_unknown_names_and_tiny_sizes_are_refused():
    """Each with what to write instead."""
    with pytest.raises(ParameterError, match="NMC-1"):
        make_sample("NMC-9")
    with pytest.raises(ParameterError, match="at least 32"):
        make_sample("NMC-1", size=8)
