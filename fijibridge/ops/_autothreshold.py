"""The 17 automatic threshold methods of ImageJ on a histogram of 256 bins.

Each takes the voxel counts of the bins and gives the last dark bin, or -1 where it finds none. Sums run in the order
and ties fall to the bin that ImageJ's do, so that the bin is the very same as ImageJ's; only where ImageJ's sums
overflow 32 bits (see `threshold`) are these right and ImageJ's not.

Source: the paper named with each method; G. Landini's Auto Threshold as built into ImageJ 1.54p
(ij.process.AutoThresholder) for start values, stops and ties.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ._entropy import max_entropy, renyi_entropy, shanbhag, yen
from ._histogram import Counts

Reals = NDArray[np.float64]

#: Smoothing a histogram to two peaks is given up after so many passes.
_PASSES = 10_000
#: No iterative method takes more than one step per bin, unless it goes in circles.
_STEPS = 256


def find_bin(method: str, counts: Counts) -> int:
    """Give the last dark bin of a histogram by the method of that name, or -1."""
    filled = np.flatnonzero(counts)
    if filled.size == 2:  # whatever the method, two grey values are told apart
        return int(filled[1]) - 1
    # Divisions by an empty class give NaN or infinity, which no comparison below takes for the best.
    with np.errstate(divide="ignore", invalid="ignore"):
        return METHODS[method](counts)


def _default(counts: Counts) -> int:
    """ImageJ's own variant of IsoData: a peak more than twice as high as the next is cut to 1.5 times that first."""
    peak = int(np.argmax(counts))
    second = int(np.max(np.delete(counts, peak)))
    if second and counts[peak] > 2 * second:
        counts = counts.copy()
        counts[peak] = int(second * 1.5)
    return _ij_isodata(counts)


def _ij_isodata(counts: Counts) -> int:
    """Ridler & Calvard 1978, IEEE Trans. SMC 8, 630, as ImageJ has always done it: without the two end bins."""
    inner = counts.copy()
    inner[[0, -1]] = 0
    filled = np.flatnonzero(inner)
    if filled.size < 2:
        return len(counts) // 2
    first, last = int(filled[0]), int(filled[-1])
    number, total = np.cumsum(inner), np.cumsum(inner * np.arange(len(inner)))
    bins = np.arange(first, last)
    below = total[bins] / number[bins]
    above = (total[-1] - total[bins]) / (number[-1] - number[bins])
    between = (below + above) / 2
    going_on = (bins + 2 <= between) & (bins + 2 < last)
    return int(np.floor(between[int(np.argmin(going_on))] + 0.5))


def _huang(counts: Counts) -> int:
    """Huang & Wang 1995, Pattern Recognition 28, 41: least fuzziness, by Shannon's entropy."""
    bins = np.arange(len(counts))
    filled = np.flatnonzero(counts)
    mass = counts * bins
    # Means of the bins up to and past each threshold; 0 where there are none.
    below = np.nan_to_num(np.cumsum(mass) / np.cumsum(counts))
    above = np.zeros(len(counts))
    above[: filled[-1]] = (np.cumsum(mass[::-1]) / np.cumsum(counts[::-1]))[::-1][1 : filled[-1] + 1]
    mean = np.where(bins[None, :] <= bins[:, None], below[:, None], above[:, None])
    membership = 1 / (1 + (1 / (filled[-1] - filled[0])) * np.abs(bins[None, :] - mean))
    entropy = -membership * np.log(membership) - (1 - membership) * np.log(1 - membership)
    entropy[(membership < 1e-6) | (membership > 0.999999)] = 0
    return int(np.argmin(_row_sums(counts * entropy)))


def _row_sums(terms: Reals) -> Reals:
    """Add up each row from left to right; NumPy's own sum pairs terms and rounds otherwise."""
    sums: Reals = np.cumsum(terms, axis=1)[:, -1]
    return sums


