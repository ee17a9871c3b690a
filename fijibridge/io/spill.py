"""Arrays that may be larger than memory: within `spilling`, a large one lies in a file that has no name.

Slice-wise steps fill such an array a slice at a time; the system writes pages out as it needs the memory, and the file
is gone when the array is, even if the program is killed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from numpy.typing import DTypeLike, NDArray

from ..errors import WriteError


class _Where(NamedTuple):
    folder: Path
    large: int


_WHERE: ContextVar[_Where | None] = ContextVar("spill", default=None)
#: An array above this, or above an eighth of the memory where that is less, is large.
_LARGE = 2**30


@contextlib.contextmanager
def spilling(folder: Path, *, large: int | None = None) -> Iterator[None]:
    """Within the block, let large results lie in `folder`; without it they lie in memory.

    Parameters
    ----------
    folder : on a disk with room for them.
    large : bytes above which an array is large; None = 1 GiB, or an eighth of the memory where that is less.
    """
    most = min(_LARGE, psutil.virtual_memory().total // 8) if large is None else large
    token = _WHERE.set(_Where(folder, most))
    try:
        yield
    finally:
        _WHERE.reset(token)


def new_array(shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """Give an array to fill: in memory, or in a nameless file where it is large and `spilling` is on.

    Raises
    ------
    WriteError : the disk has no room for it.
    """
    where = _WHERE.get()
    if where is None or _bytes(shape, dtype) <= where.large:
        return np.empty(tuple(shape), dtype)
    return file_array(shape, dtype, where.folder)


def file_array(shape: Sequence[int], dtype: DTypeLike, folder: Path, name: str | None = None) -> NDArray[Any]:
    """Give an array of zeros in a file, whatever its size; with a name, others can open the file.

    Raises
    ------
    WriteError : the disk has no room for it.
    """
    size = _bytes(shape, dtype)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) if name is None else (folder / name).open("wb+") as file:
            # Room is taken now: writing into a map on a full disk would end the program without a word.
            os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, np.dtype(dtype), "r+", shape=tuple(shape))
    except OSError as error:
        raise WriteError(
            f"cannot take {size / 1e9:.1f} GB on the disk of {folder}: {error.strerror}; make room there"
        ) from error


def folder_for_files() -> Path:
    """Give where `spilling` lets large results lie; without it, the system's folder for temporary files."""
    where = _WHERE.get()
    return Path(tempfile.gettempdir()) if where is None else where.folder


def _bytes(shape: Sequence[int], dtype: DTypeLike) -> int:
    return int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize


def copied(source: Any) -> NDArray[Any]:
    """Copy an array slice by slice into one that `new_array` gives."""
    made = new_array(source.shape, source.dtype)
    for z in range(source.shape[0]):
        made[z] = source[z]
    return made
