"""Automatic thresholds by the entropy of the histogram; see `_autothreshold` for what they share with the others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._histogram import Counts

Reals = NDArray[np.float64]

#: Shares below the spacing of floats around 1 are rounding noise.
_NOISE = 2.220446049250313e-16


class _Shares(NamedTuple):
    """Share of each bin, of all bins up to it, of all past it; the thresholds to try."""

    bins: Reals
    dark: Reals
    bright: Reals
    tried: NDArray[np.intp]


def _shares(counts: Counts) -> _Shares:
    bins = counts / np.sum(counts)
    dark = np.cumsum(bins)
    bright = 1 - dark
    first = int(np.argmax(np.abs(dark) >= _NOISE))
    left = np.flatnonzero(np.abs(bright) >= _NOISE)
    last = int(left[-1]) if left.size and left[-1] >= first else len(counts) - 1
    return _Shares(bins, dark, bright, np.arange(first, last + 1))


def _sides(terms_dark: Reals, terms_bright: Reals, tried: NDArray[np.intp]) -> tuple[Reals, Reals]:
    """Add up, for each threshold tried (rows), the terms of the bins up to it and of those past it."""
    is_dark = np.arange(terms_dark.shape[1])[None, :] <= tried[:, None]
    dark: Reals = np.cumsum(np.where(is_dark, terms_dark, 0), axis=1)[:, -1]
    bright: Reals = np.cumsum(np.where(is_dark, 0, terms_bright), axis=1)[:, -1]
    return dark, bright


def _best(tried: NDArray[np.intp], score: Reals, none: int) -> int:
    """Give the first threshold with the highest score above 0."""
    score = np.where(score > 0, score, 0)
    best = int(np.argmax(score))
    return int(tried[best]) if score[best] > 0 else none


def max_entropy(counts: Counts) -> int:
    """Kapur, Sahoo & Wong 1985, Graphical Models and Image Processing 29, 273: largest entropy of both classes."""
    return _shannon(_shares(counts), none=-1)


def _shannon(shares: _Shares, none: int) -> int:
    entropies = []
    for whole in (shares.dark, shares.bright):
        part = shares.bins[None, :] / whole[shares.tried, None]
        entropies.append(np.where(shares.bins > 0, -part * np.log(part), 0))
    dark, bright = _sides(entropies[0], entropies[1], shares.tried)
    return _best(shares.tried, dark + bright, none)


def _renyi(shares: _Shares, alpha: float) -> int:
    powers = []
    for whole in (shares.dark, shares.bright):
        part = shares.bins[None, :] / whole[shares.tried, None]
        powers.append(np.sqrt(part) if alpha < 1 else part * part)
    dark, bright = _sides(powers[0], powers[1], shares.tried)
    both = dark * bright
    return _best(shares.tried, np.where(both > 0, np.log(both), 0) / (1 - alpha), none=0)


def renyi_entropy(counts: Counts) -> int:
    """Sahoo, Wilkins & Yeager 1997, Pattern Recognition 30, 71: three Renyi entropies (alpha 0.5, 1, 2), weighed."""
    shares = _shares(counts)
    low, middle, high = sorted((_renyi(shares, 0.5), _shannon(shares, none=0), _renyi(shares, 2.0)))
    near = (middle - low <= 5, high - middle <= 5)
    weights = {(True, True): (1, 2, 1), (True, False): (0, 1, 3), (False, True): (3, 1, 0), (False, False): (1, 2, 1)}
    beta = weights[near]
    spread = 0.25 * (shares.dark[high] - shares.dark[low])
    place = low * (shares.dark[low] + spread * beta[0]) + middle * spread * beta[1]
    return int(place + high * (shares.bright[high] + spread * beta[2]))


def shanbhag(counts: Counts) -> int:
    """Shanbhag 1994, Graphical Models and Image Processing 56, 414: equal information in both classes."""
    shares = _shares(counts)
    up_to_before = np.concatenate([[0.0], shares.dark[:-1]])
    sides = []
    for whole, past in ((shares.dark, up_to_before), (shares.bright, shares.bright)):
        weight = 0.5 / whole[shares.tried, None]
        sides.append(-shares.bins[None, :] * np.log(1 - weight * past[None, :]))
    dark, bright = _sides(sides[0], sides[1], shares.tried)
    apart = np.abs(0.5 / shares.dark[shares.tried] * dark - 0.5 / shares.bright[shares.tried] * bright)
    if np.isnan(apart).all():
        return -1
    return int(shares.tried[int(np.nanargmin(apart))])


def yen(counts: Counts) -> int:
    """Yen, Chang & Chang 1995, IEEE Trans. Image Processing 4, 370: largest entropic correlation."""
    bins = counts / np.sum(counts)
    dark = np.cumsum(bins)
    square = bins * bins
    dark_square = np.cumsum(square)
    bright_square = np.append(np.cumsum(square[:0:-1])[::-1], 0.0)
    squares, both = dark_square * bright_square, dark * (1 - dark)
    score = -np.where(squares > 0, np.log(squares), 0) + 2 * np.where(both > 0, np.log(both), 0)
    return _best(np.arange(len(counts)), score, none=-1)
