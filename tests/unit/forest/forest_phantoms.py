"""Noisy two-phase volumes with known truth and painted labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from fijibridge.volume import Volume, make_volume, with_data


class Painted(NamedTuple):
    """A volume, its truth (classes 1 and 2) and a few painted slices of it."""

    volume: Volume
    truth: NDArray[np.uint8]
    labels: Volume


def two_phases(
    shape: tuple[int, int, int], *, spacing: tuple[float, float, float] = (10, 10, 10), seed: int = 0
) -> Painted:
    """Blobs some 8 voxels across, grey levels one and a half standard deviations of the noise apart."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(
        rng.normal(size=shape), [3 * spacing[2] / s if n > 1 else 0 for s, n in zip(spacing, shape, strict=True)]
    )
    truth = np.where(field > np.median(field), 1, 2).astype(np.uint8)
    grey = np.where(truth == 1, 150, 90) + rng.normal(0, 40, shape)
    volume = make_volume(grey.clip(0, 255).astype(np.uint8), spacing=spacing)
    labels = np.zeros(shape, np.uint8)
    for z in range(shape[0] // 4, shape[0], 12):
        labels[z, ::3] = truth[z, ::3]
    if shape[0] == 1:
        labels[0, ::5] = truth[0, ::5]
    return Painted(volume, truth, with_data(volume, labels))
