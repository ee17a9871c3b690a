"""Eigenvalues of symmetric 2 x 2 and 3 x 3 matrices, a row of voxels at a time, without arccos or cos.

The middle of the closed form for 3 x 3 (Smith 1961, Communications of the ACM 4, 168) is cos(arccos(r) / 3). It is a
smooth function of s = sqrt((1 + r) / 2), namely cos(2/3 arccos(s)), so a polynomial in s of degree 6 follows it to
2e-7 over the whole range, and the loop vectorises.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._numba import row_kernel

Floats = NDArray[np.float32]


def _third_of_angle() -> tuple[np.float32, ...]:
    fit = np.polynomial.Chebyshev.interpolate(lambda s: np.cos(2 / 3 * np.arccos(s)), 6, domain=[0, 1])
    power = fit.convert(kind=np.polynomial.Polynomial, domain=[0, 1], window=[0, 1])
    return tuple(np.float32(value) for value in power.coef)


_C0, _C1, _C2, _C3, _C4, _C5, _C6 = _third_of_angle()
_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
_THIRD, _SIXTH, _QUARTER = np.float32(1 / 3), np.float32(1 / 6), np.float32(0.25)
# Keeps a flat region (all zero) from 0 / 0; far below the square of anything a grey value of 0-255 gives.
_TINY = np.float32(1e-18)


@row_kernel
def _cos_of_third(s: np.float32) -> np.float32:
    return _C0 + s * (_C1 + s * (_C2 + s * (_C3 + s * (_C4 + s * (_C5 + s * _C6)))))


@row_kernel
def eigenvalues_3(tensor: Floats, large: Floats, middle: Floats, small: Floats) -> None:
    """Give the three eigenvalues, descending; `tensor` holds rows zz, yy, xx, zy, zx, yx."""
    zz, yy, xx, zy, zx, yx = tensor[0], tensor[1], tensor[2], tensor[3], tensor[4], tensor[5]
    for i in range(large.size):
        mean = (zz[i] + yy[i] + xx[i]) * _THIRD
        a, b, c = zz[i] - mean, yy[i] - mean, xx[i] - mean
        d, e, f = zy[i], zx[i], yx[i]
        square = ((a * a + b * b + c * c) + _TWO * (d * d + e * e + f * f)) * _SIXTH + _TINY
        spread = np.sqrt(square)
        r = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) * _HALF / (spread * square)
        r = r if r < _ONE else _ONE
        r = r if r > -_ONE else -_ONE
        high = mean + _TWO * spread * _cos_of_third(np.sqrt((_ONE + r) * _HALF))
        low = mean - _TWO * spread * _cos_of_third(np.sqrt((_ONE - r) * _HALF))
        large[i] = high
        middle[i] = mean + ((mean - high) + (mean - low))
        small[i] = low


@row_kernel
def eigenvalues_2(tensor: Floats, large: Floats, small: Floats) -> None:
    """Give the two eigenvalues, descending; `tensor` holds rows yy, xx, yx."""
    yy, xx, yx = tensor[0], tensor[1], tensor[2]
    for i in range(large.size):
        mean = (yy[i] + xx[i]) * _HALF
        half = (yy[i] - xx[i]) * _HALF
        spread = np.sqrt(half * half + yx[i] * yx[i])
        large[i] = mean + spread
        small[i] = mean - spread
