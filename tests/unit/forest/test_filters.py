"""The features against scipy, and against themselves computed in other pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy_features import compute

from fijibridge.errors import ParameterError, VolumeError
from fijibridge.forest import FeatureSet, compute_features
from fijibridge.forest._blocks import runner
from fijibridge.forest._extract import Extractor
from fijibridge.forest._plan import make_plan
from fijibridge.forest._pyramid import Box
from fijibridge.volume import make_volume, voxel_size

NOISE = np.random.default_rng(3).integers(0, 256, (23, 29, 31), np.uint8)
FINE = FeatureSet.of(sigmas=(0.3, 0.7, 1.0, 1.6))


@pytest.mark.parametrize("flat", [False, True])
def test_fine_scales_are_those_of_scipy(flat):
    """Up to 3.4 voxels nothing is approximated but the eigenvalues' arccos: 1e-5 of the range
    of the smoothed image and its derivatives, 1e-3 of the largest eigenvalue."""
    features = FeatureSet(FINE.names, flat=flat)
    found = compute_features(make_volume(NOISE), features)
    columns = features.columns(dimensions=2 if flat else 3)
    largest: dict[tuple[str, float], float] = {}
    for column, mine, theirs in zip(columns, found.data, compute(NOISE, columns, flat=flat, pad=12), strict=True):
        top = largest.setdefault((column.kind, column.sigma), np.abs(theirs).max())
        tolerance = 1e-3 if column.kind in ("structure_tensor", "hessian") else 2e-5
        assert np.abs(mine - theirs).max() <= tolerance * top, column.name


@pytest.mark.parametrize(
    ("shape", "sigmas", "flat"), [((15, 20, 18), (3.5,), False), ((1, 120, 130), (3.5, 5.0, 7.0, 10.0), True)]
)
def test_large_scales_follow_the_full_computation(shape, sigmas, flat):
    """Every second or fourth voxel and a straight line between: white noise is the worst case for that."""
    grey = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    features = FeatureSet.of(sigmas=sigmas, flat=flat)
    columns = features.columns(dimensions=2 if flat else 3)
    found = compute_features(make_volume(grey), features)
    for column, mine, theirs in zip(columns, found.data, compute(grey, columns, flat=flat, pad=45), strict=True):
        least = 0.999 if column.kind == "gaussian" else 0.97
        assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > least, column.name


@settings(max_examples=15, deadline=None)
@given(data=st.data(), anisotropic=st.booleans())
def test_any_box_gets_the_same_bytes_as_the_whole(data, anisotropic):
    """A voxel's features depend on where it lies in the volume, never on the block that it is computed in."""
    volume = make_volume(NOISE, spacing=(3 if anisotropic else 1, 1, 1))
    plan = make_plan(FeatureSet.default(), voxel_size(volume), dimensions=3)
    extractor = Extractor(volume.data, plan, 1.0)
    low = [data.draw(st.integers(0, n - 1)) for n in NOISE.shape]
    high = [data.draw(st.integers(a + 1, n)) for a, n in zip(low, NOISE.shape, strict=True)]
    box = Box(tuple(low), tuple(high))
    with runner(1) as run:
        found = extractor.floats(box, extractor.surroundings(box, run))
    whole = compute_features(volume, FeatureSet.default()).data
    assert np.array_equal(found, whole[(slice(None), *box.slices())])


def test_a_slice_gets_the_features_of_the_whole_volume():
    """The slice shown while painting must look as it will in the end."""
    volume = make_volume(NOISE)
    whole = compute_features(volume, FeatureSet.default())
    assert np.array_equal(compute_features(volume, FeatureSet.default(), z=11).data[:, 0], whole.data[:, 11])


def test_leaving_features_out_does_not_change_the_others():
    """Prediction computes only what the trees ask for."""
    volume = make_volume(NOISE)
    few = FeatureSet(("hessian(10)[1]", "gaussian(5)", "structure_tensor(1)[2]"))
    whole = compute_features(volume, FeatureSet.default())
    found = compute_features(volume, few)
    assert np.array_equal(found.data, whole.sel(feature=found.coords["feature"].values).data)


def test_filters_are_round_in_nanometres_where_voxels_are_not():
    """A volume of every second slice of a smooth volume has the features of those slices."""
    fine = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(60, 40, 40)), 4).astype(np.float32) * 1000
    features = FeatureSet.of(sigmas=(60.0,), unit="nm")
    isotropic = compute_features(make_volume(fine, spacing=(10, 10, 10)), features).data[:, ::2][:, 8:-8]
    thinned = compute_features(make_volume(fine[::2], spacing=(20, 10, 10)), features).data[:, 8:-8]
    for a, b in zip(isotropic, thinned, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.95


def test_scales_in_nm_are_scales_in_voxels_times_the_voxel_size():
    """The same filter, said in other words."""
    volume = make_volume(NOISE, spacing=(8, 8, 8), units="nm")
    in_nm = compute_features(volume, FeatureSet(("hessian(12.8)",), unit="nm"))
    assert np.array_equal(in_nm.data, compute_features(volume, FeatureSet(("hessian(1.6)",))).data)


def test_scales_in_nm_need_a_voxel_size():
    """We do not guess how large a voxel is."""
    with pytest.raises(VolumeError, match="voxel size"):
        compute_features(make_volume(NOISE, units="voxel"), FeatureSet(("gaussian(10)",), unit="nm"))


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("minimum(2)", lambda grey: ndimage.minimum_filter(grey, 5)),
        ("maximum(1)", lambda grey: ndimage.maximum_filter(grey, 3)),
        ("median(1)", lambda grey: ndimage.median_filter(grey, 3)),
        ("variance(2)", lambda grey: ndimage.generic_filter(grey.astype(float), np.var, 5)),
    ],
)
def test_window_filters_are_those_of_scipy(name, theirs):
    """On request, and the same mirror at the faces."""
    found = compute_features(make_volume(NOISE), FeatureSet((name,))).data[0]
    assert np.allclose(found, theirs(NOISE), rtol=1e-5)


def test_a_median_over_a_huge_box_is_refused():
    """It would run for hours; the message says what to take."""
    with pytest.raises(ParameterError, match="smaller scale"):
        compute_features(make_volume(NOISE), FeatureSet(("median(10)",)))


def test_nan_is_refused_and_not_spread():
    """One NaN would silently blacken everything within 45 voxels."""
    grey = NOISE.astype(np.float32)
    grey[3, 4, 5] = np.nan
    with pytest.raises(VolumeError, match="NaN"):
        compute_features(make_volume(grey), FINE)


def test_a_flat_volume_has_flat_features():
    """No division by zero in the eigenvalues of nothing."""
    found = compute_features(make_volume(np.full((9, 9, 9), 7, np.uint8)), FeatureSet.default())
    rest = found.sel(feature=[name for name in found.coords["feature"].values if not name.startswith("gaussian")])
    assert np.abs(rest.data).max() < 1e-4


@pytest.mark.parametrize("shape", [(16, 20, 24), (13, 18, 21)])
def test_beyond_its_faces_a_volume_goes_on_as_in_a_mirror(shape):
    """So do the grids of large scales: to the byte what the volume with its mirror images would give."""
    grey = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
    wide = np.pad(grey, [(0, n) for n in shape], mode="symmetric")
    found = compute_features(make_volume(grey), FeatureSet.default()).data
    going_on = compute_features(make_volume(wide), FeatureSet.default()).data
    assert np.array_equal(found, going_on[(slice(None), *(slice(n) for n in shape))])
