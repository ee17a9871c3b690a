"""Gaussian smoothing of a region, one z plane at a time, so that all but the source stays in cache."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from ._numba import kernel, row_kernel

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Triple = tuple[int, int, int]


def gaussian_taps(sigma: float) -> Floats:
    """Give half a sampled Gaussian, centre first, cut off at three sigma; a sigma of 0 leaves the image alone."""
    if sigma == 0:
        return np.ones(1, np.float32)
    taps = np.exp(-0.5 * (np.arange(ceil(3 * sigma) + 1) / sigma) ** 2)
    return np.asarray(taps / (taps[0] + 2 * taps[1:].sum()), np.float32)


def reflect(positions: Ints, size: int) -> Ints:
    """Map positions outside 0 .. size-1 to the voxels that mirrors at the outer faces show there."""
    folded = np.mod(positions, 2 * size)
    return np.where(folded < size, folded, 2 * size - 1 - folded)


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
    ``rows[i * stride + k]``. Along x they must be one straight run but for mirrored ends.
    """
    out = np.empty(shape, np.float32)
    straight = _straight(rows[2])
    wide = rows[2].size - 2 * (taps[2].size - 1)
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
        middle = z * strides[0] + taps_z.size - 1
        for y in range(at_y.size):
            weigh(plane[y], source[at_z[middle], at_y[y]], taps_z[0])
            for k in range(1, taps_z.size):
                add_pair(plane[y], source[at_z[middle - k], at_y[y]], source[at_z[middle + k], at_y[y]], taps_z[k])
        for y in range(out.shape[1]):
            middle_y = y * strides[1] + taps_y.size - 1
            smooth_across(plane, middle_y, taps_y, line)
            _pad(padded, line, at_x, straight)
            if strides[2] == 1:
                smooth_along(padded, taps_x, out[z, y])
            else:
                smooth_along(padded, taps_x, wide)
                _thin(out[z, y], wide, strides[2])


@row_kernel
def smooth_across(plane: Floats, middle: int, taps: Floats, out: Floats) -> None:
    """Smooth a plane along y into one row."""
    weigh(out, plane[middle], taps[0])
    for k in range(1, taps.size):
        add_pair(out, plane[middle - k], plane[middle + k], taps[k])


@row_kernel
def smooth_along(padded: Floats, taps: Floats, out: Floats) -> None:
    """Smooth one row, padded by the taps' radius at each end, along x."""
    n, radius = out.size, taps.size - 1
    weigh(out, padded[radius : radius + n], taps[0])
    for k in range(1, taps.size):
        add_pair(out, padded[radius - k : radius - k + n], padded[radius + k : radius + k + n], taps[k])


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
