"""Zeiss Xradia (.txm reconstructed volume, .txrm projections, .xrm one image): an OLE file with a stream per slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReadError
from ._calibration import UNKNOWN, Calibration
from ._lazy import OnDisk, voxels
from ._outside import broken, package, reading
from ._stack import Stack

_DTYPES = {3: "<u1", 5: "<u2", 10: "<f4"}
_PER_FOLDER = 100


def read_xradia(path: Path, mmap: bool) -> Stack:
    """Read one Xradia file.

    Raises
    ------
    ReadError : no Xradia file, broken, or voxels of an unknown type.
    EngineMissingError : olefile is not installed.
    """
    olefile = package("olefile", path)
    with reading(path, "Zeiss Xradia"), olefile.OleFileIO(path) as ole:
        width, height, count, kind = (
            int(_number(path, ole, name, "<i4")) for name in ("ImageWidth", "ImageHeight", "NoOfImages", "DataType")
        )
        if kind not in _DTYPES:
            raise ReadError(f"{path} holds voxels of Xradia type {kind}, which nobody has described; export it as TIFF")
        if min(width, height, count) < 1:
            broken(path, f"it promises {count} x {height} x {width} voxels")
        shape, dtype = (count, height, width), np.dtype(_DTYPES[kind])
        _check_images(path, ole, shape, dtype)
        return Stack(str(path), voxels(_Images(path, shape, dtype), mmap=mmap), _calibration(path, ole, count))


class _Images(OnDisk):
    """A stream for each slice."""

    kind = "Zeiss Xradia"

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        super().__init__(path, shape, dtype)
        self._stored = dtype

    def open(self) -> Any:
        """Open the file."""
        return package("olefile", self.path).OleFileIO(self.path)

    def take(self, opened: Any, key: tuple[slice, ...]) -> Any:
        """Read slices."""
        planes = [
            np.frombuffer(opened.openstream(_name(z)).read(), self._stored).reshape(self.shape[1:])
            for z in range(*key[0].indices(self.shape[0]))
        ]
        return np.stack(planes)[(slice(None), *key[1:])]


def _name(z: int) -> str:
    return f"ImageData{z // _PER_FOLDER + 1}/Image{z + 1}"


def _number(path: Path, ole: Any, name: str, dtype: str) -> Any:
    stream = f"ImageInfo/{name}"
    if not ole.exists(stream):
        broken(path, f"it has no {stream}")
    return np.frombuffer(ole.openstream(stream).read()[: np.dtype(dtype).itemsize], dtype)[0]


def _check_images(path: Path, ole: Any, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
    """Look at the sizes of all images first: a header may promise any number of them."""
    count, height, width = shape
    size = height * width * dtype.itemsize
    for name in map(_name, range(count)):
        if not ole.exists(name) or ole.get_size(name) != size:
            broken(path, f"{name} is not there or does not have {size} bytes")


def _calibration(path: Path, ole: Any, count: int) -> Calibration:
    """Read the pixel size (um); only in a reconstructed volume (.txm) it is the distance of slices as well."""
    if not ole.exists("ImageInfo/PixelSize"):
        return UNKNOWN
    pixel = float(_number(path, ole, "PixelSize", "<f4"))
    if not 0 < pixel < float("inf"):
        return UNKNOWN
    rounded = float(f"{pixel:.7g}")  # stored in 32 bits
    depth = rounded if path.suffix.lower() == ".txm" or count == 1 else None
    return Calibration(depth, rounded, rounded, "um")
