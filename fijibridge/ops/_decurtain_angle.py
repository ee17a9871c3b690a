"""At which angle streaks run, and slices turned so that they stand upright."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._decurtain_fit import Image, strip_rows

_ANGLES = np.arange(-8.0, 8.01, 0.5)
#: Rows over which columns must agree.
_ROWS = 64


def shear(image: Image, angle_deg: float, *, back: bool = False) -> Image:
    """Move each row by whole pixels so that streaks at this angle become upright; `back` undoes it exactly."""
    if angle_deg == 0:
        return image
    by = _moves(len(image), angle_deg) % image.shape[1]
    return np.asarray(_move_rows(image, image.shape[1] - by if back else by), np.float32)


def estimate_angle(slices: list[Image], noise: float) -> float:
    """Find the angle at which long strips of rows agree best on the differences between columns (0 if none does)."""
    energy = np.zeros(len(_ANGLES))
    moves = np.stack([_moves(len(slices[0]), float(angle)) for angle in _ANGLES]) % slices[0].shape[1]
    for image in slices[::3]:
        across = np.diff(image, axis=1, append=image[:, -1:])
        energy += _agreement(np.clip(across, -3 * noise, 3 * noise), moves, min(_ROWS, len(image)))
    best = int(energy.argmax())
    if energy[best] < 1.3 * np.median(energy) or best in (0, len(_ANGLES) - 1):
        return 0.0
    left, middle, right = energy[best - 1 : best + 2]
    offset = 0.5 * (left - right) / (left - 2 * middle + right)
    angle = float(_ANGLES[best] + offset * (_ANGLES[1] - _ANGLES[0]))
    # Half a pixel over a strip cannot be seen: call it upright.
    return 0.0 if abs(np.tan(np.deg2rad(angle))) * strip_rows(slices[0].shape[0]) < 0.15 else round(angle, 2)


def _moves(rows: int, angle_deg: float) -> NDArray[np.int64]:
    """Give from how many pixels further right each row is taken."""
    moves = np.rint(np.tan(np.deg2rad(angle_deg)) * (np.arange(rows) - rows / 2))
    return np.asarray(moves, np.int64)


@njit(cache=True, fastmath=True, nogil=True)
def _move_rows(image, by):  # type: ignore[no-untyped-def]
    rows, columns = image.shape
    result = np.empty((rows, columns), np.float32)
    for y in range(rows):
        cut = columns - by[y]
        result[y, :cut] = image[y, by[y] :]
        result[y, cut:] = image[y, : by[y]]
    return result


@njit(cache=True, fastmath=True, nogil=True)
def _agreement(across, moves, size):  # type: ignore[no-untyped-def]
    """Give for each row of `moves` the mean square of the means over strips of `size` rows moved like this."""
    rows, columns = across.shape
    found = np.zeros(len(moves))
    line = np.empty(columns, np.float32)
    for k in range(len(moves)):
        for top in range(0, rows - size + 1, size):
            line[:] = np.float32(0)
            for y in range(top, top + size):
                by = moves[k, y]
                cut, row = columns - by, across[y]
                for x in range(cut):
                    line[x] += row[x + by]
                for x in range(by):
                    line[x + cut] += row[x]
            found[k] += np.sum(line * line)
    return found / (size * size * columns * (rows // size))
