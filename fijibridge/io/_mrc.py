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
from ._stack import Stack

#: The bytes of one voxel by mode: int8, int16, float32, uint16, float16.
_BYTES = {0: 1, 1: 2, 2: 4, 6: 2, 12: 2}
_HEADER = 1024
#: A gzipped map is unpacked whole by mrcfile; deflate makes at most this of a byte.
_GROWTH = 1032


def read_mrc(path: Path, mmap: bool) -> Stack:
    """Read or map one MRC volume; axes are put in the order z, y, x whatever the file's.

    Raises
    ------
    ReadError : no MRC, broken, or complex voxels.
    EngineMissingError : mrcfile is not installed.
    """
    mrcfile = package("mrcfile", path)
    with reading(path, "MRC"):
        plain = path.suffix.lower() not in (".gz", ".bz2")
        _check_size(path, mrcfile, plain)
        with (mrcfile.mmap if mmap and plain else mrcfile.open)(path, mode="r", permissive=False) as file:
            axes = [int(file.header[name]) for name in ("maps", "mapr", "mapc")]
            if sorted(axes) != [1, 2, 3]:
                broken(path, f"its axes are numbered {axes}")
            data = np.transpose(file.data, [axes.index(number) for number in (3, 2, 1)])
            calibration = _calibration(file.voxel_size)
            return Stack(str(path), data if mmap and plain else _native(data), calibration)


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
        for number in range(volume.shape[0]):
            file.data[number] = np.asarray(volume.data[number]).astype(dtype)
            if progress is not None:
                progress((number + 1) / volume.shape[0])
        file.update_header_stats()


def _check_size(path: Path, mrcfile: Any, plain: bool) -> None:
    """Compare what the header promises with what the file can hold, before any memory is taken."""
    with mrcfile.open(path, mode="r", permissive=False, header_only=True) as file:
        header = file.header
        mode = int(header.mode)
        if mode not in _BYTES:
            raise ReadError(f"{path} holds voxels of MRC mode {mode}, which a volume cannot; save integers or floats")
        counts = [int(header[name]) for name in ("nz", "ny", "nx")]
        promised = _HEADER + int(header.nsymbt) + int(np.prod(counts, dtype=object)) * _BYTES[mode]
    held = path.stat().st_size * (1 if plain else _GROWTH)
    if min(counts) < 1 or promised > held:
        broken(path, f"it promises {' x '.join(map(str, counts))} voxels, more than it holds")


def _native(data: Any) -> Any:
    return np.ascontiguousarray(data, data.dtype.newbyteorder("="))


def _mode(dtype: np.dtype[Any]) -> tuple[int, np.dtype[Any]]:
    """Give MRC's mode, and its dtype: uint8 and masks become uint16, since MRC's bytes have a sign."""
    kinds = {"b1": (6, "u2"), "u1": (6, "u2"), "i1": (0, "i1"), "i2": (1, "i2"), "u2": (6, "u2"), "f4": (2, "f4")}
    key = dtype.str[1:]
    if key not in kinds:
        better = "float32" if dtype.kind == "f" else "uint16"
        raise WriteError(f"MRC holds int8, int16, uint16 and float32, not {dtype}; write volume.astype({better!r})")
    return kinds[key][0], np.dtype(kinds[key][1])


def _calibration(size: Any) -> Calibration:
    # Stored in 32 bits.
    lengths = [float(f"{size[axis]:.7g}") for axis in ("z", "y", "x")]
    if not all(lengths):
        return UNKNOWN
    z, y, x = ((length, "angstrom") for length in lengths)
    return from_lengths(z, y, x)
