"""Packed bytes of somebody else's, unpacked to no more than was asked for, whatever they claim."""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable
from typing import Any

import imagecodecs

#: Dictionary that xz may ask for, at most: its strongest setting takes 64 MB.
_DICTIONARY = 2**28


class TooMuchError(ValueError):
    """Packed bytes that unpack to more than they stand for."""


def unpack(name: str, packed: bytes, most: int) -> Any:
    """Unpack bytes.

    Parameters
    ----------
    name : one of `BOUNDED`, as Zarr calls them.
    most : bytes that may come out; a stream that goes on is not followed.

    Raises
    ------
    TooMuchError : more would come out.
    Exception : whatever the package at work says of bytes that are damaged.
    """
    return _UNPACKERS[name](packed, most)


def _claim(claimed: int, most: int) -> None:
    if not 0 <= claimed <= most:
        raise TooMuchError(f"a chunk of at most {most} bytes unpacks to more")


def _blosc(packed: bytes, most: int) -> Any:
    if len(packed) < 16:
        raise ValueError("a chunk ends within its header")
    unpacked, _, length = struct.unpack_from("<3I", packed, 4)
    _claim(unpacked, most)
    # blosc itself reads on behind the end of what it is given.
    if length != len(packed):
        raise ValueError(f"a chunk has {len(packed)} bytes, and says {length}")
    return imagecodecs.blosc_decode(packed)


def _lz4(packed: bytes, most: int) -> Any:
    if len(packed) < 4:
        raise ValueError("a chunk ends within its header")
    _claim(struct.unpack_from("<i", packed)[0], most)
    return imagecodecs.lz4_decode(packed, header=True)


def _zstd(packed: bytes, most: int) -> Any:
    # Its frames need not say how long they are; given room, it stops where that ends.
    try:
        return imagecodecs.zstd_decode(packed, out=most)
    except imagecodecs.ZstdError as error:
        if "too small" in str(error):
            _claim(most + 1, most)
        raise


def _inflate(packed: bytes, most: int) -> bytes:
    """Unpack gzip (also of several members) or zlib."""
    made = b""
    while True:
        inflater = zlib.decompressobj(47)
        made += inflater.decompress(packed, most + 1 - len(made))
        _claim(len(made), most)
        if not inflater.eof:
            raise ValueError("a chunk ends before its voxels do")
        packed = inflater.unused_data
        if packed[:2] != b"\x1f\x8b":
            return made


def _bounded(inflater: Any, packed: bytes, most: int) -> bytes:
    made: bytes = inflater.decompress(packed, most + 1)
    _claim(len(made), most)
    return made


_UNPACKERS: dict[str, Callable[[bytes, int], Any]] = {
    "blosc": _blosc,
    "lz4": _lz4,
    "zstd": _zstd,
    "gzip": _inflate,
    "zlib": _inflate,
    "bz2": lambda packed, most: _bounded(bz2.BZ2Decompressor(), packed, most),
    "lzma": lambda packed, most: _bounded(lzma.LZMADecompressor(memlimit=_DICTIONARY), packed, most),
}
#: Names that `unpack` knows.
BOUNDED = frozenset(_UNPACKERS)
