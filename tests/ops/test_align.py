"""Alignment recovers known shifts, leaves true structure alone, and survives spoilt slices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from fijibridge.errors import ParameterError, ReadError, VolumeError
from fijibridge.ops._align import Shifts, align, apply_shifts, estimate_shifts, read_shifts, write_shifts
from fijibridge.phantom.fibsem import NO_DEFECTS, Defects, FibsemPhantom, make_fibsem
from fijibridge.volume import history, make_volume, same_grid


def rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def fast_part(values: NDArray[np.float64], sigma: float = 5.0) -> NDArray[np.float64]:
    """Take out the slow part, which neighbouring slices cannot tell from slanted structure."""
    return values - ndimage.gaussian_filter1d(values, sigma, axis=0, mode="nearest")


@pytest.fixture(scope="module")
def phantom() -> FibsemPhantom:
    return make_fibsem((48, 256, 256), seed=1, defects=Defects(outliers=0.04))


def test_shifts_of_a_stack_with_every_defect_are_found_despite_spoilt_slices(phantom: FibsemPhantom) -> None:
    """A chain of neighbours breaks at each spoilt slice; several neighbours at once do not."""
    found = estimate_shifts(phantom.volume, trend="remove")
    good = ~phantom.outliers
    off = np.zeros_like(found.shifts)
    for axis in (0, 1):
        error = found.shifts[good, axis] - phantom.shifts[good, axis]
        off[:, axis] = np.interp(np.arange(48), np.flatnonzero(good), error)
    assert rms(fast_part(off)) < 0.15
    assert rms(off - off.mean(axis=0)) < 1.0


def test_spoilt_slices_are_flagged_and_good_ones_are_not(phantom: FibsemPhantom) -> None:
    """The user must learn which slices to look at."""
    found = estimate_shifts(phantom.volume)
    assert found.outliers[phantom.outliers].mean() >= 0.5
    assert not found.outliers[~phantom.outliers].any()
    assert found.confidence[phantom.outliers].max() < found.confidence[~phantom.outliers].min()


def test_keep_finds_jumps_and_jitter_but_not_a_slow_drift() -> None:
    """The default must not take out what may be slanted structure."""
    slow = make_fibsem((48, 192, 192), seed=2, defects=replace(NO_DEFECTS, trend=20.0, noise=4.0))
    kept = estimate_shifts(slow.volume, trend="keep")
    assert np.abs(kept.shifts).max() < 1.0
    assert np.ptp(kept.slow[:, 0]) > 15
    jumped = np.zeros((48, 2))
    jumped[20:] = [9.0, -7.0]
    moved = apply_shifts(slow.volume, -jumped)
    found = estimate_shifts(moved, trend="keep")
    assert rms(fast_part(found.shifts - jumped)) < 0.2


def test_a_template_region_recovers_a_slow_drift() -> None:
    """Only a part that is fixed by construction can tell slow drift from slant."""
    made = make_fibsem((48, 192, 192), seed=3, cap=60, defects=replace(Defects(), drift=0.3, jumps=0, trend=20.0))
    found = estimate_shifts(made.volume, trend="template", region=(0, 48, 0, 192))
    error = found.shifts - made.shifts
    good = ~made.outliers
    assert rms((error - error[good].mean(axis=0))[good]) < 0.3


def test_known_movement_added_to_a_real_aligned_stack_is_recovered(shared_data) -> None:  # type: ignore[no-untyped-def]
    """Real tissue whose structure slants by 16 px over 64 slices: leave it, but find jitter and a jump of 12 px."""
    real = make_volume(tifffile.imread(shared_data("flyem_fibsem_truth") / "flyem_grey.tif"), spacing=(10, 10, 10))
    untouched = estimate_shifts(real)
    assert np.abs(untouched.shifts).max() < 1.0
    added = np.random.default_rng(0).normal(0, 1, (64, 2))
    added[30:] += [9.6, 7.2]
    found = estimate_shifts(apply_shifts(real, -added))
    assert rms(fast_part(found.shifts - added - untouched.shifts)) < 0.2


def test_shifts_applied_put_edges_where_they_belong_to_a_hundredth_of_a_pixel() -> None:
    """Interpolation must not move or blur."""
    y, x = np.mgrid[:64, :64].astype(np.float32)

    def picture(dy: float, dx: float) -> NDArray[np.float32]:
        return np.asarray(100 + 40 * np.sin(0.9 * (x - dx)) * np.cos(0.7 * (y - dy)), np.float32)

    volume = make_volume(np.stack([picture(0, 0)] * 2))
    moved = apply_shifts(volume, np.array([[0.3, -0.7], [2.5, 3.0]]))
    for z, (dy, dx) in enumerate([(0.3, -0.7), (2.5, 3.0)]):
        assert np.abs(moved.data[z] - picture(dy, dx))[10:-10, 10:-10].max() < 0.4


def test_voxels_from_outside_are_empty_and_the_valid_box_leaves_them_out() -> None:
    """Invented rims would be measured as structure."""
    volume = make_volume(np.full((2, 40, 40), 7, np.uint8))
    moved = apply_shifts(volume, np.array([[3.5, -2.0], [0.0, 0.0]]))
    assert (moved.data[0, :4] == 0).all()
    assert (moved.data[0, 4:, :38] == 7).all()
    assert (moved.data[0, :, 38:] == 0).all()
    shifts = Shifts(np.array([[3.5, -2.0], [0, 0]]), *(np.zeros(2),) * 2, np.zeros(2, bool), np.zeros((2, 2)))
    assert shifts.valid_box(40, 40) == (slice(4, 40), slice(0, 38))


def test_masks_and_labels_keep_their_values() -> None:
    """Labels between labels would be nonsense."""
    labels = make_volume(np.random.default_rng(0).integers(0, 3, (3, 32, 32)).astype(np.uint8))
    moved = apply_shifts(labels, np.full((3, 2), 0.4), interpolation="nearest")
    assert (moved.data == labels.data).all()
    assert apply_shifts(make_volume(labels.data > 1), np.full((3, 2), 1.4)).dtype == bool


def test_align_is_estimate_and_apply_in_one_recorded_step(phantom: FibsemPhantom) -> None:
    """Recipes use the operation, scripts the two functions: both must do the same."""
    part = phantom.volume[:8]
    before = part.data.copy()
    done = align(part, trend="remove")
    by_hand = apply_shifts(part, estimate_shifts(part, trend="remove"))
    assert (done.data == by_hand.data).all()
    assert (part.data == before).all()
    assert same_grid(done, part)
    assert history(done)[-1]["operation"] == "align"


def test_shifts_go_to_a_file_and_come_back(tmp_path: Path, phantom: FibsemPhantom) -> None:
    """Shifts of one detector are applied to the other one's stack."""
    found = estimate_shifts(phantom.volume[:10])
    back = read_shifts(write_shifts(found, tmp_path / "shifts.csv"))
    assert np.allclose(back.shifts, found.shifts, atol=1e-4)
    assert (back.outliers == found.outliers).all()
    (tmp_path / "bad.csv").write_text("z,y\n0,1\n")
    with pytest.raises(ReadError):
        read_shifts(tmp_path / "bad.csv")


