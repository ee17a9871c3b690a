"""TIFF files made by hand, byte by byte, as no honest program would."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

MakeTiff = Callable[..., Path]


@pytest.fixture
def make_tiff(tmp_path: Path) -> MakeTiff:
    """Write a little-endian TIFF with the given entries in each header; `following` sets where a header leads."""

    def make(
        headers: list[dict[int, tuple[int, int, int]]], following: dict[int, int] | None = None, voxels: bytes = b""
    ) -> Path:
        offset, body = 8, b""
        starts = []
        for entries in headers:
            starts.append(offset)
            offset += 2 + 12 * len(entries) + 4
        for index, entries in enumerate(headers):
            after = starts[index + 1] if index + 1 < len(headers) else 0
            after = (following or {}).get(index, after)
            body += struct.pack("<H", len(entries))
            for code, (kind, count, value) in sorted(entries.items()):
                body += struct.pack("<HHII", code, kind, count, value)
            body += struct.pack("<I", after)
        path = tmp_path / "hand.tif"
        path.write_bytes(b"II*\0" + struct.pack("<I", 8) + body + voxels)
        return path

    return make


@pytest.fixture
def page() -> Callable[..., dict[int, tuple[int, int, int]]]:
    """Give the entries of a one-strip uint8 header."""

    def entries(width: int, height: int, *, at: int = 8, stored: int = 0, compression: int = 1):
        return {
            256: (4, 1, width),
            257: (4, 1, height),
            258: (3, 1, 8),
            259: (3, 1, compression),
            262: (3, 1, 1),
            273: (4, 1, at),
            277: (3, 1, 1),
            278: (4, 1, height),
            279: (4, 1, stored or width * height),
        }

    return entries


@pytest.fixture
def ramp() -> np.ndarray:
    """Give a (4, 5, 6) uint16 array whose values are all different and need both bytes."""
    return (np.arange(120, dtype=np.uint16) * 517).reshape(4, 5, 6)
