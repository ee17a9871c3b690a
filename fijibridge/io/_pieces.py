"""How arrays larger than memory are gone through: in boxes of whole chunks, or slice by slice, in bounded parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from .layers import Layers

#: Bytes that are held at a time.
MOST = 128 << 20


def pieces(
    shape: Sequence[int], unit: Sequence[int], itemsize: int, *, most: int | None = None
) -> list[tuple[slice, ...]]:
    """Cut an array into boxes of whole units, in the order of the file.

    Parameters
    ----------
    shape : of the array.
    unit : voxels along each axis that belong together (a chunk, a shard, a slice).
    itemsize : bytes of a voxel.
    most : bytes of a box at most (None: `MOST`); one unit is never cut.

    Returns
    -------
    Boxes that are one unit thick along the first axis, and as long along the others as `most` allows.
    """
    box = [min(part, whole) for part, whole in zip(unit, shape, strict=True)]
    for axis in reversed(range(1, len(box))):
        fit = max(1, (MOST if most is None else most) // (int(np.prod(box, dtype=object)) * itemsize))
        box[axis] = min(box[axis] * fit, shape[axis])
    cuts = ([slice(n, min(n + step, end)) for n in range(0, end, step)] for step, end in zip(box, shape, strict=True))
    return list(product(*cuts))


def by_planes(data: Any) -> Any:
    """Make an array fit to be read slice by slice: chunks of dask are read once, mapped pages are given back."""
    chunks = getattr(data, "chunks", None)
    if chunks is None:
        return Layers(data, 1) if isinstance(data, np.memmap) else data
    plane = data.dtype.itemsize * int(np.prod(data.shape[1:], dtype=object))
    return Layers(data, int(min(max(chunks[0]), max(1, MOST // plane))))