def _two_peaks(counts: Counts) -> tuple[Reals, NDArray[np.intp]] | None:
    """Smooth a histogram by running means of three until two peaks are left; give it and the peaks."""
    smooth = counts.astype(np.float64)
    padded = np.zeros(len(counts) + 2)
    for _ in range(_PASSES + 1):
        peaks = np.flatnonzero((smooth[:-2] < smooth[1:-1]) & (smooth[2:] < smooth[1:-1])) + 1
        if len(peaks) == 2:
            return smooth, peaks
        padded[1:-1] = smooth
        smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    return None


def _intermodes(counts: Counts) -> int:
    """Prewitt & Mendelsohn 1966, Ann. N. Y. Acad. Sci. 128, 1035: half-way between two peaks."""
    found = _two_peaks(counts)
    return -1 if found is None else int(found[1].sum()) // 2


def _minimum(counts: Counts) -> int:
    """Prewitt & Mendelsohn 1966, Ann. N. Y. Acad. Sci. 128, 1035: the valley between two peaks."""
    found = _two_peaks(counts)
    if found is None:
        return -1
    smooth, last = found[0], int(np.flatnonzero(counts)[-1])
    middle = smooth[1:last]
    valleys = np.flatnonzero((smooth[: last - 1] > middle) & (smooth[2 : last + 1] >= middle))
    return int(valleys[0]) + 1 if valleys.size else -1


def _isodata(counts: Counts) -> int:
    """Ridler & Calvard 1978, IEEE Trans. SMC 8, 630: the first bin that is the mean of the (whole) means beside it."""
    bins = np.arange(len(counts))
    number, total = np.cumsum(counts), np.cumsum(counts * bins)
    first = int(np.flatnonzero(counts[1:])[0]) + 2
    for place in range(first, len(counts) - 1):
        low, high = number[place - 1], number[-1] - number[place]
        if low and high:
            mean = total[place - 1] // low + (total[-1] - total[place]) // high
            if place == (mean + 1) // 2:
                return place
    return -1


def _li(counts: Counts) -> int:
    """Li & Tam 1998, Pattern Recognition Letters 19, 771: minimum cross entropy, by iteration from the mean."""
    number, total = np.cumsum(counts), np.cumsum(counts * np.arange(len(counts)))
    place = float(total[-1] / number[-1])
    for _ in range(_STEPS):
        bin_ = int(place + 0.5)
        below = np.float64(total[bin_] / number[bin_] if number[bin_] else 0)
        rest = number[-1] - number[bin_]
        above = np.float64((total[-1] - total[bin_]) / rest if rest else 0)
        following = int((below - above) / (np.log(below) - np.log(above)) + 0.5)
        if abs(following - place) <= 0.5:
            return bin_
        place = float(following)
    return -1


