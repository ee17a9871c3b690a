"""NRRD (.nrrd, and .nhdr with its data file beside it): 3D Slicer, ITK, teem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import ReadError
from ..volume import Volume, history, origin, voxel_size
from ._calibration import UNKNOWN, Calibration, from_lengths
from ._history import from_value, to_value
from ._outside import beside, checked_shape, package, reading
from ._pieces import by_planes
from ._raw import read_packed, read_raw
from ._stack import Stack
from ._streams import Packed

_NOTE = "fijibridge"
_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    "float": "f4",
    "double": "f8",
}
_NAMES = {
    "u1": "uint8",
    "u2": "uint16",
    "i1": "int8",
    "i2": "int16",
    "i4": "int32",
    "u4": "uint32",
    "f4": "float",
    "f8": "double",
}
_ENCODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}


def read_nrrd(path: Path, mmap: bool) -> Stack:
    """Read or map one NRRD volume.

    Raises
    ------
    ReadError : no NRRD, broken, or no grey volume.
    EngineMissingError : pynrrd is not installed.
    """
    nrrd = package("nrrd", path)
    with reading(path, "NRRD"), path.open("rb") as file:
        header = nrrd.read_header(file)
        named = header.get("data file", header.get("datafile"))
        data = path if named is None else beside(path, _one_name(path, named))
        offset = _offset(path, header, file.tell() if named is None else 0)
        shape = checked_shape(path, [int(size) for size in reversed(header["sizes"])])
        dtype, encoding = _dtype(path, header), _encoding(path, header)
        if encoding == "raw":
            voxels = read_raw(data, shape, dtype, offset=offset, mmap=mmap)
        else:
            voxels = read_packed(data, shape, dtype, Packed(encoding, offset), mmap=mmap)
        note = from_value(header.get(_NOTE))
        calibration = _calibration(header)
    if note.origin is not None:
        calibration = calibration._replace(origin=note.origin)
    return Stack(str(path), voxels, calibration, note.history)


def write_nrrd(volume: Volume, file: BinaryIO, progress: Callable[[float], None] | None) -> None:
    """Write a volume to an open file, uncompressed, slice by slice."""
    dtype = np.dtype(np.uint8) if volume.dtype.kind == "b" else volume.dtype.newbyteorder("<")
    size, first = voxel_size(volume), origin(volume)
    note = to_value(history(volume), first)
    lines = [
        "NRRD0005",
        f"type: {_NAMES[dtype.str[1:]]}",
        "dimension: 3",
        f"sizes: {' '.join(str(count) for count in reversed(volume.shape))}",
        "endian: little",
        "encoding: raw",
        f"spacings: {size.x:.12g} {size.y:.12g} {size.z:.12g}",
        f'units: "{size.units}" "{size.units}" "{size.units}"',
        f"{_NOTE}:={note}",
    ]
    file.write(("\n".join(lines) + "\n\n").encode("ascii"))
    planes = by_planes(volume.data)
    for z in range(volume.shape[0]):
        file.write(np.ascontiguousarray(planes[z], dtype).data)
        if progress is not None:
            progress((z + 1) / volume.shape[0])


def _one_name(path: Path, named: Any) -> str:
    if not isinstance(named, str) or "%" in named or named.upper().startswith("LIST"):
        raise ReadError(f"{path} spreads its voxels over several files; save it as one .nrrd file")
    return named


def _offset(path: Path, header: Mapping[str, Any], start: int) -> int:
    """Give the first byte of the voxels; NRRD may skip lines and bytes, and -1 means "the last bytes of the file"."""
    lines, skip = (int(header.get(key, header.get(key.replace(" ", ""), 0))) for key in ("line skip", "byte skip"))
    if lines or skip < 0:
        raise ReadError(f"{path} skips lines or counts its voxels from the end; save it as a plain .nrrd file")
    return start + skip


def _dtype(path: Path, header: Mapping[str, Any]) -> np.dtype[Any]:
    name = str(header["type"]).lower()
    if name not in _TYPES:
        raise ReadError(f"{path} holds voxels of type {name}, which a volume cannot; save integers or floats")
    return np.dtype((">" if header.get("endian", "little") == "big" else "<") + _TYPES[name])


def _encoding(path: Path, header: Mapping[str, Any]) -> str:
    name = str(header["encoding"]).lower()
    if name not in _ENCODINGS:
        raise ReadError(f"{path} is encoded as {name!r}; save it as raw, gzip or bzip2")
    return _ENCODINGS[name]


def _calibration(header: Mapping[str, Any]) -> Calibration:
    """Read the voxel size: lengths of the space directions, or spacings, with their units."""
    directions = header.get("space directions")
    sizes = header.get("spacings") if directions is None else [np.linalg.norm(vector) for vector in directions]
    units = header.get("units", header.get("space units"))
    if sizes is None or units is None or len(sizes) != 3 or len(units) != 3:
        return UNKNOWN
    x, y, z = ((float(size), str(unit)) for size, unit in zip(sizes, units, strict=True))
    return from_lengths(z, y, x)