def test_a_mask_keeps_what_moves_by_itself_out_of_it() -> None:
    """Something bright that drifts through the view must not drag the alignment along when masked out."""
    made = make_fibsem((8, 192, 192), seed=5, defects=replace(NO_DEFECTS, noise=4.0))
    data = made.volume.data.copy()
    for z in range(8):
        data[z, 60:140, 20 + 8 * z : 100 + 8 * z] = np.random.default_rng(9).integers(0, 255, (80, 80))
    mask = np.ones(data.shape, bool)
    mask[:, 50:150, 10:170] = False
    found = estimate_shifts(make_volume(data), trend="remove", mask=make_volume(mask))
    assert np.abs(np.diff(found.shifts, axis=0)).max() < 0.5


def test_pixels_that_are_no_numbers_do_not_spread() -> None:
    """A NaN in a Fourier transform makes everything NaN."""
    made = make_fibsem((6, 96, 96), defects=replace(NO_DEFECTS, drift=1.0))
    data = made.volume.data.astype(np.float32)
    data[2, 10:20, 10:20] = np.nan
    found = estimate_shifts(make_volume(data), trend="remove")
    assert np.isfinite(found.shifts).all()
    assert rms(np.diff(found.shifts - made.shifts, axis=0)) < 0.5


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"trend": "template"}, "region"),
        ({"trend": "template", "region": (0, 400, 0, 60)}, "region"),
        ({"max_shift": 500.0}, "max_shift"),
    ],
)
def test_parameters_that_cannot_work_are_refused_by_name(kwargs: dict[str, object], words: str) -> None:
    """The message names the parameter."""
    volume = make_volume(np.random.default_rng(0).integers(0, 255, (4, 64, 64)).astype(np.uint8))
    with pytest.raises(ParameterError, match=words):
        align(volume, **kwargs)


def test_one_slice_or_too_few_shifts_are_refused() -> None:
    """There is nothing to align it to."""
    volume = make_volume(np.zeros((1, 64, 64), np.uint8))
    with pytest.raises(VolumeError, match="two or more"):
        align(volume)
    with pytest.raises(VolumeError, match="shifts"):
        apply_shifts(volume, np.zeros((3, 2)))


def test_a_region_with_edges_of_one_direction_is_refused_as_a_template() -> None:
    """It would fix y and leave x to chance."""
    rows = 100 + 50 * np.sin(np.arange(64) / 3.0)[:, None] * np.ones(64)
    data = np.stack([np.roll(rows, z, axis=0) for z in range(5)]).astype(np.float32)
    with pytest.raises(ParameterError, match="one direction"):
        estimate_shifts(make_volume(data), trend="template", region=(0, 64, 0, 64))
