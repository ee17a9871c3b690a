"""Voxels in the order z, y, x in a file, as they are or in one compressed stream; the size is checked first."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._lazy import Raw, voxels
from ._outside import broken
from ._streams import Packed, Streamed

#: Most bytes that one stored byte can become: a run has two bytes and makes at most 127.
_GROWTH = {"gzip": 1032, "bzip2": 2**15, "runs": 64}


def read_raw(
    path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any], *, offset: int = 0, mmap: bool
) -> NDArray[Any]:
    """Read or map voxels that lie in a file as they are.

    Raises
    ------
    ReadError : the file is too short.
    """
    size, held = math.prod(shape) * dtype.itemsize, path.stat().st_size - offset
    if held < 1 or size > held:
        broken(path, f"{size} bytes of voxels are promised and {max(held, 0)} bytes are there")
    if mmap and dtype.isnative:
        return np.memmap(path, dtype, "r", offset, shape)
    return voxels(Raw(path, shape, dtype, offset), mmap=mmap)


def read_packed(
    path: Path,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    packed: Packed,
    *,
    skip: int = 0,
    exact: bool = True,
    mmap: bool,
) -> NDArray[Any]:
    """Read voxels from a compressed stream, or leave them there; `exact` where nothing may follow them in it.

    Raises
    ------
    ReadError : the stream cannot hold so much, or holds fewer or more bytes than promised.
    """
    size, held = math.prod(shape) * dtype.itemsize, path.stat().st_size - packed.offset
    there = held if packed.length is None else min(held, packed.length)
    if there < 1 or size > there * _GROWTH[packed.encoding] or (packed.length or 0) > held:
        broken(path, f"{size} bytes of voxels are promised by {max(there, 0)} packed bytes")
    source = Streamed(path, shape, dtype, packed, skip=skip, exact=exact)
    return voxels(source, source.unit, mmap=mmap)
