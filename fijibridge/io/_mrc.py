"""MRC2014 (.mrc, .map, .rec, .st): electron tomography. mrcfile reads and writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReadError, WriteError
from ..volume import Volume, voxel_size
from ._calibration import UNKNOWN, Calibration, from_lengths
from ._outside import broken, package, reading
from ._pieces import by_planes
from ._raw import read_packed, read_raw
from ._stack import Stack
from ._streams import Packed
from .layers import let_go

#: Voxels by mode.
_TYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_HEADER = 1024


def read_mrc(path: Path, mmap: bool) -> Stack:
    """Read or map one MRC volume; axes are put in the order z, y, x whatever the file's.

    Raises
    ------
    ReadError : no MRC, broken, or complex voxels.
    EngineMissingError : mrcfile is not installed.
    """
    mrcfile = package("mrcfile", path)
    with reading(path, "MRC"):
        kind = {".gz": "gzip", ".bz2": "bzip2"}.get(path.suffix.lower(), "")
        with mrcfile.open(path, mode="r", permissive=False, header_only=True) as file:
            header = file.header
        axes = [int(header[name]) for name in ("maps", "mapr", "mapc")]
        if sorted(axes) != [1, 2, 3]:
            broken(path, f"its axes are numbered {axes}")
        data = _stored(path, header, kind, mmap)
        data = np.transpose(data, [axes.index(number) for number in (3, 2, 1)])
        return Stack(str(path), data if mmap else np.ascontiguousarray(data), _calibration(header))


def _stored(path: Path, header: Any, kind: str, mmap: bool) -> Any:
    """Give the voxels in the order of the file, after a look at whether it can hold them."""
    mode = int(header.mode)
    if mode not in _TYPES:
        raise ReadError(f"{path} holds voxels of MRC mode {mode}, which a volume cannot; save integers or floats")
    counts = [int(header[name]) for name in ("nz", "ny", "nx")]
    if min(counts) < 1 or int(header.nsymbt) < 0:
        broken(path, f"it promises {' x '.join(map(str, counts))} voxels")
    shape = (counts[0], counts[1], counts[2])
    dtype = np.dtype(_TYPES[mode]).newbyteorder(header.mode.dtype.byteorder)
    offset = _HEADER + int(header.nsymbt)
    if not kind:
        return read_raw(path, shape, dtype, offset=offset, mmap=mmap)
    return read_packed(path, shape, dtype, Packed(kind), skip=offset, exact=False, mmap=mmap)


def write_mrc(volume: Volume, path: Path, progress: Callable[[float], None] | None) -> None:
    """Write a volume to `path` slice by slice. MRC has no place for the history and none for the origin in nm.

    Raises
    ------
    WriteError : a dtype that MRC does not have.
    """
    mrcfile = package("mrcfile", path)
    mode, dtype = _mode(volume.dtype)
    with mrcfile.new_mmap(path, volume.shape, mrc_mode=mode, overwrite=True) as file:
        file.set_volume()
        size = voxel_size(volume)
        if size.units != "voxel":
            z, y, x = (10 * step for step in size.to("nm")[:3])
            file.voxel_size = (x, y, z)
        _fill(file, volume, dtype, progress)


def _fill(file: Any, volume: Volume, dtype: np.dtype[Any], progress: Callable[[float], None] | None) -> None:
    """Write the slices and what the header says of their values: mrcfile would take the whole volume for that."""
    planes, sums, ends = by_planes(volume.data), np.zeros(2), np.array([np.inf, -np.inf])
    for z in range(volume.shape[0]):
        plane = np.asarray(planes[z]).astype(dtype)
        file.data[z] = plane
        let_go(file.data)
        wide = plane.astype(np.float64)
        sums += wide.sum(), np.square(wide).sum()
        ends = np.array([min(ends[0], wide.min()), max(ends[1], wide.max())])
        if progress is not None:
            progress((z + 1) / volume.shape[0])
    mean, square = sums / volume.size
    header = file.header
    header.dmin, header.dmax, header.dmean, header.rms = *ends, mean, np.sqrt(max(square - mean**2, 0))


def _mode(dtype: np.dtype[Any]) -> tuple[int, np.dtype[Any]]:
    """Give MRC's mode, and its dtype: uint8 and masks become uint16, since MRC's bytes have a sign."""
    kinds = {"b1": (6, "u2"), "u1": (6, "u2"), "i1": (0, "i1"), "i2": (1, "i2"), "u2": (6, "u2"), "f4": (2, "f4")}
    key = dtype.str[1:]
    if key not in kinds:
        better = "float32" if dtype.kind == "f" else "uint16"
        raise WriteError(f"MRC holds int8, int16, uint16 and float32, not {dtype}; write volume.astype({better!r})")
    return kinds[key][0], np.dtype(kinds[key][1])


def _calibration(header: Any) -> Calibration:
    counts = [int(header[name]) for name in ("mz", "my", "mx")]
    if min(counts) < 1:
        return UNKNOWN
    # The cell is stored in 32 bits.
    lengths = [float(f"{header.cella[axis] / count:.7g}") for axis, count in zip("zyx", counts, strict=True)]
    if not all(lengths):
        return UNKNOWN
    z, y, x = ((length, "angstrom") for length in lengths)
    return from_lengths(z, y, x)
