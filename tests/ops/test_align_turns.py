"""Alignment with turns recovers known small rotations and stretches, and leaves a stack without any nearly alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import linalg, ndimage

from fijibridge.errors import EngineMissingError, ParameterError, ReadError
from fijibridge.ops import align, apply_shifts, estimate_shifts, read_shifts, write_shifts
from fijibridge.phantom.fibsem import Defects, make_fibsem
from fijibridge.volume import Volume, history, make_volume

COUNT, SIDE, RIM = 14, 224, 16
#: Places in a slice, from its middle, at which the error of a transform is told.
PLACES = np.stack(np.meshgrid(*[np.linspace(-100, 100, 5)] * 2, indexing="ij"), -1).reshape(-1, 2)


def rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def turned(logs: NDArray[np.float64], *, seed: int = 4) -> tuple[Volume, NDArray[np.bool_]]:
    """Give a stack with noise, curtains, light jumps and a spoilt slice, whose slices are turned about their middle."""
    flaws = replace(Defects(), drift=0.0, jumps=0, outliers=0.05, missing=0)
    made = make_fibsem((COUNT, SIDE + 2 * RIM, SIDE + 2 * RIM), diameter_um=2.0, seed=seed, defects=flaws)
    middle = (np.array(made.volume.shape[1:]) - 1) / 2
    data = np.empty((COUNT, SIDE, SIDE), np.uint8)
    for z, log in enumerate(logs):
        back = linalg.expm(-log)
        image = made.volume.data[z].astype(np.float32)
        seen = ndimage.affine_transform(image, back, middle - back @ middle, order=3)[RIM:-RIM, RIM:-RIM]
        data[z] = np.clip(np.rint(seen), 0, 255)
    return make_volume(data), made.outliers


def jitter(spread: float) -> NDArray[np.float64]:
    """Give turns of some tenths of a degree, from slice to slice at random."""
    angles = np.deg2rad(np.random.default_rng(0).normal(0, spread, COUNT))
    logs = np.zeros((COUNT, 2, 2))
    logs[:, 0, 1], logs[:, 1, 0] = -angles, angles
    return logs


def left_over(volume: Volume, logs: NDArray[np.float64], spoilt: NDArray[np.bool_], model: str) -> float:
    """Give how far places of good slices lie from where they belong after aligning, about the slow part, in pixels."""
    found = estimate_shifts(volume, model=model, trend="remove")  # type: ignore[arg-type]
    matrices = found.matrices if found.matrices is not None else np.tile(np.eye(2), (COUNT, 1, 1))
    there = [matrices[z] @ linalg.expm(log) @ PLACES.T + found.shifts[z][:, None] for z, log in enumerate(logs)]
    off = (np.array(there) - PLACES.T)[~spoilt]
    return rms(off - ndimage.gaussian_filter1d(off, 5.0, axis=0, mode="nearest"))


def test_turns_of_half_a_degree_are_found_to_a_fifth_of_a_pixel_all_over_the_slice() -> None:
    """At the rim half a degree is more than half a pixel, which no translation takes back."""
    logs = jitter(0.5)
    volume, spoilt = turned(logs)
    assert left_over(volume, logs, spoilt, "rigid") < 0.2
    assert left_over(volume, logs, spoilt, "translation") > 0.4


def test_stretches_of_one_percent_are_found_by_the_affine_model() -> None:
    """Scan generators that warm up stretch slices."""
    logs = jitter(0.3) + np.random.default_rng(1).normal(0, 0.01, (COUNT, 2, 2))
    volume, spoilt = turned(logs)
    affine = left_over(volume, logs, spoilt, "affine")
    assert affine < 0.3
    assert affine < 0.6 * left_over(volume, logs, spoilt, "rigid")


def test_a_stack_without_turns_is_given_hardly_any() -> None:
    """More freedom must not bring more movement from slice to slice."""
    volume, spoilt = turned(np.zeros((COUNT, 2, 2)))
    found = estimate_shifts(volume, model="rigid")
    assert rms(np.diff(found.angles_deg)[~(spoilt[1:] | spoilt[:-1])]) < 0.06
    assert not found.outliers[~spoilt].any()


def test_transforms_go_to_a_file_come_back_and_make_the_same_voxels(tmp_path: Path) -> None:
    """The transforms of one detector are applied to the other one's stack."""
    volume, _ = turned(jitter(0.5))
    found = estimate_shifts(volume[:8], model="rigid")
    path = write_shifts(found, tmp_path / "transforms.csv")
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    assert head.startswith("z,shift_y,shift_x,angle_deg,confidence,residual,outlier")
    assert len(rows) == 8
    back = read_shifts(path)
    assert np.allclose(back.angles_deg, found.angles_deg, atol=1e-4)
    difference = apply_shifts(volume[:8], back).data.astype(int) - apply_shifts(volume[:8], found).data
    assert np.abs(difference).max() <= 1
    assert np.mean(difference != 0) < 1e-3
    path.write_text(head + "\n0,1\n", encoding="utf-8")
    with pytest.raises(ReadError):
        read_shifts(path)


