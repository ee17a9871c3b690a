"""Fit the streaks of one slice: smooth along y, free along x, blind to edges of the sample.

What is fitted is the difference of neighbouring columns. In it a streak is the same over many rows, while an edge of
the sample takes few rows and stands out: a robust fit over strips of rows therefore follows the streak. Strips are
tied to the next ones as tightly as the data allow, so that streaks may start and fade. Wide streaks are held by the
grey levels of the slice as well (`_decurtain_levels`).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage
from scipy.linalg import solveh_banded

from ._decurtain_levels import find_levels

Image = NDArray[np.float32]

#: Rows of a strip, and the most strips of a slice (the cost of the solution grows with the square of their number).
_STRIP, _MOST_STRIPS = 20, 64
#: How tightly neighbouring strips are tied: their values, and their differences along x.
_TIE, _TIE_SLOPE = 3.0, 10.0
#: Pull to zero: lets go of what is wider along x than streaks are. What grey levels count against differences of
#: neighbouring columns, row by row: little, so that they hold streaks of about 50 columns and more only.
_PULL, _HOLD = 0.005, 0.012
#: In standard deviations of the difference of two pixels: residuals beyond count less (data), steps between strips
#: beyond tie less, gradients beyond are edges of the sample.
_CUT, _STEP, _EDGE = 6.0, 0.7, 0.4
#: Share of its height to which a streak follows its fit: streaks bend and lean a little within a strip.
_LOYAL = 0.25
_EDGE_SIGMA = 1.5
#: Each round is stricter than the one before; the first ones still see streaks much higher than the noise as streaks.
_ROUNDS = (4.0, 2.0, 1.0, 1.0)
#: Strips over which a streak must last to be believed at first sight.
_LASTING = 5


def strip_rows(rows: int) -> int:
    """Give how many rows one strip has."""
    return max(_STRIP, -(-rows // _MOST_STRIPS))


def pixel_noise(image: Image) -> float:
    """Give the standard deviation of the difference of two neighbouring pixels that is neither streak nor edge."""
    across = np.diff(image[: image.shape[0] // 2 * 2 : 2], axis=1)
    across = across - ndimage.uniform_filter1d(across, 8, axis=0)
    spread = 1.48 * float(np.median(np.abs(across)))
    # Images without noise must not make every difference an edge.
    return max(spread, 0.004 * float(np.ptp(image)), 1e-6)


def fit_streaks(image: Image, noise: float, *, gain: bool) -> tuple[Image, Image]:
    """Give the streaks by strip (strips, columns) and what they are to be multiplied with at each pixel.

    `gain` says that streaks grow with the brightness of what they run over.
    """
    rows, columns = image.shape
    strip = strip_rows(rows)
    count = max(2, rows // strip)
    loose = np.ones((count - 1, columns), np.float32)
    factor = (
        brightness_factor(ndimage.gaussian_filter(image, _EDGE_SIGMA, truncate=2.5)) if gain else np.ones_like(image)
    )
    streaks = _start(image, factor, count, strip)
    full = spread_strips(streaks, rows)
    for ease in _ROUNDS:
        sample = ndimage.gaussian_filter(image - factor * full, _EDGE_SIGMA, truncate=2.5)
        if gain:
            factor = brightness_factor(sample)
        slope = _slope(sample)
        levels = find_levels(sample, slope, _EDGE * noise, noise)
        scale = ease * _doubt(streaks, noise)
        calm = _calm(slope, _EDGE * scale, strip)
        weight, pull = _gather(image, calm, factor, streaks, (_CUT * scale, strip))
        hold, held = _hold(sample, calm, factor, streaks, (strip, *levels))
        streaks = _solve(weight, pull, loose, hold, held)
        # What all columns share is the brightness of a strip, not a streak.
        streaks -= streaks.mean(axis=1, keepdims=True)
        loose = 1 / (1 + (np.diff(streaks, axis=0) / (_STEP * _between(scale))) ** 2)
        full = spread_strips(streaks, rows)
    return streaks, factor


def _start(image: Image, factor: Image, count: int, strip: int) -> Image:
    """Give the streaks that are the same over several strips, whatever their height.

    Seen from nothing, a streak that is much higher than the noise looks like an edge of the sample and would be left.
    """
    rows = np.linspace(0, len(image) - 1, count * 8).astype(int)
    across = np.diff(image[rows], axis=1) / (0.5 * (factor[rows, 1:] + factor[rows, :-1]))
    middle = np.median(across.reshape(count, 8, -1), axis=1)
    lasting = ndimage.median_filter(middle, size=(min(_LASTING, count), 1), mode="nearest")
    weight = np.full_like(lasting, strip)
    nothing = np.zeros((count, image.shape[1]), np.float32)
    return _solve(weight, weight * lasting, np.ones_like(nothing[1:]), nothing, nothing)


def _doubt(streaks: Image, noise: float) -> Image:
    """Give the standard deviation that differences of neighbouring columns may have beside the fit (strips, gaps)."""
    steps = ndimage.maximum_filter(np.abs(np.diff(streaks, axis=1)), 3)
    return np.asarray(np.sqrt(noise**2 + (_LOYAL * steps) ** 2), np.float32)


def _between(scale: Image) -> Image:
    """Bring what is known at strips and gaps to columns, between strips."""
    wide = np.concatenate([scale[:, :1], scale, scale[:, -1:]], axis=1)
    columns = np.maximum(wide[:, 1:], wide[:, :-1])
    return np.asarray(0.5 * (columns[1:] + columns[:-1]), np.float32)


def brightness_factor(sample: Image) -> Image:
    """Give the brightness of each pixel as a share of the mean, within limits."""
    return np.asarray(np.clip(sample / max(float(sample.mean()), 1e-6), 0.2, 4.0), np.float32)


def spread_strips(streaks: Image, rows: int) -> Image:
    """Interpolate strips to all rows."""
    strip = strip_rows(rows)
    place = np.clip((np.arange(rows) - (strip - 1) / 2) / strip, 0, len(streaks) - 1)
    below = np.minimum(place.astype(int), len(streaks) - 2)
    share = (place - below).astype(np.float32)[:, None]
    return np.asarray(streaks[below] * (1 - share) + streaks[below + 1] * share, np.float32)


@njit(cache=True, fastmath=True, nogil=True)
def _slope(sample):  # type: ignore[no-untyped-def]
    """Give the squared slope half-way between neighbouring columns; the first and last row get none to be used."""
    rows, columns = sample.shape
    slope = np.full((rows, columns - 1), np.float32(1e15))
    for y in range(1, rows - 1):
        for x in range(columns - 1):
            right = sample[y, x + 1] - sample[y, x]
            down = 0.25 * (sample[y + 1, x] - sample[y - 1, x] + sample[y + 1, x + 1] - sample[y - 1, x + 1])
            slope[y, x] = right * right + down * down
    return slope


@njit(cache=True, fastmath=True, nogil=True)
def _calm(slope, edge, strip):  # type: ignore[no-untyped-def]
    """Give 1 where the slope is far below `edge` (strips, gaps), 0 where it is far above."""
    rows, gaps = slope.shape
    calm = np.empty((rows, gaps), np.float32)
    power = edge**-4
    for y in range(rows):
        b = min(y // strip, edge.shape[0] - 1)
        for x in range(gaps):
            calm[y, x] = 1.0 / (1.0 + slope[y, x] * slope[y, x] * power[b, x])
    return calm


@njit(cache=True, fastmath=True, nogil=True)
def _gather(image, calm, factor, streaks, scales):  # type: ignore[no-untyped-def]
    """Sum, over the rows of each strip, the weights and the weighted differences of neighbouring columns."""
    cut, strip = scales
    rows, columns = image.shape
    count = streaks.shape[0]
    weights = np.zeros((count, columns - 1), np.float32)
    pulls = np.zeros((count, columns - 1), np.float32)
    cut_power = cut**-2
    for y in range(1, rows - 1):
        b = min(y // strip, count - 1)
        for x in range(columns - 1):
            scale = 0.5 * (factor[y, x] + factor[y, x + 1])
            difference = image[y, x + 1] - image[y, x]
            residual = difference - scale * (streaks[b, x + 1] - streaks[b, x])
            trust = 1.0 / (1.0 + residual * residual * cut_power[b, x])
            weight = trust * trust * calm[y, x]
            weights[b, x] += weight * scale * scale
            pulls[b, x] += weight * scale * difference
    return weights, pulls


@njit(cache=True, fastmath=True, nogil=True)
def _hold(sample, calm, factor, streaks, levels):  # type: ignore[no-untyped-def]
    """Sum, over the rows of each strip, how far columns lie above their grey levels, streaks known so far included."""
    strip, above, worth, low, per_level = levels
    rows, columns = sample.shape
    count = streaks.shape[0]
    weights = np.zeros((count, columns), np.float32)
    heights = np.zeros((count, columns), np.float32)
    for y in range(1, rows - 1):
        b = min(y // strip, count - 1)
        for x in range(columns - 1):
            level = int((sample[y, x] - low) * per_level + 0.5)
            weight = worth[level] * calm[y, x] * factor[y, x]
            weights[b, x] += weight * factor[y, x]
            heights[b, x] += weight * (factor[y, x] * streaks[b, x] + above[level])
    return weights, heights


def _solve(weight: Image, pull: Image, loose: Image, hold: Image, held: Image) -> Image:
    """Solve for all strips at once: a banded system, columns outside, strips inside."""
    count, gaps = weight.shape
    columns = gaps + 1
    across, tie = weight.T, _TIE * loose.T
    slope = 0.5 * _TIE_SLOPE * (loose[:, 1:] + loose[:, :-1]).T
    band = np.zeros((count + 2, columns, count), np.float32)
    band[0] = _PULL + _HOLD * hold.T
    band[0, :-1] += across
    band[0, 1:] += across
    band[0, :, :-1] += tie
    band[0, :, 1:] += tie
    for at in (np.s_[:-1, :-1], np.s_[1:, :-1], np.s_[:-1, 1:], np.s_[1:, 1:]):
        band[0][at] += slope
    band[1, :, :-1] = -tie
    band[1, :-1, :-1] -= slope
    band[1, 1:, :-1] -= slope
    # With two strips, the diagonal neighbour "one column on, one strip back" lies where "one strip on" does.
    band[count - 1, :-1, 1:] += slope
    band[count, :-1] = -across
    band[count, :-1, :-1] -= slope
    band[count, :-1, 1:] -= slope
    band[count + 1, :-1, :-1] += slope
    right = _HOLD * held.T
    right[:-1] -= pull.T
    right[1:] += pull.T
    solved = solveh_banded(
        band.reshape(count + 2, -1), right.ravel(), lower=True, check_finite=False, overwrite_ab=True, overwrite_b=True
    )
    return np.ascontiguousarray(solved.reshape(columns, count).T)
