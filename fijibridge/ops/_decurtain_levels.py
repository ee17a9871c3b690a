"""What grey level a pixel would have without streaks: the nearest level at which calm ground of the slice is frequent.

Differences of neighbouring columns say little about wide streaks: whatever a streak is masked by adds an error of its
own, and the errors add up along x. Ground of one kind has one brightness wherever it lies, which ties far columns to
each other. How much a level is worth is measured: ground of many brightnesses (tissue, a wide range of pores) has wide
peaks, and then says almost nothing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ._decurtain_passes import calm_histogram

Image = NDArray[np.float32]

#: Bins of the histogram, and of how many rows one is looked at.
_BINS, _EVERY = 512, 2
#: In standard deviations of the difference of two pixels: smoothing of the histogram, how far from a peak a grey level
#: still counts, the spread of a peak that counts in full, and the least spread there is.
_SMOOTH, _FAR, _NARROW, _LEAST = 0.5, 3.0, 0.35, 0.05
#: In spreads of its peak: grey levels beyond count less.
_NEAR = 2.0


class Levels(NamedTuple):
    """For each grey level (`low` + bin / `per_level`): how far it lies above its peak, and how much that is worth."""

    above: Image
    worth: Image
    low: np.float32
    per_level: np.float32


def find_levels(ground: Image, edge: float, noise: float) -> Levels:
    """Find the peaks of the histogram of calm ground.

    `ground` is the smoothed slice without the streaks known so far, `edge` the slope from which on a pixel belongs to
    an edge.
    """
    low, high = float(ground.min()), float(ground.max())
    step = max((high - low) / (_BINS - 1), 1e-6)
    scale = (np.float32(low), np.float32(1 / step))
    counts = calm_histogram(ground, np.float32(edge), scale, _BINS, _EVERY).astype(float)
    peaks, which = _peaks(ndimage.gaussian_filter1d(counts, max(_SMOOTH * noise / step, 1.0), mode="constant"))
    above = (np.arange(_BINS) - peaks[which]) * step
    members = np.maximum(np.bincount(which, counts), 1)
    spread = np.sqrt(np.bincount(which, counts * np.minimum(np.abs(above), _FAR * noise) ** 2) / members)
    width = (spread + _LEAST * noise)[which]
    worth = np.minimum(1, (_NARROW * noise / width) ** 2) / (1 + (above / (_NEAR * width)) ** 2) ** 2
    return Levels(above.astype(np.float32), worth.astype(np.float32), *scale)


def _peaks(smooth: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the bins of the peaks, and for each bin the number of the peak it belongs to."""
    peaks = 1 + np.flatnonzero((smooth[1:-1] >= smooth[:-2]) & (smooth[1:-1] > smooth[2:]))
    if not len(peaks):
        peaks = np.array([smooth.argmax()])
    valleys = [p + int(np.argmin(smooth[p:q])) for p, q in pairwise(peaks)]
    return peaks, np.searchsorted(np.array(valleys, dtype=np.intp), np.arange(len(smooth)), side="left")
