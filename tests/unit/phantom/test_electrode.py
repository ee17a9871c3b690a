"""Claims about the simulated cathode: it is what its truth says."""

from __future__ import annotations

import numpy as np
import pytest

from fijibridge.errors import ParameterError
from fijibridge.phantom import make_electrode
from fijibridge.volume import voxel_size


def test_fractions_are_the_ones_asked_for():
    """A benchmark that asks for 50 % active material must get it, to within a particle."""
    electrode = make_electrode((96, 96, 96), active=0.45, binder=0.12)
    assert (electrode.phases.data == 1).mean() == pytest.approx(0.45, abs=0.03)
    assert (electrode.phases.data == 2).mean() == pytest.approx(0.12, abs=0.001)


def test_truth_is_the_two_phase_view_of_the_phases():
    """The study scores active material against everything else."""
    electrode = make_electrode((48, 48, 48))
    assert np.array_equal(electrode.truth.data == 1, electrode.phases.data == 1)
    assert set(np.unique(electrode.truth.data)) == {1, 2}


def test_without_noise_blur_and_rings_each_phase_has_its_own_grey_level():
    """Everything that makes segmentation hard comes from the scanner's part of the simulation."""
    electrode = make_electrode((48, 48, 48), noise=0, blur=0, rings=0)
    grey, phases = electrode.grey.data, electrode.phases.data
    assert set(np.unique(grey[phases == 0])) == {62}
    assert set(np.unique(grey[phases == 2])) == {84}
    assert grey[phases == 1].min() > 120


def test_rings_are_the_same_in_every_slice():
    """Ring artefacts come from the detector, so they run along the axis of rotation."""
    plain = make_electrode((16, 64, 64), noise=0, blur=0, rings=0).grey.data.astype(int)
    ringed = make_electrode((16, 64, 64), noise=0, blur=0, rings=6).grey.data.astype(int)
    pattern = ringed - plain
    assert pattern.std() > 3
    assert np.abs(pattern - pattern[0]).max() <= 1  # rounding


def test_same_seed_gives_the_same_bytes_and_another_seed_another_cathode():
    """Tests and benchmarks compare runs of the same phantom."""
    first, again, other = (make_electrode((32, 32, 32), seed=seed).grey for seed in (3, 3, 4))
    assert np.array_equal(first.data, again.data)
    assert not np.array_equal(first.data, other.data)


def test_voxel_size_stands_on_the_grid():
    """Scale bars and particle sizes read it from there."""
    assert voxel_size(make_electrode((16, 16, 16), voxel_nm=126).grey)[:3] == (126, 126, 126)


@pytest.mark.parametrize("bad", [{"active": 0.9}, {"active": 0}, {"binder": 0.7}, {"shape": (4, 64, 64)}])
def test_impossible_electrodes_are_refused(bad):
    """A wish that cannot be packed must not end in a silent lower fraction."""
    with pytest.raises(ParameterError):
        make_electrode(**bad)
