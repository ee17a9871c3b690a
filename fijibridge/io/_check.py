"""A look at what was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WriteError
from ..volume import Volume, describe_grid
from ._pieces import by_planes


def check_written(volume: Volume, back: Volume, path: Path, progress: Callable[[float], None] | None) -> None:
    """Compare a volume with what was read back from its file, slice by slice.

    Raises
    ------
    WriteError : the grid or a voxel is another.
    """
    # Origins are not compared: MRC has no place for them.
    if describe_grid(back) != describe_grid(volume):
        raise WriteError(
            f"{path} was written but reads back as {describe_grid(back)}, not {describe_grid(volume)}; "
            "keep the original and write another format"
        )
    planes, again = by_planes(volume.data), by_planes(back.data)
    for z in range(volume.shape[0]):
        if not _same(np.asarray(planes[z]), np.asarray(again[z])):
            raise WriteError(
                f"{path} was written but its slice {z} reads back otherwise; keep the original and look at the disk"
            )
        if progress is not None:
            progress((z + 1) / volume.shape[0])


def _same(plane: NDArray[Any], back: NDArray[Any]) -> bool:
    """Tell whether two slices hold the same values; a mask is the same as its 0 and 255, NaN the same as NaN."""
    if plane.dtype.kind == "b" and back.dtype.kind != "b":
        return np.array_equal(plane, back > 0)
    return np.array_equal(plane, back, equal_nan=plane.dtype.kind == "f")