def _mean(counts: Counts) -> int:
    """Glasbey 1993, CVGIP 55, 532: the mean grey value."""
    return int(np.sum(counts * np.arange(len(counts))) // np.sum(counts))


def _min_error(counts: Counts) -> int:
    """Kittler & Illingworth 1986, Pattern Recognition 19, 41: two normal distributions, by iteration from the mean."""
    bins = np.arange(len(counts))
    # Python's integers do not overflow where those of a stack with many bright voxels pass 64 bits of float precision.
    moments = [np.cumsum(counts * bins**power).astype(np.float64) for power in range(3)]
    place = _mean(counts)
    for _ in range(_STEPS):
        following = _min_error_step(moments, place)
        if following is None or following == place:
            return place
        if not 0 <= following < len(counts):
            return -1
        place = following
    return -1


def _min_error_step(moments: list[Reals], place: int) -> int | None:
    """Give the next threshold, or None where the quadratic has no (finite) root: then the present one stands."""
    all_, low = [moment[-1] for moment in moments], [moment[place] for moment in moments]
    high = [whole - part for whole, part in zip(all_, low, strict=True)]
    mu, nu = low[1] / low[0], high[1] / high[0]
    p, q = low[0] / all_[0], high[0] / all_[0]
    sigma2, tau2 = low[2] / low[0] - mu * mu, high[2] / high[0] - nu * nu
    w0 = 1 / sigma2 - 1 / tau2
    w1 = mu / sigma2 - nu / tau2
    w2 = mu * mu / sigma2 - nu * nu / tau2 + np.log10((sigma2 * (q * q)) / (tau2 * (p * p)))
    root = w1 * w1 - w0 * w2
    following = (w1 + np.sqrt(root)) / w0
    return None if root < 0 or not np.isfinite(following) else int(np.floor(following))


def _moments(counts: Counts) -> int:
    """Tsai 1985, CVGIP 29, 377: the two-valued image with the same first three moments."""
    bins = np.arange(len(counts))
    share = counts / np.sum(counts)
    m1, m2, m3 = (np.cumsum(bins**power * share)[-1] for power in (1, 2, 3))
    cd = m2 - m1 * m1
    c0 = (-m2 * m2 + m1 * m3) / cd
    c1 = (-m3 + m2 * m1) / cd
    spread = np.sqrt(c1 * c1 - 4 * c0)
    z0, z1 = 0.5 * (-c1 - spread), 0.5 * (-c1 + spread)
    past = np.cumsum(share) > (z1 - m1) / (z1 - z0)
    return int(np.argmax(past)) if past.any() else -1


def _otsu(counts: Counts) -> int:
    """Otsu 1979, IEEE Trans. SMC 9, 62: largest variance between classes."""
    share = (1 / np.float64(np.sum(counts))) * counts
    number, mean = np.cumsum(share), np.cumsum(np.arange(len(counts)) * share)
    apart = mean[-1] * number - mean
    variance = apart * (apart / (number * (1 - number)))
    return int(np.argmax(np.where(variance > 0, variance, 0)))


def _percentile(counts: Counts) -> int:
    """Doyle 1962, J. ACM 9, 259: half of the voxels are dark."""
    return int(np.argmin(np.abs(np.cumsum(counts) / np.sum(counts) - 0.5)))


def _triangle(counts: Counts) -> int:
    """Zack, Rogers & Latt 1977, J. Histochem. Cytochem. 25, 741: farthest below the line from peak to farther end."""
    filled = np.flatnonzero(counts)
    first = max(int(filled[0]) - 1, 0)
    last = min(int(filled[-1]) + 1, len(counts) - 1)
    peak = int(np.argmax(counts))
    if peak - first >= last - peak:
        return _triangle_left(counts, first, peak)
    top = len(counts) - 1
    return top - _triangle_left(counts[::-1], top - last, top - peak)


def _triangle_left(counts: Counts, first: int, peak: int) -> int:
    if first == peak:
        return first
    normal_x, normal_y = float(counts[peak]), float(first - peak)
    length = np.sqrt(normal_x * normal_x + normal_y * normal_y)
    normal_x, normal_y = normal_x / length, normal_y / length
    bins = np.arange(first + 1, peak + 1)
    distance = normal_x * bins + normal_y * counts[bins] - (normal_x * first + normal_y * counts[first])
    best = int(np.argmax(distance))
    return first + best if distance[best] > 0 else first - 1


METHODS: dict[str, Callable[[Counts], int]] = {
    "default": _default,
    "huang": _huang,
    "intermodes": _intermodes,
    "isodata": _isodata,
    "ij_isodata": _ij_isodata,
    "li": _li,
    "max_entropy": max_entropy,
    "mean": _mean,
    "min_error": _min_error,
    "minimum": _minimum,
    "moments": _moments,
    "otsu": _otsu,
    "percentile": _percentile,
    "renyi_entropy": renyi_entropy,
    "shanbhag": shanbhag,
    "triangle": _triangle,
    "yen": yen,
}
