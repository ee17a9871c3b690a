"""Whether streaks grow with the brightness of what they run over (gain), or are the same everywhere (offset).

Over a few dozen rows, streaks of one kind are one number for each gap between columns, multiplied with the brightness
of each pixel or not. Whichever explains more of the differences of columns is the kind: both have as many numbers to
fit, so that noise favours neither.
"""

# ruff: noqa: PLR0917  numba compiles positional arguments best
from __future__ import annotations

from typing import Literal

import numpy as np
from numba import njit

from ._decurtain_fit import Fitted, Image, smoothed

_SIGMA = 3.0
#: Share of the pixels, those with the least slope, that count; and beyond how many standard deviations of the
#: difference of two pixels a difference does not.
_FLAT, _CUT = 0.6, 8.0
#: Difference explained by gain beyond that by offset, as a share of both: on simulated stacks with noise up to twice
#: the common one it is -0.002..0.008 where the truth is gain and -0.03..-0.011 where it is offset.
_LIMIT = -0.005


def find_kind(slices: list[Image], fits: list[Fitted], noise: float) -> Literal["gain", "offset"]:
    """Tell the kind of the streaks of some slices; `fits` are those of kind gain."""
    gain, offset = np.sum([_explained(image, fit, noise) for image, fit in zip(slices, fits, strict=True)], axis=0)
    return "gain" if gain - offset > _LIMIT * (gain + offset) else "offset"


def _explained(image: Image, fit: Fitted, noise: float) -> tuple[float, float]:
    ground = smoothed(image - fit.spread(), _SIGMA)
    slope = (ground[2:, 1:-1] - ground[:-2, 1:-1]) ** 2 + (ground[1:-1, 2:] - ground[1:-1, :-2]) ** 2
    flat = np.float32(np.quantile(slope[::3, ::3], _FLAT))
    under = fit.brightness
    gain, offset = _sums(image, ground, under.per_mean, under.limits, slope, flat, np.float32(_CUT * noise))
    return float(gain), float(offset)


@njit(cache=True, fastmath=True, nogil=True)
def _sums(image, ground, per_mean, limits, slope, flat, cut):  # type: ignore[no-untyped-def]
    """Give what gain and offset explain of the differences of columns three apart, over 40 rows each."""
    columns, lag, size = image.shape[1], 3, 40
    sums = np.zeros((4, columns))
    gain = offset = 0.0
    for y in range(1, image.shape[0] - 1):
        line, grey, here = image[y], ground[y], slope[y - 1]
        for x in range(1, columns - 1 - lag):
            difference = line[x + lag] - line[x] - grey[x + lag] + grey[x]
            if here[x - 1] <= flat and here[x + lag - 1] <= flat and abs(difference) < cut:
                factor = min(max(np.float32(0.5) * (grey[x] + grey[x + lag]) * per_mean, limits[0]), limits[1])
                sums[0, x] += factor * difference
                sums[1, x] += factor * factor
                sums[2, x] += difference
                sums[3, x] += 1
        if y % size == size - 1 or y == image.shape[0] - 2:
            for x in range(columns):
                gain += sums[0, x] ** 2 / max(sums[1, x], 1e-3)
                offset += sums[2, x] ** 2 / max(sums[3, x], 1e-3)
            sums[:] = 0
    return gain, offset
