"""From a coarser grid back to voxels: linear interpolation that knows only where a voxel lies in the whole volume.

Voxel i of a grid of every f-th voxel stands in the middle of voxels f * i to f * i + f - 1.
"""

from __future__ import annotations

import numpy as np

from ._numba import kernel, row_kernel
from ._smooth import Floats, Triple, copy


def interpolate(coarse: Floats, corner: Triple, factors: Triple, low: Triple, shape: Triple) -> Floats:
    """Give (feature, z, y, x) for the block of `shape` at `low`.

    `coarse` is (feature, z, y, x) on a grid of every ``factors``-th voxel, its first voxel being number `corner` of
    that grid; it reaches one voxel beyond the block.
    """
    out = np.empty((coarse.shape[0], *shape), np.float32)
    plane = np.empty(coarse.shape[2:], np.float32)
    line = np.empty(coarse.shape[3], np.float32)
    wide = np.empty(coarse.shape[3] * factors[2], np.float32)
    _interpolate(coarse, corner, factors, low, plane, line, wide, out)
    return out


def before(voxel: int, factor: int) -> int:
    """Give the last voxel of the coarser grid that does not lie beyond a voxel."""
    return (voxel - factor // 2) // factor


_before = row_kernel(before)


@row_kernel
def _share(voxel: int, factor: int) -> np.float32:
    """Give the way from that coarser voxel to the next, from 0 to 1."""
    if factor == 1:
        return np.float32(0)
    return np.float32(((voxel - factor // 2) % factor + 0.5) / factor)


@kernel
def _interpolate(
    coarse: Floats, corner: Triple, factors: Triple, low: Triple, plane: Floats, line: Floats, wide: Floats, out: Floats
) -> None:
    nx = out.shape[3]
    first = _before(low[1], factors[1]) - corner[1]
    last = _before(low[1] + out.shape[2] - 1, factors[1]) - corner[1] + 1
    left = _before(low[2], factors[2]) - corner[2]
    count = _before(low[2] + nx - 1, factors[2]) - corner[2] + 2 - left
    phase = (low[2] - factors[2] // 2) % factors[2]
    for k in range(out.shape[0]):
        for z in range(out.shape[1]):
            below = _before(low[0] + z, factors[0]) - corner[0]
            share = _share(low[0] + z, factors[0])
            for y in range(first, last + 1):
                _between(
                    plane[y, left : left + count], coarse[k, below, y, left:], coarse[k, below + 1, y, left:], share
                )
            for y in range(out.shape[2]):
                near = _before(low[1] + y, factors[1]) - corner[1]
                share = _share(low[1] + y, factors[1])
                _between(line[:count], plane[near, left:], plane[near + 1, left:], share)
                _widen(wide, line[:count], factors[2])
                copy(out[k, z, y], wide[phase:])


@row_kernel
def _between(out: Floats, low: Floats, high: Floats, share: np.float32) -> None:
    if share == 0:
        copy(out, low)
    else:
        for i in range(out.size):
            out[i] = low[i] + share * (high[i] - low[i])


@row_kernel
def _widen(out: Floats, line: Floats, factor: int) -> None:
    """Interpolate one row; the usual factors are written out so that they become vector code."""
    steps = line.size - 1
    if factor == 1:
        copy(out[:steps], line)
    elif factor == 2:
        for i in range(steps):
            quarter = np.float32(0.25) * (line[i + 1] - line[i])
            out[2 * i] = line[i] + quarter
            out[2 * i + 1] = line[i + 1] - quarter
    elif factor == 4:
        for i in range(steps):
            eighth = np.float32(0.125) * (line[i + 1] - line[i])
            out[4 * i] = line[i] + eighth
            out[4 * i + 1] = line[i] + np.float32(3) * eighth
            out[4 * i + 2] = line[i + 1] - np.float32(3) * eighth
            out[4 * i + 3] = line[i + 1] - eighth
    else:
        for i in range(steps):
            for k in range(factor):
                out[factor * i + k] = line[i] + np.float32((k + 0.5) / factor) * (line[i + 1] - line[i])
