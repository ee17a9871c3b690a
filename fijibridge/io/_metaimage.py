"""MetaImage (.mhd with its raw file beside it, .mha): ITK, Elastix, Dragonfly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReadError
from ._calibration import UNKNOWN, Calibration, from_lengths
from ._outside import beside, broken, checked_shape, reading
from ._raw import read_packed, read_raw
from ._stack import Stack
from ._streams import Packed

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
#: Longer headers are not headers.
_MOST_LINES, _MOST_CHARACTERS = 200, 10_000


def read_metaimage(path: Path, mmap: bool) -> Stack:
    """Read or map one MetaImage.

    Raises
    ------
    ReadError : no MetaImage, broken, or no grey volume.
    """
    with reading(path, "MetaImage"):
        fields, end = _header(path)
        shape = checked_shape(path, [int(size) for size in reversed(fields["DimSize"].split())])
        if fields.get("ElementNumberOfChannels", "1") != "1":
            raise ReadError(f"{path} holds colours; save a grey volume")
        local = fields["ElementDataFile"].upper() == "LOCAL"
        data = path if local else beside(path, fields["ElementDataFile"])
        skip = int(fields.get("HeaderSize", "0"))
        dtype, offset = _dtype(path, fields), end if local else max(skip, 0)
        if _true(fields, "CompressedData"):
            voxels = read_packed(data, shape, dtype, Packed("gzip", offset), mmap=mmap)
        else:
            voxels = read_raw(data, shape, dtype, offset=offset, mmap=mmap)
        return Stack(str(path), voxels, _calibration(fields))


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Read ``key = value`` lines up to the one that says where the voxels are; give where it ends."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        for _ in range(_MOST_LINES):
            line = file.readline(_MOST_CHARACTERS).decode("utf-8")
            key, _, value = line.partition("=")
            fields[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                return fields, file.tell()
    return broken(path, "its header has no line ElementDataFile")


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[Any]:
    name = fields.get("ElementType", "")
    if name not in _TYPES:
        raise ReadError(
            f"{path} holds voxels of type {name or '(none)'}, which a volume cannot; save integers or floats"
        )
    big = _true(fields, "ElementByteOrderMSB") or _true(fields, "BinaryDataByteOrderMSB")
    return np.dtype((">" if big else "<") + _TYPES[name])


def _true(fields: dict[str, str], key: str) -> bool:
    return fields.get(key, "False").lower() in ("true", "1")


def _calibration(fields: dict[str, str]) -> Calibration:
    """Read the voxel size where a unit stands beside it; MetaImage itself has no place for units."""
    sizes = (fields.get("ElementSpacing") or fields.get("ElementSize") or "").split()
    unit = fields.get("DistanceUnits", "")
    if len(sizes) != 3 or not unit:
        return UNKNOWN
    x, y, z = ((float(size), unit) for size in sizes)
    return from_lengths(z, y, x)
