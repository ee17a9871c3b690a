"""Zeiss Xradia (.txm reconstructed volume, .txrm projections, .xrm one image): an OLE file with a stream per slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ReadError
from ._calibration import UNKNOWN, Calibration
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
        data = _images(path, ole, (count, height, width), np.dtype(_DTYPES[kind]))
        return Stack(str(path), data, _calibration(path, ole, count))


def _number(path: Path, ole: Any, name: str, dtype: str) -> Any:
    stream = f"ImageInfo/{name}"
    if not ole.exists(stream):
        broken(path, f"it has no {stream}")
    return np.frombuffer(ole.openstream(stream).read()[: np.dtype(dtype).itemsize], dtype)[0]


def _images(path: Path, ole: Any, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    count, height, width = shape
    size = height * width * dtype.itemsize
    names = [f"ImageData{index // _PER_FOLDER + 1}/Image{index + 1}" for index in range(count)]
    # All sizes first: a header may promise any number of images.
    for name in names:
        if not ole.exists(name) or ole.get_size(name) != size:
            broken(path, f"{name} is not there or does not have {size} bytes")
    data = np.empty(shape, dtype.newbyteorder("="))
    for plane, name in zip(data, names, strict=True):
        plane[...] = np.frombuffer(ole.openstream(name).read(), dtype).reshape(height, width)
    return data


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
