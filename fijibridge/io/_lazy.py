"""Voxels that stay in their file until a part is asked for, whatever the file packs them in.

What other modules may rely on: a reader describes where its voxels are as `OnDisk`, and `voxels` makes of that what
`read_volume` gives: an array in memory, filled piece by piece, or a dask array, which any process can read.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ..errors import ReadError
from ._outside import reading
from ._pieces import pieces
from .spill import new_array

Progress = Callable[[float], None]


class OnDisk:
    """An array in a file, to be read by parts; it travels to other processes by the file's name.

    A format says how by `open` (what is kept open between reads) and `take` (one part of it, in native byte order).
    """

    kind = "image"

    def __init__(self, path: Path, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        self.path, self.shape, self.ndim = Path(path).absolute(), tuple(int(n) for n in shape), len(shape)
        self.dtype = dtype.newbyteorder("=")
        self._opened: Any = None
        self._lock = threading.RLock()

    def open(self) -> Any:
        """Open the file."""
        return self.path

    def take(self, opened: Any, key: tuple[slice, ...]) -> Any:
        """Read a part of the opened file."""
        raise NotImplementedError

    def __getitem__(self, key: Any) -> NDArray[Any]:
        sides = (key if isinstance(key, tuple) else (key,)) + (slice(None),) * self.ndim
        ranges = tuple(side if isinstance(side, slice) else slice(side, side + 1) for side in sides[: self.ndim])
        # dask reads with several threads, and most files have one place where they are read.
        with self._lock, reading(self.path, self.kind):
            if self._opened is None:
                self._opened = self.open()
            found = np.asarray(self.take(self._opened, ranges), self.dtype)
        # A small part of what had to be unpacked must not keep all of that in memory.
        part = found if getattr(found.base, "nbytes", 0) <= found.nbytes else found.copy()
        return part[tuple(slice(None) if isinstance(side, slice) else 0 for side in sides[: self.ndim])]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()


class Raw(OnDisk):
    """Voxels as they are, in an order of bytes that is not this machine's."""

    def __init__(self, path: Path, shape: Sequence[int], dtype: np.dtype[Any], offset: int) -> None:
        super().__init__(path, shape, dtype)
        self._stored, self._offset = dtype, offset

    def take(self, opened: Any, key: tuple[slice, ...]) -> Any:
        """Read a part; the file is mapped anew each time, so that no pages are held."""
        return np.memmap(opened, self._stored, "r", self._offset, self.shape)[key]


def voxels(
    source: OnDisk, unit: Sequence[int] | None = None, *, mmap: bool, progress: Progress | None = None
) -> NDArray[Any]:
    """Give the voxels of a file: a dask array where `mmap` asks for it, else all of them in memory.

    Parameters
    ----------
    source : where they are.
    unit : voxels along each axis that are read for the price of one; None = one slice.
    progress : called with the share done after each piece.

    Raises
    ------
    ReadError : the whole, or with `mmap` one piece of it, does not fit into memory.
    """
    chunks = tuple(unit or (1, *source.shape[1:]))
    free = psutil.virtual_memory().available
    if mmap:
        _check_room(source, chunks, free)
        return _dask(source, chunks)
    with reading(source.path, source.kind):
        made = new_array(source.shape, source.dtype)
    if not isinstance(made, np.memmap):
        _check_room(source, source.shape, free)
    boxes = pieces(source.shape, chunks, source.dtype.itemsize, most=1)
    for number, box in enumerate(boxes, 1):
        made[box] = source[box]
        if progress is not None:
            progress(number / len(boxes))
    return made


def _dask(source: OnDisk, chunks: Sequence[int]) -> NDArray[Any]:
    # Imported late: dask is slow to import, and most volumes are read whole.
    dask: Any = importlib.import_module("dask.array")
    # A name of its own (False): dask would else read the file to find one.
    meta = np.empty((0,) * source.ndim, source.dtype)
    lazy: NDArray[Any] = dask.from_array(source, chunks=tuple(chunks), name=False, meta=meta)
    return lazy


def _check_room(source: OnDisk, shape: Sequence[int], free: int) -> None:
    size = int(np.prod(shape, dtype=object)) * source.dtype.itemsize
    if size > free:
        what = "does not fit" if tuple(shape) == source.shape else "has pieces that do not fit"
        raise ReadError(
            f"{source.path} {what} into memory ({size / 1e9:.1f} GB, {free / 1e9:.1f} GB free); "
            "read it with mmap=True, or on a machine with more memory"
        )
