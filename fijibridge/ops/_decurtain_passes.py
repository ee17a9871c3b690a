"""The passes over a slice that the fit of streaks is made of, compiled, in single precision; `_decurtain_fit` says why.

`limits` hold the brightness of a pixel, as a share of the mean (`per_mean` = 1 / mean); both are 1 where streaks are
the same on bright and on dark ground. Loops are kept short and separate: only such ones the compiler makes wide.
"""

# ruff: noqa: PLR0917  numba compiles positional arguments best
from __future__ import annotations

import numpy as np
from numba import njit

_ONE, _HALF, _QUARTER = np.float32(1), np.float32(0.5), np.float32(0.25)
#: Batcher's network: comparing these pairs one after the other sorts eight values.
_SORTING = np.array(
    [(0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (1, 2), (5, 6), (0, 4), (1, 5), (2, 6), (3, 7),
     (2, 4), (3, 5), (1, 2), (3, 4), (5, 6)]
)  # fmt: skip


@njit(cache=True, fastmath=True, nogil=True)
def smooth(image, taps):  # type: ignore[no-untyped-def]
    """Smooth with a symmetric kernel, given from its middle outwards; borders are mirrored, the rim twice."""
    rows, columns = image.shape
    reach = taps.size - 1
    result = np.empty((rows, columns), np.float32)
    wide = np.empty(columns + 2 * reach, np.float32)
    middle = wide[reach : reach + columns]
    for y in range(rows):
        for x in range(columns):
            middle[x] = taps[0] * image[y, x]
        for k in range(1, reach + 1):
            above, below, tap = image[_mirror(y - k, rows)], image[_mirror(y + k, rows)], taps[k]
            for x in range(columns):
                middle[x] += tap * (above[x] + below[x])
        for k in range(1, reach + 1):
            wide[reach - k] = middle[_mirror(-k, columns)]
            wide[reach + columns - 1 + k] = middle[_mirror(columns - 1 + k, columns)]
        line = result[y]
        for x in range(columns):
            line[x] = taps[0] * middle[x]
        for k in range(1, reach + 1):
            left, right, tap = wide[reach - k :], wide[reach + k :], taps[k]
            for x in range(columns):
                line[x] += tap * (left[x] + right[x])
    return result


@njit(cache=True, fastmath=True, nogil=True)
def _mirror(at, size):  # type: ignore[no-untyped-def]
    while at < 0 or at >= size:
        at = -1 - at if at < 0 else 2 * size - 1 - at
    return at


@njit(cache=True, fastmath=True, nogil=True)
def spread(streaks, strip, ground, per_mean, limits):  # type: ignore[no-untyped-def]
    """Give the streaks at every pixel: interpolated between strips, times the brightness of the pixel."""
    rows, columns = ground.shape
    result = np.empty((rows, columns), np.float32)
    for y in range(rows):
        place = min(max((y - (strip - 1) / 2) / strip, 0.0), streaks.shape[0] - 1.0)
        b = min(int(place), streaks.shape[0] - 2)
        share = np.float32(place - b)
        above, below, line, grey = streaks[b], streaks[b + 1], result[y], ground[y]
        for x in range(columns):
            factor = min(max(grey[x] * per_mean, limits[0]), limits[1])
            line[x] = factor * (above[x] + share * (below[x] - above[x]))
    return result


@njit(cache=True, fastmath=True, nogil=True)
def middle_steps(image, ground, per_mean, limits, count):  # type: ignore[no-untyped-def]
    """Give, for each strip, the middle of the differences of neighbouring columns in eight of its rows."""
    rows, columns = image.shape
    result = np.empty((count, columns - 1), np.float32)
    steps, factor = np.empty((8, columns - 1), np.float32), np.empty(columns, np.float32)
    for b in range(count):
        for k in range(8):
            y = (b * 8 + k) * (rows - 1) // (count * 8 - 1)
            line, step = image[y], steps[k]
            for x in range(columns):
                factor[x] = min(max(ground[y, x] * per_mean, limits[0]), limits[1])
            for x in range(columns - 1):
                step[x] = (line[x + 1] - line[x]) / (_HALF * (factor[x] + factor[x + 1]))
        for n in range(len(_SORTING)):
            one, other = steps[_SORTING[n, 0]], steps[_SORTING[n, 1]]
            for x in range(columns - 1):
                least = min(one[x], other[x])
                other[x] = max(one[x], other[x])
                one[x] = least
        for x in range(columns - 1):
            result[b, x] = _HALF * (steps[3, x] + steps[4, x])
    return result


@njit(cache=True, fastmath=True, nogil=True)
def _slope_row(ground, y, slope):  # type: ignore[no-untyped-def]
    """Give the squared slope half-way between neighbouring columns of one inner row."""
    above, here, below = ground[y - 1], ground[y], ground[y + 1]
    for x in range(slope.size):
        right = here[x + 1] - here[x]
        down = _QUARTER * (below[x] - above[x] + below[x + 1] - above[x + 1])
        slope[x] = right * right + down * down


@njit(cache=True, fastmath=True, nogil=True)
def highest_steps(streaks):  # type: ignore[no-untyped-def]
    """Give the highest step from a column to the next among the gap (strips, gaps) and its eight neighbours."""
    count, gaps = streaks.shape[0], streaks.shape[1] - 1
    steps, result = np.empty((count, gaps), np.float32), np.empty((count, gaps), np.float32)
    for b in range(count):
        for x in range(gaps):
            steps[b, x] = abs(streaks[b, x + 1] - streaks[b, x])
    line = np.empty(gaps, np.float32)
    for b in range(count):
        above, here, below = steps[max(b - 1, 0)], steps[b], steps[min(b + 1, count - 1)]
        for x in range(gaps):
            line[x] = max(above[x], below[x], here[x])
        for x in range(1, gaps - 1):
            result[b, x] = max(line[x - 1], line[x + 1], line[x])
        result[b, 0] = max(line[0], line[1])
        result[b, gaps - 1] = max(line[gaps - 1], line[gaps - 2])
    return result


@njit(cache=True, fastmath=True, nogil=True)
def calm_histogram(ground, edge, scale, bins, every):  # type: ignore[no-untyped-def]
    """Count the grey levels (`scale`: lowest, bins per level) of pixels with less slope than `edge`, in some rows."""
    rows, columns = ground.shape
    low, per_level = scale
    counts = np.zeros(bins, np.int64)
    slope = np.empty(columns - 1, np.float32)
    for y in range(1, rows - 1, every):
        _slope_row(ground, y, slope)
        for x in range(columns - 1):
            if slope[x] < edge * edge:
                counts[int((ground[y, x] - low) * per_level + _HALF)] += 1
    return counts


@njit(cache=True, fastmath=True, nogil=True)
def gather(image, ground, per_mean, limits, streaks, strip, powers, levels):  # type: ignore[no-untyped-def]
    """Sum, over the rows of each strip, what ties its columns to each other and to grey levels.

    `powers` is what scales residuals and slopes (strips, gaps), `levels` as in `_decurtain_levels.Levels`. Gives
    weights and weighted differences of neighbouring columns, weights and weighted
    heights above the grey levels, streaks known so far included.
    """
    rows, columns = image.shape
    count, gaps = len(streaks), columns - 1
    weights, pulls = np.zeros((count, gaps), np.float32), np.zeros((count, gaps), np.float32)
    holds, heights = np.zeros((count, columns), np.float32), np.zeros((count, columns), np.float32)
    calm, factor, step = np.empty(gaps, np.float32), np.empty(columns, np.float32), np.empty(gaps, np.float32)
    buffers = np.empty((3, gaps), np.float32)
    for y in range(1, rows - 1):
        b = min(y // strip, count - 1)
        grey, here = ground[y], streaks[b]
        _slope_row(ground, y, calm)
        edge_power = powers[1][b]
        for x in range(gaps):
            calm[x] = _ONE / (_ONE + calm[x] * calm[x] * edge_power[x])
        for x in range(columns):
            factor[x] = min(max(grey[x] * per_mean, limits[0]), limits[1])
        for x in range(gaps):
            step[x] = here[x + 1] - here[x]
        _gather_steps(image[y], factor, step, calm, powers[0][b], weights[b], pulls[b], buffers)
        _gather_heights(grey, factor, here, calm, levels, holds[b], heights[b])
    return weights, pulls, holds, heights


@njit(cache=True, fastmath=True, nogil=True)
def _gather_steps(line, factor, step, calm, cut_power, weights, pulls, buffers):  # type: ignore[no-untyped-def]
    both, difference, weight = buffers[0], buffers[1], buffers[2]
    for x in range(calm.size):
        both[x] = _HALF * (factor[x] + factor[x + 1])
    for x in range(calm.size):
        difference[x] = line[x + 1] - line[x]
    for x in range(calm.size):
        residual = difference[x] - both[x] * step[x]
        trust = _ONE / (_ONE + residual * residual * cut_power[x])
        weight[x] = trust * trust * calm[x] * both[x]
    for x in range(calm.size):
        weights[x] += weight[x] * both[x]
    for x in range(calm.size):
        pulls[x] += weight[x] * difference[x]


@njit(cache=True, fastmath=True, nogil=True)
def _gather_heights(grey, factor, streaks, calm, levels, holds, heights):  # type: ignore[no-untyped-def]
    above, worth, low, per_level = levels
    for x in range(calm.size):
        level = int((grey[x] - low) * per_level + _HALF)
        weight = worth[level] * calm[x] * factor[x]
        holds[x] += weight * factor[x]
        heights[x] += weight * (factor[x] * streaks[x] + above[level])
