"""How far slices lie apart: correlation finds the whole pixels, a robust least-squares fit the rest.

Each slice is reduced once (binned, band-passed, its gradients and its spectrum); pairs then cost little. The fit weighs
every pixel by how well it agrees with the rest, so that streaks, charging and edges that move because the sample
changes count little. Gradients are the mean of both slices, which makes the fit symmetric and needs no interpolation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from ._align_apply import blur_slice, move_slice
from ._align_fit import fit_shift, slopes, smooth_along_y

Image = NDArray[np.float32]


class Band(NamedTuple):
    """Band-pass in working pixels (standard deviations): noise goes below, uneven light above."""

    fine: float
    coarse: float


#: Fine detail is plentiful, so that its slants average out best; it carries the most noise, which averages out too.
SHARP = Band(0.5, 3.0)
#: The same for slices that are not binned, whose pixels are noisier each.
SHARP_UNBINNED = Band(1.0, 4.0)
#: Reaches further, for what is not in place to a pixel.
BROAD = Band(1.0, 5.0)

#: Slices are binned until their shorter side has about this many pixels: finer does not measure better, only slower.
_WORKING_SIDE = 256
#: Streaks along y change from slice to slice and would be fitted as movement: what is smooth over this many working
#: rows is taken out first.
_STREAK_ROWS = 41
#: Robust scale: residuals beyond this many standard deviations count less and less.
_CUT = 2.0
_FIT_ROUNDS = 5
_MOVES = 3
#: Slices of at least so many working pixels find their peak at half the resolution, in a quarter of the time.
_HALVED = 128


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
    image: NDArray[np.generic],
    valid: NDArray[np.bool_] | None,
    factor: int,
    *,
    streaks: bool = True,
    band_pass: Band = BROAD,
) -> Reduced:
    """Bin, band-pass and differentiate one slice; pixels that are not `valid` (or not finite) get no weight.

    `streaks` says that there may be streaks along y, which are then taken out.
    """
    small, weight = _binned(image, valid, factor)
    band = blur_slice(small, band_pass.fine) - blur_slice(small, band_pass.coarse)
    if streaks and band.shape[0] > 2 * _STREAK_ROWS:
        band -= smooth_along_y(smooth_along_y(band, _STREAK_ROWS), _STREAK_ROWS)
    band *= weight
    band /= max(float(np.sqrt(np.mean(band**2))), 1e-6)
    return Reduced(band, *slopes(band), weight, _spectrum(band))


def moved_by(reduced: Reduced, shift: tuple[float, float]) -> Reduced:
    """Move what was reduced by less than a pixel; the spectrum, which only tells whole pixels, stays."""
    image = move_slice(reduced.image, shift, nearest=False, empty=0.0)
    grad_y, grad_x = slopes(image)
    return reduced._replace(image=image, grad_y=grad_y, grad_x=grad_x)


def _binned(image: NDArray[np.generic], valid: NDArray[np.bool_] | None, factor: int) -> tuple[Image, Image]:
    """Give the slice in working pixels, and how much each of them counts."""
    full = np.asarray(image, np.float32)
    usable = valid
    if image.dtype.kind == "f":
        usable = np.isfinite(full) if valid is None else valid & np.isfinite(full)
    if usable is None or usable.all():
        return _bin(full, factor), np.ones((full.shape[0] // factor, full.shape[1] // factor), np.float32)
    weight = _bin(usable.astype(np.float32), factor)
    small = np.asarray(_bin(np.where(usable, full, 0), factor) / np.maximum(weight, 1e-3), np.float32)
    known = weight > 0.5
    small[~known] = float(small[known].mean()) if known.any() else 0.0
    # The band-pass spreads what lies at the rim of the mask: keep away from it.
    return small, np.asarray(ndimage.minimum_filter((weight > 0.99).astype(np.float32), 5), np.float32)


@lru_cache(maxsize=8)
def _window(rows: int, columns: int) -> Image:
    return np.asarray(np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[None, 1:-1], np.float32)


def _spectrum(band: Image) -> NDArray[np.complex64]:
    """Transform a slice that fades to its rim; of a large one, keep what half the resolution holds."""
    spectrum = np.asarray(fft.rfft2(band * _window(*band.shape)), np.complex64)
    step = _peak_step(band.shape)
    if step == 1:
        return spectrum
    up, wide = band.shape[0] // 4, band.shape[1] // 4
    return np.concatenate([spectrum[:up, : wide + 1], spectrum[-up:, : wide + 1]])


def _peak_step(shape: tuple[int, ...]) -> int:
    return 2 if min(shape) >= _HALVED else 1


def measure(first: Reduced, second: Reduced, reach: float, guess: tuple[float, float] | None = None) -> Displacement:
    """Measure the displacement between two slices in working pixels, at most `reach` along each axis.

    `guess` is where the pair is expected from other pairs; it is taken where it fits better than the correlation peak.
    """
    start = peak(first, second, reach)
    if guess is not None:
        near = (round(guess[0]), round(guess[1]))
        if near != start and _score(first, second, near) > _score(first, second, start):
            start = near
    return settle(first, second, start, reach)


def settle(
    first: Reduced, second: Reduced, start: tuple[int, int], reach: float, rounds: int = _FIT_ROUNDS
) -> Displacement:
    """Measure the displacement of two slices that lie `start` whole pixels apart, or one or two more or less."""
    y, x = start
    fit_y = fit_x = 0.0
    for _ in range(_MOVES):
        fit_y, fit_x = fit_shift(first[:4], second[:4], (y, x), _CUT, rounds)
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


def peak(first: Reduced, second: Reduced, reach: float) -> tuple[int, int]:
    """Find the whole-pixel displacement by correlation, half-way between plain and phase correlation."""
    step = _peak_step(first.image.shape)
    cross = np.conj(first.spectrum) * second.spectrum
    cross /= np.sqrt(np.abs(cross)) + np.float32(1e-6)
    rows, columns = (2 * (side // 4) if step == 2 else side for side in first.image.shape)
    surface = fft.irfft2(cross, (rows, columns))
    down, right = min(int(reach / step), rows // 2 - 1), min(int(reach / step), columns // 2 - 1)
    near = np.roll(surface, (down, right), axis=(0, 1))[: 2 * down + 1, : 2 * right + 1]
    y, x = (int(at) for at in np.unravel_index(int(near.argmax()), near.shape))
    if step == 1:
        return y - down, x - right
    # The sides of the small surface stand for those of the slice, which four need not divide.
    tall, wide = (side / small for side, small in zip(first.image.shape, (rows, columns), strict=True))
    return round(tall * (y - down + _vertex(near[:, x], y))), round(wide * (x - right + _vertex(near[y], x)))


def _vertex(line: NDArray[np.float32], at: int) -> float:
    """Give where between its neighbours a parabola through three values is highest."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, middle, after = (float(value) for value in line[at - 1 : at + 2])
    bend = before - 2 * middle + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


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
