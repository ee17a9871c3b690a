"""Volumes with truth and painted labels for the forest's benchmark: noisy blobs, a rendered cathode, real images."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


class Case(NamedTuple):
    """Grey values, truth (0 = not scored) and painted labels, all (z, y, x); `flat` where slices stand alone."""

    name: str
    grey: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    flat: bool = False


def blobs(edge: int, *, seed: int = 0) -> Case:
    """Two phases of blobs some 10 voxels across, 1.5 standard deviations of the noise apart."""
    rng = np.random.default_rng(seed)
    tile = gaussian_filter(rng.normal(size=(min(edge, 128),) * 3).astype(np.float32), 4, mode="wrap")
    repeats = -(-edge // tile.shape[0])
    truth = np.where(np.tile(tile > np.median(tile), (repeats,) * 3)[:edge, :edge, :edge], 1, 2).astype(np.uint8)
    grey = _noisy(np.where(truth == 1, np.float32(150), np.float32(90)), 40, rng)
    return Case(f"blobs {edge}^3", grey, truth, painted(truth))


def cathode(folder: Path, edge: int) -> Case:
    """The NREL cathode's geometry (pore, active material, carbon-binder) with blur and noise."""
    phases = tifffile.imread(folder / "nmc_segmented_volumes" / "nmc-1-cal_generatedCBD_bridge.tif")
    truth = phases[:edge, :edge, :edge] + np.uint8(1)
    clean = gaussian_filter(np.array([0, 60, 170, 100], np.float32)[truth], 0.9)
    return Case(f"cathode {edge}^3", _noisy(clean, 28, np.random.default_rng(1)), truth, painted(truth))


def sandstone(folder: Path) -> Case:
    """Five slices of X-ray CT, 50 apart: six strips painted on the first, the others scored."""
    files = sorted((folder / "sandstone_versa_xct" / "dev").glob("Sandstone_Versa????.tif"))
    grey = np.stack([tifffile.imread(file) for file in files])
    masks = np.stack([tifffile.imread(file.with_name(f"{file.stem}_mask.tif")) for file in files])
    phases = np.where(masks[..., 2] == 0, np.uint8(1), np.uint8(2))
    labels, truth = np.zeros_like(phases), phases.copy()
    for y in np.linspace(0, phases.shape[1] - 6, 8).astype(int)[1:-1]:
        labels[0, y : y + 6] = phases[0, y : y + 6]
    truth[0] = 0
    return Case("sandstone", grey, truth, labels, flat=True)


def superalloy(folder: Path) -> Case:
    """A micrograph with its authors' scribbles, three classes."""
    where = folder / "isb_scribble_truth"
    grey, labels, truth = (
        tifffile.imread(where / name)[None] for name in ("0.tif", "0_labels.tif", "0_ground_truth.tif")
    )
    return Case("superalloy", grey, truth, labels)


def painted(truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paint strips on three slices."""
    labels = np.zeros_like(truth)
    depth, ny, nx = truth.shape
    for z in (depth // 4, depth // 2, 3 * depth // 4):
        for y in (ny // 8, ny // 2):
            labels[z, y : y + 4, :200] = truth[z, y : y + 4, :200]
        labels[z, :200, nx // 2 : nx // 2 + 3] = truth[z, :200, nx // 2 : nx // 2 + 3]
    return labels


def _noisy(clean: NDArray[np.float32], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    out = np.empty(clean.shape, np.uint8)
    for z, plane in enumerate(clean):
        out[z] = (plane + rng.normal(0, sigma, plane.shape)).clip(0, 255)
    return out
