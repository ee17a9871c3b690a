"""Gaussian smoothing of a region, one z plane at a time, so that all but the source stays in cache."""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ._numba import kernel, row_kernel

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Triple = tuple[int, int, int]


@lru_cache(maxsize=256)
def gaussian_taps(sigma: float) -> Floats:
    """Give half a sampled Gaussian, centre first, cut off at three sigma; a sigma of 0 leaves the image alone."""
    if sigma == 0:
        return np.ones(1, np.float32)
    taps = np.exp(-0.5 * (np.arange(ceil(3 * sigma) + 1) / sigma) ** 2)
    return np.asarray(taps / (taps[0] + 2 * taps[1:].sum()), np.float32)


@lru_cache(maxsize=16)
def thinning_taps(sigma: float) -> Floats:
    """Give half a Gaussian centred between two voxels, the nearer first: it makes one voxel of every two."""
    taps = np.exp(-0.5 * ((np.arange(ceil(3 * sigma)) + 0.5) / sigma) ** 2)
    return np.asarray(taps / (2 * taps.sum()), np.float32)


def reflect(positions: Ints, period: int) -> Ints:
    """Map positions to those that mirrors show there; the mirrors' images repeat after `period`, one lies before 0."""
    folded = np.mod(positions, period)
    return np.asarray(np.minimum(folded, period - 1 - folded), np.int64)


def smooth(
    source: Floats,
    rows: tuple[Ints, Ints, Ints],
    taps: tuple[Floats, Floats, Floats],
    shape: Triple,
    *,
    strides: Triple = (1, 1, 1),
) -> Floats:
    """Smooth `source` along z, y and x, and keep every `strides`-th voxel.

    `rows` says for each axis where in `source` the voxels around the output lie, in order: tap k of output voxel i is
    ``rows[i * stride + k]``. Along x they must be one straight run but for mirrored ends. Where every second voxel is
    kept, the taps are those of a kernel centred between two voxels.
    """
    out = np.empty(shape, np.float32)
    straight = _straight(rows[2])
    wide = rows[2].size - 2 * (taps[2].size - 1) - (strides[2] - 1)
    lines = (np.empty(source.shape[2], np.float32), np.empty(rows[2].size, np.float32), np.empty(wide, np.float32))
    plane = np.empty((rows[1].size, source.shape[2]), np.float32)
    _smooth(source, rows, taps, strides, straight, plane, lines, out)
    return out


def _straight(at: Ints) -> tuple[int, int]:
    """Give the ends of the longest run of positions that ascend by one."""
    breaks = np.flatnonzero(np.diff(at) != 1) + 1
    edges = np.concatenate([[0], breaks, [at.size]])
    longest = int(np.argmax(np.diff(edges)))
    return int(edges[longest]), int(edges[longest + 1])


@kernel
def _smooth(
    source: Floats,
    rows: tuple[Ints, Ints, Ints],
    taps: tuple[Floats, Floats, Floats],
    strides: Triple,
    straight: tuple[int, int],
    plane: Floats,
    lines: tuple[Floats, Floats, Floats],
    out: Floats,
) -> None:
    at_z, at_y, at_x = rows
    taps_z, taps_y, taps_x = taps
    line, padded, wide = lines
    for z in range(out.shape[0]):
        low = z * strides[0] + taps_z.size - 1
        high = low + strides[0] - 1
        for y in range(at_y.size):
            _begin(plane[y], source[at_z[low], at_y[y]], source[at_z[high], at_y[y]], taps_z[0], high != low)
            for k in range(1, taps_z.size):
                add_pair(plane[y], source[at_z[low - k], at_y[y]], source[at_z[high + k], at_y[y]], taps_z[k])
        for y in range(out.shape[1]):
            smooth_across(plane, y * strides[1] + taps_y.size - 1, strides[1], taps_y, line)
            _pad(padded, line, at_x, straight)
            if strides[2] == 1:
                smooth_along(padded, taps_x, 1, out[z, y])
            else:
                smooth_along(padded, taps_x, strides[2], wide)
                _thin(out[z, y], wide, strides[2])


@row_kernel
def smooth_across(plane: Floats, low: int, stride: int, taps: Floats, out: Floats) -> None:
    """Smooth a plane along y into one row; `low` is the middle, or the lower of the two middle rows where thinning."""
    high = low + stride - 1
    _begin(out, plane[low], plane[high], taps[0], high != low)
    for k in range(1, taps.size):
        add_pair(out, plane[low - k], plane[high + k], taps[k])


@row_kernel
def smooth_along(padded: Floats, taps: Floats, stride: int, out: Floats) -> None:
    """Smooth one row, padded by the taps' radius at each end, along x."""
    n, low = out.size, taps.size - 1
    high = low + stride - 1
    _begin(out, padded[low : low + n], padded[high : high + n], taps[0], high != low)
    for k in range(1, taps.size):
        add_pair(out, padded[low - k : low - k + n], padded[high + k : high + k + n], taps[k])


@row_kernel
def _begin(out: Floats, low: Floats, high: Floats, weight: np.float32, between: bool) -> None:
    """Take the middle of a kernel: one row, or both where the middle lies between them."""
    if between:
        for i in range(out.size):
            out[i] = weight * (low[i] + high[i])
    else:
        weigh(out, low, weight)


@row_kernel
def weigh(out: Floats, row: Floats, weight: np.float32) -> None:
    """Set ``out = weight * row``."""
    for i in range(out.size):
        out[i] = weight * row[i]


@row_kernel
def add_pair(out: Floats, left: Floats, right: Floats, weight: np.float32) -> None:
    """Add ``weight * (left + right)``: a symmetric kernel costs one product for two taps."""
    for i in range(out.size):
        out[i] += weight * (left[i] + right[i])


@row_kernel
def copy(out: Floats, row: Floats) -> None:
    """Set ``out = row``."""
    for i in range(out.size):
        out[i] = row[i]


@row_kernel
def _pad(padded: Floats, line: Floats, at: Ints, straight: tuple[int, int]) -> None:
    low, high = straight
    for i in range(low):
        padded[i] = line[at[i]]
    copy(padded[low:high], line[at[low] :])
    for i in range(high, at.size):
        padded[i] = line[at[i]]


@row_kernel
def _thin(out: Floats, row: Floats, stride: int) -> None:
    for i in range(out.size):
        out[i] = row[i * stride]
