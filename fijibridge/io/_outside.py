"""What readers of other programs' formats share: optional packages, one error for broken files, sizes checked first."""

from __future__ import annotations

import bz2
import contextlib
import importlib
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineMissingError, FijibridgeError, ReadError

#: Most bytes that one stored byte can become.
_GROWTH = {"gzip": 1032, "bzip2": 2**15, "raw": 1}
_PIECE = 1 << 20


def package(name: str, path: Path) -> Any:
    """Import the package that reads or writes a format.

    Raises
    ------
    EngineMissingError : it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise EngineMissingError(
            f"{path.name} needs the package {name}, which is not installed: pip install 'fijibridge[formats]'"
        ) from error


@contextlib.contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a package raises over a broken file into one ReadError with its own words."""
    try:
        yield
    except FijibridgeError:
        raise
    except FileNotFoundError as error:
        raise ReadError(f"there is no file {error.filename or path}; check the name") from error
    except MemoryError as error:
        raise ReadError(f"{path} does not fit into memory; read it with mmap=True or crop it first") from error
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise ReadError(f"{path} is no {kind} file, or a broken one ({said}); save it anew") from error


def broken(path: Path, what: str) -> NoReturn:
    """Say that a file is broken."""
    raise ReadError(f"{path} is truncated or broken: {what}; copy it again or save it anew")


def checked_shape(path: Path, shape: Sequence[int]) -> tuple[int, int, int]:
    """Give a shape of three axes; axes of length 1 are put in front or left out.

    Raises
    ------
    ReadError : another number of axes, or an axis without voxels.
    """
    sizes = [int(size) for size in shape]
    if not sizes or min(sizes) < 1:
        broken(path, f"it promises an image of {' x '.join(map(str, sizes)) or 'no'} voxels")
    longer = [size for size in sizes if size > 1]
    kept = sizes if len(sizes) == 3 else [1] * (3 - len(longer)) + longer
    if len(kept) != 3:
        raise ReadError(
            f"{path} holds an image of {' x '.join(map(str, sizes))}, and a volume has three axes (z, y, x); "
            "save one channel and one time point to a file of its own"
        )
    return kept[0], kept[1], kept[2]


def read_raw(
    path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any], *, offset: int = 0, encoding: str = "raw", mmap: bool
) -> NDArray[Any]:
    """Read or map voxels that lie in a file in the order z, y, x; the size is checked before memory is taken.

    Raises
    ------
    ReadError : the file is too short, or its compressed part holds fewer or more bytes than promised.
    """
    size = math.prod(shape) * dtype.itemsize
    held = path.stat().st_size - offset
    if held < 1 or size > held * _GROWTH[encoding]:
        broken(path, f"{size} bytes of voxels are promised and {max(held, 0)} bytes are there")
    if encoding == "raw":
        mapped: NDArray[Any] = np.memmap(path, dtype, "r", offset, shape)
        return mapped if mmap and dtype.isnative else mapped.astype(dtype.newbyteorder("="))
    data = np.frombuffer(_inflated(path, offset, size, encoding), dtype).reshape(shape)
    return data.astype(dtype.newbyteorder("="), copy=False)


def beside(header: Path, name: str) -> Path:
    """Find the data file that a header names: in the header's own folder or below it, nowhere else.

    Raises
    ------
    ReadError : it lies elsewhere, or is not there.
    """
    folder = header.parent.resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise ReadError(f"{header} names the data file {name}, which lies outside of its folder; move it there")
    if not path.is_file():
        raise ReadError(f"{header} names the data file {name}, which is not there; copy it beside {header.name}")
    return path


def _inflated(path: Path, offset: int, size: int, encoding: str) -> bytearray:
    """Decompress exactly `size` bytes; a stream that holds more or fewer is refused before it fills the memory."""
    # 32 + 15: zlib's sign for "gzip or zlib header, whichever is there".
    inflater: Any = zlib.decompressobj(47) if encoding == "gzip" else bz2.BZ2Decompressor()
    made = bytearray()
    with path.open("rb") as file:
        file.seek(offset)
        while len(made) <= size and not inflater.eof:
            piece = _pending(inflater) or file.read(_PIECE)
            if not piece and getattr(inflater, "needs_input", True):
                break
            made += inflater.decompress(piece, _PIECE)
    if len(made) != size:
        broken(
            path, f"{size} bytes of voxels are promised, and it unpacks to {'more' if len(made) > size else len(made)}"
        )
    return made


def _pending(inflater: Any) -> bytes:
    """Give the input that zlib handed back; bz2 keeps it to itself."""
    if hasattr(inflater, "unconsumed_tail"):
        return bytes(inflater.unconsumed_tail)
    return b""
