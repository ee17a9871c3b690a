"""From a coarser grid back to voxels: linear interpolation that knows only where a voxel lies in the whole volume."""

from __future__ import annotations

import numpy as np

from ._numba import kernel, row_kernel
from ._smooth import Floats, Triple, copy

_HALF, _QUARTER = np.float32(0.5), np.float32(0.25)


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


@kernel
def _interpolate(
    coarse: Floats, corner: Triple, factors: Triple, low: Triple, plane: Floats, line: Floats, wide: Floats, out: Floats
) -> None:
    nx = out.shape[3]
    first = low[1] // factors[1] - corner[1]
    last = (low[1] + out.shape[2] - 1) // factors[1] - corner[1] + 1
    left = low[2] // factors[2] - corner[2]
    count = (low[2] + nx - 1) // factors[2] - corner[2] + 2 - left
    phase = low[2] % factors[2]
    for k in range(out.shape[0]):
        for z in range(out.shape[1]):
            below = (low[0] + z) // factors[0] - corner[0]
            share = np.float32(((low[0] + z) % factors[0]) / factors[0])
            for y in range(first, last + 1):
                _between(
                    plane[y, left : left + count], coarse[k, below, y, left:], coarse[k, below + 1, y, left:], share
                )
            for y in range(out.shape[2]):
                near = (low[1] + y) // factors[1] - corner[1]
                share = np.float32(((low[1] + y) % factors[1]) / factors[1])
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
            out[2 * i] = line[i]
            out[2 * i + 1] = line[i] + _HALF * (line[i + 1] - line[i])
    elif factor == 4:
        for i in range(steps):
            quarter = _QUARTER * (line[i + 1] - line[i])
            out[4 * i] = line[i]
            out[4 * i + 1] = line[i] + quarter
            out[4 * i + 2] = line[i] + (quarter + quarter)
            out[4 * i + 3] = line[i] + (quarter + quarter + quarter)
    else:
        for i in range(steps):
            for k in range(factor):
                out[factor * i + k] = line[i] + np.float32(k / factor) * (line[i + 1] - line[i])
