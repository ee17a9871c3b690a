"""Arrays on disk that are gone through slice by slice: the layer of chunks that was read last is kept."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Layers:
    """An array on disk (Zarr, dask, a memory map) as an array to be read by parts.

    Whoever goes through it slice by slice reads and unpacks each chunk once. Parts of several slices are read as they
    are. What is read is in memory; nothing of a mapped file stays there.

    Parameters
    ----------
    array : whatever has a shape and a dtype and gives its parts.
    depth : slices that lie in the same chunks.
    opened_from : what the array was opened from, for whoever wants to open it again elsewhere.
    """

    def __init__(self, array: Any, depth: int, opened_from: Any = None) -> None:
        self._array, self._depth, self.opened_from = array, depth, opened_from
        self.shape, self.dtype, self.ndim = tuple(array.shape), np.dtype(array.dtype), len(array.shape)
        self._first, self._layer = 0, np.empty((0, *self.shape[1:]), self.dtype)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if isinstance(key, int | np.integer):
            return self._plane(int(key) % self.shape[0])
        return _read(self._array, key)

    def _plane(self, z: int) -> NDArray[Any]:
        if not self._first <= z < self._first + len(self._layer):
            self._first = z // self._depth * self._depth
            self._layer = self._layer[:0].copy()  # let go of the last one before taking the next
            self._layer = _read(self._array, slice(self._first, min(self._first + self._depth, self.shape[0])))
        plane: NDArray[Any] = self._layer[z - self._first]
        return plane

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read everything."""
        return np.asarray(_read(self._array, slice(None)), dtype)

    def __array_function__(self, func: Callable[..., Any], _types: Any, args: Any, kwargs: Any) -> Any:
        """Let xarray see an array in it, not something to be turned into one."""
        return func(*map(_in_memory, args), **kwargs)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        """Compute with all of it; without this as well, xarray would read everything at every look."""
        return getattr(ufunc, method)(*map(_in_memory, args), **kwargs)


def _in_memory(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, Layers) else value


def _read(array: Any, key: Any) -> NDArray[Any]:
    """Copy a part into memory; pages of a mapped file are given back, so that they do not add up to the whole."""
    found = array[key]
    part = np.array(found) if isinstance(array, np.ndarray) else np.asarray(found)
    let_go(array)
    return part


def let_go(mapped: Any) -> None:
    """Give back the pages of a mapped file that were read or written: they must not add up to the whole file."""
    pages = getattr(mapped, "_mmap", None)
    if isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)
