"""Fit the streaks of one slice: smooth along y, free along x, blind to edges of the sample.

What is fitted is the difference of neighbouring columns. In it a streak is the same over many rows, while an edge of
the sample takes few rows and stands out: a robust fit over strips of rows therefore follows the streak. Strips are
tied to the next ones as tightly as the data allow, so that streaks may start and fade. Wide streaks are held by the
grey levels of the slice as well (`_decurtain_levels`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from . import _decurtain_passes as passes
from ._decurtain_levels import find_levels
from ._decurtain_solve import System, solve

Image = NDArray[np.float32]

#: Rows of a strip, and the most strips of a slice.
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
#: Brightness of a pixel as a share of the mean is held between these.
_GAIN, _OFFSET = np.array((0.2, 4.0), np.float32), np.array((1.0, 1.0), np.float32)


class Brightness(NamedTuple):
    """The brightness of each pixel: the slice without its streaks, smoothed, beside its mean, within limits."""

    ground: Image
    per_mean: np.float32
    limits: NDArray[np.float32]


class Fitted(NamedTuple):
    """The streaks of a slice by strip (strips, columns), and what they are to be multiplied with at each pixel."""

    strips: Image
    brightness: Brightness

    def spread(self, strips: Image | None = None) -> Image:
        """Give the streaks (or others, by strip) at every pixel."""
        return _spread(self.strips if strips is None else strips, self.brightness)


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


def smoothed(image: Image, sigma: float, *, reach: float = 2.5) -> Image:
    """Smooth a slice with a Gaussian that reaches so many standard deviations."""
    taps = np.exp(-0.5 * (np.arange(round(reach * sigma) + 1) / sigma) ** 2)
    return np.asarray(passes.smooth(image, (taps / (2 * taps.sum() - 1)).astype(np.float32)), np.float32)


def fit_streaks(image: Image, noise: float, *, gain: bool) -> Fitted:
    """Fit the streaks of one slice; `gain` says that they grow with the brightness of what they run over."""
    rows, columns = image.shape
    strip = strip_rows(rows)
    count = max(2, rows // strip)
    loose = np.ones((count - 1, columns), np.float32)
    under = _brightness(image, gain)
    streaks = _start(image, under, count)
    for ease in _ROUNDS:
        under = _brightness(image - _spread(streaks, under), gain)
        levels = find_levels(under.ground, _EDGE * noise, noise)
        scale = ease * _doubt(streaks, noise)
        powers = ((_CUT * scale) ** -2, (_EDGE * scale) ** -4)
        across, pull, hold, held = passes.gather(image, *under, streaks, strip, powers, levels)
        streaks = solve(_system(across, pull, loose, _HOLD * hold, _HOLD * held), streaks)
        # What all columns share is the brightness of a strip, not a streak.
        streaks -= streaks.mean(axis=1, keepdims=True)
        loose = 1 / (1 + (np.diff(streaks, axis=0) / (_STEP * _between(scale))) ** 2)
    return Fitted(streaks, under)


def _start(image: Image, under: Brightness, count: int) -> Image:
    """Give the streaks that are the same over several strips, whatever their height.

    Seen from nothing, a streak that is much higher than the noise looks like an edge of the sample and would be left.
    """
    middle = passes.middle_steps(image, *under, count)
    lasting = ndimage.median_filter(middle, size=(min(_LASTING, count), 1), mode="nearest")
    weight = np.full_like(lasting, strip_rows(len(image)))
    nothing = np.zeros((count, image.shape[1]), np.float32)
    return solve(_system(weight, weight * lasting, np.ones_like(nothing[1:]), nothing, nothing), nothing)


def _system(across: Image, pull: Image, loose: Image, hold: Image, held: Image) -> System:
    """Put together what differences of columns (weights, pulls), ties of strips and grey levels ask for."""
    right = held.copy()
    right[:, :-1] -= pull
    right[:, 1:] += pull
    slope = (0.5 * _TIE_SLOPE) * (loose[:, 1:] + loose[:, :-1])
    return System(_PULL + hold, _TIE * loose, slope, across, right)


def _doubt(streaks: Image, noise: float) -> Image:
    """Give the standard deviation that differences of neighbouring columns may have beside the fit (strips, gaps)."""
    return np.asarray(np.sqrt(noise**2 + (_LOYAL * passes.highest_steps(streaks)) ** 2), np.float32)


def _between(scale: Image) -> Image:
    """Bring what is known at strips and gaps to columns, between strips."""
    wide = np.concatenate([scale[:, :1], scale, scale[:, -1:]], axis=1)
    columns = np.maximum(wide[:, 1:], wide[:, :-1])
    return np.asarray(0.5 * (columns[1:] + columns[:-1]), np.float32)


def _brightness(clean: Image, gain: bool) -> Brightness:
    ground = smoothed(clean, _EDGE_SIGMA)
    return Brightness(ground, np.float32(1 / max(float(ground.mean()), 1e-6)), _GAIN if gain else _OFFSET)


def _spread(streaks: Image, under: Brightness) -> Image:
    return np.asarray(passes.spread(streaks, strip_rows(len(under.ground)), *under), np.float32)
