"""Move slices by parts of a pixel: a windowed sinc along each axis, which keeps edges and noise as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import special

#: Taps to each side of the kernel.
_REACH = 4


def move_slice(image: NDArray[Any], shift: tuple[float, float], *, nearest: bool, empty: float) -> NDArray[Any]:
    """Move one slice by `shift` (y, x) voxels; what comes from outside becomes `empty`.

    `nearest` moves by whole voxels and is for labels and masks.
    """
    whole = (round(shift[0]), round(shift[1]))
    if nearest or (abs(shift[0] - whole[0]) < 1e-3 and abs(shift[1] - whole[1]) < 1e-3):
        return _move_whole(image, whole, empty)
    moved = np.empty(image.shape, np.float32)
    scratch = np.empty(image.shape, np.float32)
    _convolve(np.ascontiguousarray(image), _kernel(shift[0]), _kernel(shift[1]), scratch, moved)
    if image.dtype.kind in "iu":
        limits = np.iinfo(image.dtype)
        moved = np.clip(np.rint(moved), limits.min, limits.max)
    result = moved.astype(image.dtype)
    _clear_outside(result, shift, empty)
    return result


def blur_slice(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Smooth one slice by a Gaussian that is cut off at three standard deviations."""
    reach = int(3 * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (-reach, (taps / taps.sum()).astype(np.float32))
    smooth, scratch = np.empty_like(image), np.empty_like(image)
    _convolve(np.ascontiguousarray(image), kernel, kernel, scratch, smooth)
    return smooth


def _move_whole(image: NDArray[Any], shift: tuple[int, int], empty: float) -> NDArray[Any]:
    result = np.full(image.shape, empty, image.dtype)
    rows, columns = image.shape
    y, x = shift
    if abs(y) < rows and abs(x) < columns:
        result[max(0, y) : rows + min(0, y), max(0, x) : columns + min(0, x)] = image[
            max(0, -y) : rows + min(0, -y), max(0, -x) : columns + min(0, -x)
        ]
    return result


def _clear_outside(image: NDArray[Any], shift: tuple[float, float], empty: float) -> None:
    """Empty the pixels whose place lies outside the slice."""
    for axis, by in enumerate(shift):
        size = image.shape[axis]
        view = image if axis == 0 else image.T
        if by > 0:
            view[: min(size, int(np.ceil(by)))] = empty
        elif by < 0:
            view[max(0, size - int(np.ceil(-by))) :] = empty


def _kernel(shift: float) -> tuple[int, NDArray[np.float32]]:
    """Give the whole-pixel offset of the first tap, and the taps that add up to one."""
    base = int(np.floor(-shift))
    taps = np.arange(-_REACH + 1, _REACH + 1)
    distance = taps - (-shift - base)
    # Kaiser's window with this beta keeps the pass band flat to 0.8 of the highest frequency.
    window = special.i0(6.0 * np.sqrt(np.clip(1 - (distance / _REACH) ** 2, 0, None))) / special.i0(6.0)
    values = np.sinc(distance) * window
    return base - _REACH + 1, (values / values.sum()).astype(np.float32)


@njit(cache=True, nogil=True)
def _convolve(image, along_y, along_x, scratch, moved):  # type: ignore[no-untyped-def]
    """Convolve along y, then along x; beyond the rim the last pixel goes on."""
    rows, columns = image.shape
    first_y, taps_y = along_y
    first_x, taps_x = along_x
    for y in range(rows):
        for x in range(columns):
            scratch[y, x] = 0.0
        for k in range(taps_y.size):
            source = min(max(y + first_y + k, 0), rows - 1)
            factor = taps_y[k]
            for x in range(columns):
                scratch[y, x] += factor * image[source, x]
    last = columns - 1
    reach = taps_x.size
    for y in range(rows):
        for x in range(columns):
            start = x + first_x
            total = np.float32(0.0)
            if start >= 0 and start + reach <= columns:
                for k in range(reach):
                    total += taps_x[k] * scratch[y, start + k]
            else:
                for k in range(reach):
                    total += taps_x[k] * scratch[y, min(max(start + k, 0), last)]
            moved[y, x] = total
