"""Turn, stretch and move slices at once by a windowed sinc, which keeps edges and noise as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Taps to each side of the kernel, and places between two pixels that it is tabled at.
_REACH, _PLACES = 4, 1024


def warp_slice(
    image: NDArray[Any], matrix: NDArray[np.float64], shift: tuple[float, float], *, nearest: bool, empty: float | None
) -> NDArray[Any]:
    """Turn one slice by `matrix` (y, x) about its centre, then move it by `shift`; what comes from outside is `empty`.

    With `empty` None, the last pixel goes on beyond the rim. `nearest` takes the nearest pixel and is for labels and
    masks.
    """
    back = np.asarray(np.linalg.inv(matrix), np.float64)
    middle = (np.array(image.shape) - 1) / 2
    # Pixel q of the result shows back @ (q - shift - middle) + middle of the slice.
    offset = middle - back @ (middle + np.array(shift))
    if nearest:
        return _nearest(image, back, offset, empty or 0)
    result = np.empty(image.shape, np.float32)
    outside = np.empty(image.shape, np.bool_)
    _convolve(np.ascontiguousarray(image), (back, offset), _kernels(), result, outside)
    if image.dtype.kind in "iu":
        limits = np.iinfo(image.dtype)
        result = np.clip(np.rint(result), limits.min, limits.max)
    made = result.astype(image.dtype)
    if empty is not None:
        made[outside] = empty
    return made


def _nearest(image: NDArray[Any], back: NDArray[np.float64], offset: NDArray[np.float64], empty: float) -> NDArray[Any]:
    y, x = np.indices(image.shape)
    from_y = np.rint(back[0, 0] * y + back[0, 1] * x + offset[0]).astype(np.int64)
    from_x = np.rint(back[1, 0] * y + back[1, 1] * x + offset[1]).astype(np.int64)
    rows, columns = image.shape
    inside = (from_y >= 0) & (from_y < rows) & (from_x >= 0) & (from_x < columns)
    result = np.full(image.shape, empty, image.dtype)
    result[inside] = image[from_y[inside], from_x[inside]]
    return result


def _kernels() -> NDArray[np.float32]:
    """Table the taps for each place between two pixels; those of a place add up to one."""
    place = np.arange(_PLACES + 1)[:, None] / _PLACES
    distance = np.arange(-_REACH + 1, _REACH + 1)[None] - place
    # As for plain moves: Kaiser's window with this beta keeps the pass band flat to 0.8 of the highest frequency.
    window = np.i0(6.0 * np.sqrt(np.clip(1 - (distance / _REACH) ** 2, 0, None))) / np.i0(6.0)
    taps = np.sinc(distance) * window
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), np.float32)


@njit(cache=True, nogil=True)
def _convolve(image, place, kernels, result, outside):  # type: ignore[no-untyped-def]
    """Interpolate at the place that each pixel shows; beyond the rim the last pixel goes on."""
    back, offset = place
    rows, columns = image.shape
    places = kernels.shape[0] - 1
    taps = kernels.shape[1]
    for y in range(rows):
        for x in range(columns):
            v = back[0, 0] * y + back[0, 1] * x + offset[0]
            u = back[1, 0] * y + back[1, 1] * x + offset[1]
            # A place on the last pixel is still inside, whatever rounding says.
            outside[y, x] = v < -1e-6 or u < -1e-6 or v > rows - 1 + 1e-6 or u > columns - 1 + 1e-6
            top, left = int(np.floor(v)), int(np.floor(u))
            along_y = kernels[int((v - top) * places + 0.5)]
            along_x = kernels[int((u - left) * places + 0.5)]
            total = np.float32(0.0)
            for i in range(taps):
                row = min(max(top + i - taps // 2 + 1, 0), rows - 1)
                line = np.float32(0.0)
                for k in range(taps):
                    line += along_x[k] * image[row, min(max(left + k - taps // 2 + 1, 0), columns - 1)]
                total += along_y[i] * line
            result[y, x] = total
