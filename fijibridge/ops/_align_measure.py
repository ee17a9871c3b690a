"""How far slices lie apart: correlation finds the whole pixels, a robust least-squares fit the rest.

Each slice is reduced once (binned, band-passed, its gradients and its spectrum); pairs then cost little. The fit weighs
every pixel by how well it agrees with the rest, so that streaks, charging and edges that move because the sample
changes count little. Gradients are the mean of both slices, which makes the fit symmetric and needs no interpolation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft, ndimage

Image = NDArray[np.float32]

#: Slices are binned until their shorter side has about this many pixels: finer does not measure better, only slower.
_WORKING_SIDE = 256
#: Band-pass in working pixels: noise goes below, uneven light above.
_FINE, _COARSE = 1.0, 5.0
#: Streaks along y change from slice to slice and would be fitted as movement: what is smooth over this many working
#: rows is taken out first.
_STREAK_ROWS = 41
#: Robust scale: residuals beyond this many standard deviations count less and less.
_CUT = 3.0
_FIT_ROUNDS = 5
_MOVES = 3


class Reduced(NamedTuple):
    """One slice as the measurement needs it, all of working size."""

    image: Image
    grad_y: Image
    grad_x: Image
    weight: Image
    spectrum: NDArray[np.complex64]


class Displacement(NamedTuple):
    """Content of the second slice lies `y`, `x` pixels further than that of the first; `score` is their correlation."""

    y: float
    x: float
    score: float


def bin_factor(shape: tuple[int, ...]) -> int:
    """Give how many pixels are averaged into one working pixel along y and x."""
    return max(1, min(shape) // _WORKING_SIDE)


def reduce_slice(
    image: NDArray[np.generic], valid: NDArray[np.bool_] | None, factor: int, *, streaks: bool = True
) -> Reduced:
    """Bin, band-pass and differentiate one slice; pixels that are not `valid` (or not finite) get no weight.

    `streaks` says that there may be streaks along y, which are then taken out.
    """
    full = np.asarray(image, np.float32)
    usable = np.isfinite(full) if valid is None else valid & np.isfinite(full)
    if usable.all():
        weight = np.ones((full.shape[0] // factor, full.shape[1] // factor), np.float32)
        small = _bin(full, factor)
    else:
        weight = _bin(usable.astype(np.float32), factor)
        small = np.asarray(_bin(np.where(usable, full, 0), factor) / np.maximum(weight, 1e-3), np.float32)
        known = weight > 0.5
        small[~known] = float(small[known].mean()) if known.any() else 0.0
        # The band-pass spreads what lies at the rim of the mask: keep away from it.
        weight = np.asarray(ndimage.minimum_filter((weight > 0.99).astype(np.float32), 5), np.float32)
    band = ndimage.gaussian_filter(small, _FINE, truncate=3) - ndimage.gaussian_filter(small, _COARSE, truncate=3)
    if streaks and band.shape[0] > 2 * _STREAK_ROWS:
        along = ndimage.uniform_filter1d(band, _STREAK_ROWS, axis=0, mode="nearest")
        band -= ndimage.uniform_filter1d(along, _STREAK_ROWS, axis=0, mode="nearest")
    band *= weight
    band /= max(float(np.sqrt(np.mean(band**2))), 1e-6)
    window = np.hanning(band.shape[0] + 2)[1:-1, None] * np.hanning(band.shape[1] + 2)[None, 1:-1]
    spectrum = fft.rfft2(band * window.astype(np.float32))
    return Reduced(np.ascontiguousarray(band), _slope(band, 0), _slope(band, 1), weight, spectrum)


def measure(first: Reduced, second: Reduced, reach: float, guess: tuple[float, float] | None = None) -> Displacement:
    """Measure the displacement between two slices in working pixels, at most `reach` along each axis.

    `guess` is where the pair is expected from other pairs; it is taken where it fits better than the correlation peak.
    """
    start = _peak(first, second, reach)
    if guess is not None:
        near = (round(guess[0]), round(guess[1]))
        if near != start and _score(first, second, near) > _score(first, second, start):
            start = near
    y, x = start
    fit_y = fit_x = 0.0
    for _ in range(_MOVES):
        fit_y, fit_x = _fit(first[:4], second[:4], (y, x), _CUT, _FIT_ROUNDS)
        step = (int(np.clip(np.rint(fit_y), -2, 2)), int(np.clip(np.rint(fit_x), -2, 2)))
        if step == (0, 0):
            break
        y, x = y + step[0], x + step[1]
    found = (y + float(np.clip(fit_y, -2, 2)), x + float(np.clip(fit_x, -2, 2)))
    score = _score(first, second, (y, x)) if max(abs(found[0]), abs(found[1])) <= reach + 1 else 0.0
    return Displacement(found[0], found[1], score)


def _bin(image: Image, factor: int) -> Image:
    if factor == 1:
        return image
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    # Sums of strided views: much faster than a mean over two short axes.
    tall = image[: rows * factor : factor].copy()
    for k in range(1, factor):
        tall += image[k : rows * factor : factor]
    small = tall[:, : columns * factor : factor].copy()
    for k in range(1, factor):
        small += tall[:, k : columns * factor : factor]
    small /= factor * factor
    return small


def _slope(image: Image, axis: int) -> Image:
    """Differentiate; sixth order, since plain differences make steep edges too flat and the shift too large."""
    return np.ascontiguousarray(ndimage.correlate1d(image, [-1 / 60, 0.15, -0.75, 0, 0.75, -0.15, 1 / 60], axis=axis))


def _peak(first: Reduced, second: Reduced, reach: float) -> tuple[int, int]:
    """Find the whole-pixel displacement by correlation, half-way between plain and phase correlation."""
    cross = np.conj(first.spectrum) * second.spectrum
    cross /= np.sqrt(np.abs(cross)) + np.float32(1e-6)
    rows, columns = first.image.shape
    surface = fft.irfft2(cross, (rows, columns))
    down, right = min(int(reach), rows // 2 - 1), min(int(reach), columns // 2 - 1)
    near = np.roll(surface, (down, right), axis=(0, 1))[: 2 * down + 1, : 2 * right + 1]
    y, x = np.unravel_index(int(near.argmax()), near.shape)
    return int(y) - down, int(x) - right


def _score(first: Reduced, second: Reduced, move: tuple[int, int]) -> float:
    """Correlate the overlap of two slices after a move by whole pixels."""
    rows, columns = first.image.shape
    y, x = move
    if abs(y) > rows - 16 or abs(x) > columns - 16:
        return 0.0
    a = first.image[max(0, -y) : rows - max(0, y), max(0, -x) : columns - max(0, x)]
    b = second.image[max(0, y) : rows - max(0, -y), max(0, x) : columns - max(0, -x)]
    norm = float(np.sqrt(np.einsum("ij,ij", a, a) * np.einsum("ij,ij", b, b)))
    return float(np.einsum("ij,ij", a, b)) / norm if norm > 0 else 0.0


@njit(cache=True, fastmath=True, nogil=True)
def _fit(first, second, move, cut, rounds):  # type: ignore[no-untyped-def]
    """Fit the displacement that is left after a move by whole pixels (iteratively reweighted least squares)."""
    move_y, move_x = move
    rows, columns = first[0].shape
    rim = 4
    top, bottom = max(rim, rim - move_y), min(rows - rim, rows - rim - move_y)
    left, right = max(rim, rim - move_x), min(columns - rim, columns - rim - move_x)
    scale = shift_y = shift_x = 0.0
    for step in range(rounds + 1):
        inverse = 1.0 / (cut * scale) if scale > 0 else 0.0
        limit = 3.0 * scale if scale > 0 else 1e30
        sums = np.zeros(7)
        for y in range(top, bottom):
            row = (first[0][y, left:right], first[1][y, left:right], first[2][y, left:right], first[3][y, left:right])
            v, u = y + move_y, left + move_x
            end = right + move_x
            other = (second[0][v, u:end], second[1][v, u:end], second[2][v, u:end], second[3][v, u:end])
            sums += _sum_row(row, other, (shift_y, shift_x), np.float32(inverse), np.float32(limit))
        yy, yx, xx, by, bx, spread, count = sums
        determinant = yy * xx - yx * yx
        if count < 64 or determinant <= 1e-9 * (yy * yy + xx * xx):
            return 0.0, 0.0
        if step > 0:
            shift_y = (xx * by - yx * bx) / determinant
            shift_x = (yy * bx - yx * by) / determinant
        # The mean absolute residual of white noise is 0.8 standard deviations.
        scale = max(1.25 * spread / count * (0.6 if step == 0 else 1.0), 1e-6)
    return shift_y, shift_x


@njit(cache=True, fastmath=True, nogil=True)
def _sum_row(first, second, shift, inverse, limit):  # type: ignore[no-untyped-def]
    """Sum the normal equations of one row, and how far it is from fitting (single precision: twice as fast)."""
    a, a_y, a_x, a_w = first
    b, b_y, b_x, b_w = second
    half, one = np.float32(0.5), np.float32(1.0)
    shift_y, shift_x = np.float32(shift[0]), np.float32(shift[1])
    yy = yx = xx = by = bx = spread = count = np.float32(0.0)
    for x in range(a.size):
        use = a_w[x] * b_w[x]
        g_y = half * (a_y[x] + b_y[x])
        g_x = half * (a_x[x] + b_x[x])
        difference = b[x] - a[x]
        residual = difference + shift_y * g_y + shift_x * g_x
        ratio = residual * inverse
        weight = one / (one + ratio * ratio)
        weight *= weight * use
        yy += weight * g_y * g_y
        yx += weight * g_y * g_x
        xx += weight * g_x * g_x
        by -= weight * g_y * difference
        bx -= weight * g_x * difference
        spread += use * min(abs(residual), limit)
        count += use
    return np.array([yy, yx, xx, by, bx, spread, count], np.float64)
