"""Folders of slices, and slices named one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ReadError
from ._lazy import OnDisk, voxels
from ._stack import Stack, describe
from ._tiff import read_tiff

Progress = Callable[[float], None]


def read_folder(folder: Path, sized: bool, mmap: bool, progress: Progress | None) -> Stack:
    """Read every TIFF file of a folder as one slice, in natural order; see `read_slices`."""
    try:
        files = sorted((file for file in folder.iterdir() if _is_slice(file)), key=_natural)
    except OSError as error:
        raise ReadError(f"cannot look into the folder {folder}: {error.strerror or error}") from error
    if not files:
        raise ReadError(f"the folder {folder} holds no .tif or .tiff file; name the folder that holds the slices")
    return read_slices(files, sized, mmap, progress)._replace(name=str(folder))


def read_slices(files: Sequence[Path], sized: bool, mmap: bool, progress: Progress | None) -> Stack:
    """Read files of one slice each, in the order given; `sized` where the caller knows the voxel size better.

    With `mmap` all but the first are opened when they are asked for.
    """
    if not files:
        raise ReadError("no slices were named; name at least one file")
    first = _one_slice(files[0])
    data = voxels(_Files(files, first, sized), mmap=mmap, progress=progress)
    taken = tuple(step for step in first.history if step.get("operation") == "acquire")
    return Stack(first.name, data, first.calibration._replace(origin=(0.0, 0.0, 0.0)), taken)


class _Files(OnDisk):
    """One file for each slice, each alike to the first."""

    kind = "TIFF"

    def __init__(self, files: Sequence[Path], first: Stack, sized: bool) -> None:
        super().__init__(files[0], (len(files), *first.data.shape[1:]), first.data.dtype)
        self._files, self._first, self._sized = [Path(file).absolute() for file in files], first, sized

    def take(self, opened: Any, key: tuple[slice, ...]) -> Any:
        """Read slices."""
        planes = [self._slice(z) for z in range(*key[0].indices(self.shape[0]))]
        return np.stack(planes)[(slice(None), *key[1:])]

    def _slice(self, z: int) -> NDArray[np.generic]:
        if z == 0:
            return np.asarray(self._first.data[0])
        stack = _one_slice(self._files[z])
        _check_alike(self._first, stack)
        if not self._sized:
            _check_sizes(self._first, stack)
        plane: NDArray[np.generic] = stack.data[0]
        return plane


def _is_slice(file: Path) -> bool:
    return file.suffix.lower() in (".tif", ".tiff") and not file.name.startswith(".") and file.is_file()


def _natural(file: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort digits by their number and the rest by its letters, whatever their case."""
    parts = re.findall(r"\d+|\D+", file.name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in parts], file.name


def _one_slice(file: Path) -> Stack:
    stack = read_tiff(file, mmap=False, progress=None)
    if stack.data.shape[0] != 1:
        raise ReadError(
            f"{file} holds {stack.data.shape[0]} slices and a folder's files need one each; read that file by itself"
        )
    return stack


def _check_alike(first: Stack, other: Stack) -> None:
    if other.data.shape != first.data.shape or other.data.dtype != first.data.dtype:
        raise ReadError(
            f"slices of one volume need one size and dtype: {first.name} is "
            f"{describe(first.data.shape[1:], first.data.dtype)}, {other.name} is "
            f"{describe(other.data.shape[1:], other.data.dtype)}; take out or convert the odd one"
        )


def _check_sizes(first: Stack, other: Stack) -> None:
    a, b = first.calibration, other.calibration
    if a.units != b.units or not np.allclose((a.z or 0, a.y, a.x), (b.z or 0, b.y, b.x), rtol=1e-6, atol=0):
        raise ReadError(
            f"slices of one volume need one pixel size: {first.name} has {a.y:.6g} x {a.x:.6g} {a.units}, {other.name} "
            f"{b.y:.6g} x {b.x:.6g} {b.units}; say which is right: spacing=(z, y, x), units='nm' or 'um' in Python, "
            "--voxel-size z,y,x on the command line"
        )
