"""AmiraMesh (.am): Amira, Avizo. A text header, then voxels as they are, run-length encoded or zipped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import ReadError
from ._calibration import UNKNOWN, Calibration, from_lengths
from ._outside import broken, checked_shape, reading
from ._raw import read_packed, read_raw
from ._stack import Stack
from ._streams import Packed

_MOST_HEADER = 4 << 20
_END = b"# Data section follows"
_TYPES = {"byte": "u1", "short": "i2", "ushort": "u2", "int32": "i4", "float": "f4", "double": "f8"}
_PACKED = {"HxByteRLE": "runs", "HxZip": "gzip"}
_LATTICE = re.compile(r"define\s+Lattice\s+(\d+)\s+(\d+)\s+(\d+)")
_FIELD = re.compile(r"Lattice\s*\{\s*(\w+)(\[\d+\])?\s+\w+\s*\}\s*=?\s*(?:\w+\()?@(\d+)\)?\s*(?:\((\w+),(\d+)\))?")
_BOX = re.compile(r"BoundingBox\s+((?:[-+.\deE]+\s+){5}[-+.\deE]+)")
_UNIT = re.compile(r"Units\s*\{[^}]*?Coordinates\s+\"([^\"]+)\"")


class _Header(NamedTuple):
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    mark: bytes
    encoding: str
    packed: int
    calibration: Calibration


def read_amira(path: Path, mmap: bool) -> Stack:
    """Read or map the first field on a uniform lattice of a binary AmiraMesh file.

    Raises
    ------
    ReadError : no AmiraMesh, a text one, broken, or no scalar field on a uniform lattice.
    """
    with reading(path, "AmiraMesh"):
        with path.open("rb") as file:
            top = file.read(_MOST_HEADER)
        header = _header(path, top)
        found = re.search(rb"\n" + header.mark + rb"\r?\n", top)
        if found is None:
            broken(path, f"the data section {header.mark.decode()} is not there")
        if not header.encoding:
            data = read_raw(path, header.shape, header.dtype, offset=found.end(), mmap=mmap)
        elif header.encoding in _PACKED:
            packed = Packed(_PACKED[header.encoding], found.end(), header.packed)
            # Some writers fill up the last piece: what follows the voxels does not count.
            data = read_packed(path, header.shape, header.dtype, packed, exact=False, mmap=mmap)
        else:
            raise ReadError(f"{path} is encoded as {header.encoding}; save it uncompressed, or as HxByteRLE or HxZip")
        return Stack(str(path), data, header.calibration)


def _header(path: Path, top: bytes) -> _Header:
    first = top[:100].split(b"\n", 1)[0].decode("latin-1")
    if not first.startswith(("# AmiraMesh", "# Avizo")):
        raise ReadError(f"{path} is no AmiraMesh file; save it from Amira or Avizo as AmiraMesh")
    if "BINARY" not in first:
        raise ReadError(f"{path} is an AmiraMesh file in text form; save it as binary AmiraMesh")
    text = top.split(_END, 1)[0].decode("latin-1")
    lattice, field = _LATTICE.search(text), _FIELD.search(text)
    if lattice is None or field is None or field[2]:
        raise ReadError(f"{path} holds no scalar field on a lattice; save the image or label field itself")
    if field[1] not in _TYPES:
        raise ReadError(f"{path} holds voxels of type {field[1]}, which a volume cannot; save integers or floats")
    x, y, z = reversed(checked_shape(path, [int(count) for count in reversed(lattice.groups())]))
    order = "<" if "LITTLE" in first else ">"
    dtype = np.dtype(order + _TYPES[field[1]])
    calibration = _calibration(text, (z, y, x))
    return _Header((z, y, x), dtype, f"@{field[3]}".encode(), field[4] or "", int(field[5] or 0), calibration)


def _calibration(text: str, shape: tuple[int, int, int]) -> Calibration:
    """Read the voxel size: the bounding box runs from the first voxel's centre to the last one's."""
    box, unit = _BOX.search(text), _UNIT.search(text)
    if box is None or unit is None:
        return UNKNOWN
    edges = [float(value) for value in box[1].split()]
    sizes = [
        (high - low) / max(count - 1, 1) for low, high, count in zip(edges[::2], edges[1::2], shape[::-1], strict=True)
    ]
    x, y, z = ((size, unit[1]) for size in sizes)
    return from_lengths(
        z, y, x, tuple(-low / size if size else 0.0 for low, size in zip(edges[4::-2], sizes[::-1], strict=True))
    )
