"""The inner loops of measuring how far slices lie apart."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]

#: Pixels at the rim that no slope can be trusted in.
_RIM = 4
#: Pixels below which a step is short.
_SHORT = 0.25


@njit(cache=True, fastmath=True, nogil=True)
def fit_shift(first, second, move, cut, rounds):  # type: ignore[no-untyped-def]
    """Fit the displacement that is left after a move by whole pixels.

    `first` and `second` are image, slope along y, slope along x and weight; residuals beyond `cut` standard deviations
    count less and less. Rounds reweigh least squares, which converges from far off but slowly, until a step is short;
    those that follow are Newton's.
    """
    move_y, move_x = move
    rows, columns = first[0].shape
    top, bottom = max(_RIM, _RIM - move_y), min(rows - _RIM, rows - _RIM - move_y)
    left, right = max(_RIM, _RIM - move_x), min(columns - _RIM, columns - _RIM - move_x)
    scale = shift_y = shift_x = 0.0
    newton = 0.0
    for step in range(rounds + 1):
        inverse = 1.0 / (cut * scale) if scale > 0 else 0.0
        limit = 3.0 * scale if scale > 0 else 1e30
        how = (np.float32(inverse), np.float32(limit), np.float32(newton))
        sums = np.zeros(7)
        # The first round only has to tell the scale: every fourth row does.
        for y in range(top, bottom, 4 if step == 0 else 1):
            row = (first[0][y, left:right], first[1][y, left:right], first[2][y, left:right], first[3][y, left:right])
            v, u = y + move_y, left + move_x
            end = right + move_x
            other = (second[0][v, u:end], second[1][v, u:end], second[2][v, u:end], second[3][v, u:end])
            sums += _sum_row(row, other, (shift_y, shift_x), how)
        yy, yx, xx, by, bx, spread, count = sums
        determinant = yy * xx - yx * yx
        if count < 16 or determinant <= 1e-9 * (yy * yy + xx * xx):
            return 0.0, 0.0
        if step > 0:
            step_y, step_x = (xx * by - yx * bx) / determinant, (yy * bx - yx * by) / determinant
            shift_y, shift_x = shift_y + step_y, shift_x + step_x
            newton = 1.0 if max(abs(step_y), abs(step_x)) < _SHORT else 0.0
        # The mean absolute residual of white noise is 0.8 standard deviations.
        scale = max(1.25 * spread / count * (0.6 if step == 0 else 1.0), 1e-6)
    return shift_y, shift_x


# Python's own check for a division by zero would keep the loop from being vectorised.
@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _sum_row(first, second, shift, how):  # type: ignore[no-untyped-def]
    """Sum the normal equations of one row, and how far it is from fitting (single precision: twice as fast)."""
    a, a_y, a_x, a_w = first
    b, b_y, b_x, b_w = second
    inverse, limit, newton = how
    half, one, four = np.float32(0.5), np.float32(1.0), np.float32(4.0)
    shift_y, shift_x = np.float32(shift[0]), np.float32(shift[1])
    yy = yx = xx = by = bx = spread = count = np.float32(0.0)
    for x in range(a.size):
        use = a_w[x] * b_w[x]
        g_y = half * (a_y[x] + b_y[x])
        g_x = half * (a_x[x] + b_x[x])
        difference = b[x] - a[x]
        residual = difference + shift_y * g_y + shift_x * g_x
        ratio = residual * inverse
        square = ratio * ratio
        base = one / (one + square)
        weight = base * base * use
        by -= weight * g_y * residual
        bx -= weight * g_x * residual
        weight *= one - newton * four * square * base
        yy += weight * g_y * g_y
        yx += weight * g_y * g_x
        xx += weight * g_x * g_x
        spread += use * min(abs(residual), limit)
        count += use
    return np.array([yy, yx, xx, by, bx, spread, count], np.float64)


def slopes(image: Image) -> tuple[Image, Image]:
    """Differentiate along y and x; sixth order, since plain differences make steep edges too flat."""
    along_y, along_x = np.empty_like(image), np.empty_like(image)
    _slopes(image, along_y, along_x)
    return along_y, along_x


@njit(cache=True, fastmath=True, nogil=True)
def _slopes(image, along_y, along_x):  # type: ignore[no-untyped-def]
    rows, columns = image.shape
    near, mid, far = np.float32(0.75), np.float32(-0.15), np.float32(1 / 60)
    for y in range(rows):
        for x in range(columns):
            along_y[y, x] = (
                near * (image[min(y + 1, rows - 1), x] - image[max(y - 1, 0), x])
                + mid * (image[min(y + 2, rows - 1), x] - image[max(y - 2, 0), x])
                + far * (image[min(y + 3, rows - 1), x] - image[max(y - 3, 0), x])
            )
        row = image[y]
        # What lies at the rim is never fitted.
        along_x[y, :3] = np.float32(0)
        along_x[y, columns - 3 :] = np.float32(0)
        for x in range(3, columns - 3):
            along_x[y, x] = (
                near * (row[x + 1] - row[x - 1]) + mid * (row[x + 2] - row[x - 2]) + far * (row[x + 3] - row[x - 3])
            )


@njit(cache=True, fastmath=True, nogil=True)
def smooth_along_y(image, length):  # type: ignore[no-untyped-def]
    """Take the running mean over `length` (odd) rows; beyond the rim the last row goes on."""
    rows, columns = image.shape
    half = length // 2
    total = np.zeros(columns, np.float32)
    smooth = np.empty_like(image)
    for k in range(-half, half + 1):
        source = image[min(max(k, 0), rows - 1)]
        for x in range(columns):
            total[x] += source[x]
    share = np.float32(1.0 / length)
    for y in range(rows):
        leaves, enters = image[max(y - half, 0)], image[min(y + half + 1, rows - 1)]
        for x in range(columns):
            smooth[y, x] = total[x] * share
            total[x] += enters[x] - leaves[x]
    return smooth
