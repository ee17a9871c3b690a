"""Volumes that any process can open, to read a part at a time."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import xarray as xr

from ..io import is_zarr, read_volume, stored_voxels
from ..io.layers import Layers
from ..ops.parts import Box, nothing
from ..volume import DIMS, Volume, with_data
from ._keys import text_key, volume_key

PathLike: TypeAlias = str | os.PathLike[str]


class _Voxels(Protocol):
    """Voxels that can be opened anywhere."""

    def open(self) -> Any:
        """Give an array that is read by parts."""

    def identity(self, grid: Volume) -> str:
        """Give a text that is another one when the voxels are others."""


@dataclass(frozen=True)
class Source:
    """A volume that any process can open.

    Attributes
    ----------
    grid : grid, dtype and history, without the voxels.
    voxels : where they are.
    depth : slices that are read at once for the price of one, because they lie in the same chunks.
    """

    grid: Volume
    voxels: _Voxels
    depth: int

    def __getstate__(self) -> dict[str, Any]:
        # The zeros of the grid take no memory here, and would be written out, all of them, on their way to a worker.
        grid = self.grid
        return {**self.__dict__, "grid": (grid.coords.to_dataset(), grid.attrs, grid.name, grid.shape, grid.dtype)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        axes, attrs, name, shape, dtype = state["grid"]
        zeros = nothing(shape, dtype)
        grid = xr.DataArray(zeros, coords=axes.coords, dims=DIMS, name=name, attrs=attrs)
        self.__dict__.update({**state, "grid": grid})

    def open(self) -> Volume:
        """Give the volume with its voxels on disk; slice by slice, or by `read_part`."""
        return with_data(self.grid, Layers(self.voxels.open(), self.depth, self))

    def identity(self) -> str:
        """Give a text that is another one when the voxels, the grid or the history are others."""
        return self.voxels.identity(self.grid)

    def portable(self, folder: Path) -> Source:
        """Give the same volume for other processes: voxels that are in memory go into a file in `folder`."""
        if not (isinstance(self.voxels, _Held) and isinstance(self.voxels.data, np.ndarray)):
            return self
        data, file = self.voxels.data, folder / "source.npy"
        written = np.lib.format.open_memmap(file, "w+", data.dtype, data.shape)
        for z in range(data.shape[0]):
            written[z] = data[z]
        written.flush()
        return replace(self, voxels=_Map(str(file), written.offset, data.dtype, data.shape))


def read_part(volume: Volume, box: Box) -> Volume:
    """Give a part in memory."""
    return with_data(with_data(volume, nothing(volume.shape, volume.dtype))[box], volume.data[box])


def source_of(volume: Volume | PathLike) -> Source:
    """Say how to open a volume again: by its file where it has one, else by its voxels.

    Raises
    ------
    ReadError : no file that can be read.
    """
    if not isinstance(volume, str | os.PathLike):
        return _source(volume, None)
    path = Path(volume).resolve()
    return _source(read_volume(path, mmap=True), path)


def mask_of(path: PathLike) -> Source:
    """Say how to open a mask that a file holds as 0 and 255."""
    found = source_of(path)
    return Source(with_data(found.grid, nothing(found.grid.shape, bool)), _Positive(found.voxels), found.depth)


def _source(volume: Volume, path: Path | None) -> Source:
    data, grid = volume.data, with_data(volume, nothing(volume.shape, volume.dtype))
    if isinstance(data, Layers) and isinstance(data.opened_from, Source):
        return replace(data.opened_from, grid=grid)
    if path is not None and is_zarr(path):
        array = stored_voxels(path)
        if array is not None:
            return Source(grid, _Zarr(path), array.chunks[0])
    if isinstance(data, np.memmap) and data.filename is not None and data.flags.c_contiguous:
        return Source(grid, _Map(str(data.filename), _offset(data), data.dtype, data.shape), 1)
    chunks = getattr(data, "chunks", None)
    if path is not None and chunks:
        return Source(grid, _Lazy(path), chunks[0][0])
    return Source(grid, _Held(data), chunks[0][0] if chunks else 1)


@dataclass(frozen=True)
class _Zarr:
    path: Path

    def open(self) -> Any:
        return stored_voxels(self.path)

    def identity(self, grid: Volume) -> str:
        return text_key(_stamp(self.path), repr(grid.shape), _words(grid))


@dataclass(frozen=True)
class _Map:
    file: str
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def open(self) -> Any:
        return np.memmap(self.file, self.dtype, "r", self.offset, self.shape)

    def identity(self, grid: Volume) -> str:
        return text_key(_stamp(Path(self.file)), repr((self.offset, self.dtype, self.shape)), _words(grid))


@dataclass(frozen=True)
class _Lazy:
    path: Path

    def open(self) -> Any:
        return read_volume(self.path, mmap=True).data

    def identity(self, grid: Volume) -> str:
        return text_key(_stamp(self.path), _words(grid))


@dataclass(frozen=True)
class _Positive:
    """A mask of voxels that are stored as numbers."""

    voxels: _Voxels

    def open(self) -> Any:
        return _Above0(self.voxels.open())

    def identity(self, grid: Volume) -> str:
        return text_key("mask", self.voxels.identity(grid))


class _Above0:
    def __init__(self, array: Any) -> None:
        self._array, self.shape, self.dtype = Layers(array, 1), tuple(array.shape), np.dtype(bool)

    def __getitem__(self, key: Any) -> Any:
        return self._array[key] > 0


@dataclass(frozen=True, eq=False)
class _Held:
    data: Any

    def open(self) -> Any:
        return self.data

    def identity(self, grid: Volume) -> str:
        return volume_key(with_data(grid, self.data))


def _words(grid: Volume) -> str:
    """Say what a file's user may have set apart from the file: the grid and the past."""
    return volume_key(grid[:1, :1, :1])


def _offset(data: np.memmap[Any, Any]) -> int:
    """Give where in its file a memory map begins, also where it is a part of another one."""
    pages: mmap.mmap = data._mmap  # type: ignore[attr-defined]  # NumPy keeps it there, and has no other way
    first = np.frombuffer(pages, np.uint8, 1).ctypes.data
    return int(data.offset - data.offset % mmap.ALLOCATIONGRANULARITY + data.ctypes.data - first)


def _stamp(path: Path) -> str:
    """Name what is in a file or folder by sizes and times: hashing the voxels would read them all once more."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return text_key(*(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files))
