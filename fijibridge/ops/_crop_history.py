"""What aligning left empty, from the shifts that it wrote into the history: right even where later steps changed it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..volume import Volume, history
from ._align_shifts import Shifts
from ._align_warp import warp_slice

#: Operations that leave every voxel where it was; behind any other, shifts no longer tell what is empty.
_IN_PLACE = frozenset({"decurtain", "even_out", "smooth", "threshold", "watershed", "fill_pores"})

Ends = tuple[int, int, int, int]


def filled_by_history(volume: Volume) -> list[Ends] | None:
    """Give, slice by slice, first row, end of rows, first column, end of columns that hold something.

    None where the history does not tell: no shifts, or a step that changed the grid since.
    """
    shifts = _last_shifts(volume)
    if shifts is None:
        return None
    return [_filled(shifts, z, (volume.shape[1], volume.shape[2])) for z in range(len(shifts))]


def _last_shifts(volume: Volume) -> Shifts | None:
    for step in reversed(history(volume)):
        shifts = Shifts.from_step(step)
        if shifts is not None:
            return shifts if len(shifts) == volume.shape[0] else None
        if step.get("operation") not in _IN_PLACE:
            return None
    return None


def _filled(shifts: Shifts, z: int, shape: tuple[int, int]) -> Ends:
    move = (float(shifts.shifts[z, 0]), float(shifts.shifts[z, 1]))
    if shifts.matrices is not None:
        seen = warp_slice(np.ones(shape, np.bool_), shifts.matrices[z], move, nearest=True, empty=0.0)
        return *_ends(np.asarray(seen.any(axis=1))), *_ends(np.asarray(seen.any(axis=0)))
    rows, columns = (_span(by, size) for by, size in zip(move, shape, strict=True))
    return *rows, *columns


def _span(by: float, size: int) -> tuple[int, int]:
    # A move by nearly nothing is made by whole voxels.
    by = float(np.rint(by)) if abs(by - np.rint(by)) < 1e-3 else by
    return max(0, int(np.ceil(by))), size - max(0, int(np.ceil(-by)))


def _ends(filled: NDArray[np.bool_]) -> tuple[int, int]:
    where = np.flatnonzero(filled)
    return (int(where[0]), int(where[-1]) + 1) if len(where) else (0, 0)
