"""Raw voxels (.raw, .bin, .dat, .vol) by what lies beside them: MetaImage, NRRD, JSON or a synchrotron's .info."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ..errors import ReadError
from ._calibration import UNKNOWN, Calibration, from_lengths
from ._metaimage import read_metaimage
from ._nrrd import read_nrrd
from ._outside import broken, checked_shape, reading
from ._raw import read_raw
from ._stack import Stack

ENDINGS = (".raw", ".bin", ".dat", ".vol")
#: Longer texts describe no volume.
_MOST = 1 << 20
_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
#: Voxels of an .info file by their bytes; it does not say so itself.
_BY_SIZE = {1: "uint8", 2: "uint16", 4: "float32"}


class _Said(NamedTuple):
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    calibration: Calibration
    offset: int = 0


def read_sidecar(path: Path, mmap: bool) -> Stack:
    """Read or map raw voxels by the first file beside them that says what they are.

    Raises
    ------
    ReadError : none lies there, it is broken, or the voxels are fewer or more than it says.
    """
    for ending, read in _HEADERS.items():
        header = path.with_suffix(ending)
        if header.is_file():
            return read(header, mmap)
    for ending, describe in _TEXTS.items():
        for header in (path.with_name(path.name + ending), path.with_suffix(ending)):
            if header.is_file() and path.is_file():
                return _described(path, header, describe, mmap)
    if not path.is_file():
        raise ReadError(f"there is no file {path}; check the name")
    example = '{"shape": [z, y, x], "dtype": "uint16", "voxel_size": [z, y, x], "units": "nm"}'
    raise ReadError(
        f"{path} is raw voxels without a word on their shape; put a header beside it: {path.stem}.mhd, "
        f"{path.stem}.nhdr, {path.name}.info, or {path.stem}.json with {example}"
    )


def _described(path: Path, header: Path, describe: Callable[[Path, str], _Said], mmap: bool) -> Stack:
    with reading(header, "description of raw voxels"):
        with header.open("rb") as file:
            said = describe(path, file.read(_MOST).decode("utf-8"))
        size = int(np.prod(said.shape, dtype=object)) * said.dtype.itemsize
        there = path.stat().st_size - said.offset
        if size != there:
            broken(path, f"{header.name} says {size} bytes of voxels and {there} are there")
        return Stack(str(path), read_raw(path, said.shape, said.dtype, offset=said.offset, mmap=mmap), said.calibration)


def _from_json(path: Path, text: str) -> _Said:
    """Read ``shape``, ``dtype``, ``voxel_size`` (one number, or z, y, x), ``units``, ``byte_order`` and ``offset``."""
    found = json.loads(text)
    if found["dtype"] not in _DTYPES:
        raise ReadError(f"{path} holds {found['dtype']} by its description; a volume holds one of {', '.join(_DTYPES)}")
    order: Literal["<", ">"] = ">" if found.get("byte_order", "little") == "big" else "<"
    size, unit = found.get("voxel_size"), str(found.get("units", ""))
    sizes = [float(length) for length in (size if isinstance(size, list) else [size] * 3)] if size and unit else []
    z, y, x = ((length, unit) for length in sizes) if len(sizes) == 3 else ((1.0, "voxel"),) * 3
    offset = int(found.get("offset", 0))
    if offset < 0:
        broken(path, f"its voxels begin at byte {offset}")
    shape = checked_shape(path, found["shape"])
    return _Said(shape, np.dtype(found["dtype"]).newbyteorder(order), from_lengths(z, y, x), offset)


def _from_info(path: Path, text: str) -> _Said:
    """Read ``NUM_X = 2048`` and so on, ``voxelSize`` in micrometres, as reconstruction at synchrotrons writes it."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("!"))
    fields = {key.strip().lower(): value.strip() for key, value in pairs}
    shape = checked_shape(path, [int(fields[f"num_{axis}"]) for axis in "zyx"])
    each = path.stat().st_size // int(np.prod(shape, dtype=object))
    if each not in _BY_SIZE:
        broken(path, f"its description leaves {each} bytes for each voxel")
    order: Literal["<", ">"] = ">" if fields.get("byteorder", "").upper() == "HIGHBYTEFIRST" else "<"
    length = (float(fields.get("voxelsize", 0)), "um")
    known = from_lengths(length, length, length) if length[0] > 0 else UNKNOWN
    return _Said(shape, np.dtype(_BY_SIZE[each]).newbyteorder(order), known)


_HEADERS = {".nhdr": read_nrrd, ".mhd": read_metaimage}
_TEXTS = {".json": _from_json, ".info": _from_info}