def test_a_turn_by_a_known_angle_puts_edges_where_they_belong() -> None:
    """The warp itself must neither move nor blur, and must say what comes from outside."""
    y, x = np.mgrid[:96, :96] - 47.5

    def picture(turn: float) -> NDArray[np.float32]:
        v, u = y * np.cos(turn) + x * np.sin(turn), x * np.cos(turn) - y * np.sin(turn)
        return np.asarray(100 + 40 * np.sin(0.8 * u) * np.cos(0.6 * v), np.float32)

    volume = make_volume(np.stack([picture(0.0)] * 2))
    angle = 0.1
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shifts = replace(estimate_shifts(volume), shifts=np.zeros((2, 2)), matrices=np.stack([matrix, np.eye(2)]))
    done = apply_shifts(volume, shifts)
    assert np.abs(done.data[0] - picture(angle))[16:-16, 16:-16].max() < 0.5
    assert np.abs(done.data[1] - volume.data[1]).max() < 1e-3
    assert (done.data[0, :2, :2] == 0).all()
    labels = make_volume((volume.data > 100).astype(np.uint8) * 3)
    assert set(np.unique(apply_shifts(labels, shifts, interpolation="nearest").data)) == {0, 3}


def test_the_history_of_align_holds_the_matrices() -> None:
    """A record that does not lead to the same voxels is none."""
    volume, _ = turned(jitter(0.5))
    done = align(volume[:6], model="rigid", trend="remove")
    (within,) = history(done)[-1]["within"]
    assert np.shape(within["parameters"]["matrices"]) == (6, 2, 2)
    assert history(done)[-1]["parameters"]["model"] == "rigid"


def test_what_turns_cannot_be_measured_on_is_refused() -> None:
    """Too few pixels, a region too small for a stretch, another word."""
    small = make_volume(np.random.default_rng(0).integers(0, 255, (3, 64, 64)).astype(np.uint8))
    large = make_volume(np.random.default_rng(0).integers(0, 255, (3, 128, 128)).astype(np.uint8))
    with pytest.raises(ParameterError, match="96 x 96"):
        align(small, model="rigid")
    with pytest.raises(ParameterError, match="use model='rigid'"):
        align(large, model="affine", trend="template", region=(0, 40, 0, 128))
    with pytest.raises(ParameterError, match="model"):
        align(large, model="similarity")  # type: ignore[arg-type]


def test_turns_in_an_imagej_without_stackreg_are_an_error_that_says_what_to_install() -> None:
    """The small default ImageJ has no such plugin; another method must not step in silently."""
    volume, _ = turned(jitter(0.5))
    with pytest.raises(EngineMissingError, match="StackReg"):
        align(volume[:3], model="rigid", trend="remove", engine="fiji")
    with pytest.raises(ParameterError, match="trend='keep'"):
        align(volume[:3], model="rigid", engine="fiji")
