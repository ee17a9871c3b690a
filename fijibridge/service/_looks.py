"""Looking at volumes, inside a worker: slices as pictures, histograms, what a volume is.

It happens there because a mapped file that another program cuts short ends the process that looks at it.
"""

from __future__ import annotations

import base64
import functools
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..io import read_volume
from ..volume import Volume
from ._volumes import describe

AXES = ("z", "y", "x")
#: Volumes kept open; compressed ones are in memory whole.
_KEPT = 2
#: Grey values shown as black and white, as shares of the voxels.
_RANGE = (0.1, 99.9)
_BINS = 128
#: Colours of labels 1, 2, ...: those of the reports' figures, which colour-blind people tell apart.
_COLOURS = ("d55e00", "0072b2", "009e73", "cc79a7", "f0e442", "56b4e9", "e69f00", "999999")


class _File(NamedTuple):
    """A file as it was when it was asked for; another size or time makes another volume."""

    path: str
    changed: int
    size: int
    spacing: tuple[float, float, float] | None
    units: Any


def about(order: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a volume is, and its display range."""
    file = _file(order)
    volume, (low, high) = _open(file), _range(file)
    return {**describe(volume, order["shows"]), "range": [low, high]}


def picture(order: Mapping[str, Any]) -> dict[str, Any]:
    """Draw one slice as PNG: grey values between black and white of the first volume, or labels as colours."""
    volume = _open(_file(order))
    axis = AXES.index(order["axis"])
    if not 0 <= order["index"] < volume.shape[axis]:
        raise ParameterError(
            f"the volume has slices 0 to {volume.shape[axis] - 1} along {order['axis']}, got {order['index']}"
        )
    plane = np.take(volume.data, order["index"], axis=axis)
    if order["shows"] == "labels":
        data = _png(_label_numbers(plane), _palette())
    else:
        low, high = _range(_file(order["like"]))
        data = _png(_grey(plane, low, high))
    return {"png": base64.b64encode(data).decode()}


def histogram(order: Mapping[str, Any]) -> dict[str, Any]:
    """Count the grey values of volumes over one range of even steps; of labels, each label's voxels."""
    files = {name: _file(each) for name, each in order["volumes"].items()}
    grey = {name: _sample(_open(file)) for name, file in files.items() if order["volumes"][name]["shows"] == "grey"}
    found: dict[str, Any] = {"edges": [], "counts": {}, "labels": {}}
    if grey:
        ends = [(float(each.min()), float(each.max())) for each in grey.values()]
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
        found["edges"] = edges.tolist()
        found["counts"] = {name: np.histogram(each, edges)[0].tolist() for name, each in grey.items()}
    for name, file in files.items():
        if name not in grey:
            values, counts = np.unique(_open(file).data, return_counts=True)
            found["labels"][name] = {str(value): int(count) for value, count in zip(values, counts, strict=True)}
    return found


def _file(order: Mapping[str, Any]) -> _File:
    path = Path(order["path"])
    status = path.stat() if path.exists() else None
    spacing = order.get("spacing")
    changed, size = (status.st_mtime_ns, status.st_size) if status else (0, 0)
    return _File(str(path), changed, size, tuple(spacing) if spacing else None, order.get("units"))


@functools.lru_cache(_KEPT)
def _open(file: _File) -> Volume:
    return read_volume(file.path, spacing=file.spacing, units=file.units, mmap=True)


def _sample(volume: Volume) -> NDArray[Any]:
    """Give finite values of evenly spread voxels, some 64 along each axis at least."""
    steps = tuple(slice(None, None, max(1, size // 96)) for size in volume.shape)
    values = np.asarray(volume.data[steps]).ravel()
    finite: NDArray[Any] = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return finite if finite.size else np.zeros(1)


@functools.lru_cache(16)
def _range(file: _File) -> tuple[float, float]:
    low, high = np.percentile(_sample(_open(file)), _RANGE)
    return float(low), float(high)


def _grey(plane: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    scale = 255 / (high - low) if high > low else 1.0
    shown = (np.nan_to_num(plane.astype(np.float32)) - low) * scale
    drawn: NDArray[np.uint8] = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return drawn


def _label_numbers(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Number labels from 0 to 255; the 255 of a mask is what its 1 was."""
    numbers = plane.astype(np.int64)
    return np.where(numbers == 255, 1, numbers % 255).astype(np.uint8)


def _palette() -> tuple[bytes, bytes]:
    """Give the colours of 256 numbers and their opacity: label 0 is clear."""
    colours = b"".join(bytes.fromhex(_COLOURS[(number - 1) % len(_COLOURS)]) for number in range(256))
    return colours, b"\0" + b"\xff" * 255


def _png(plane: NDArray[np.uint8], palette: tuple[bytes, bytes] | None = None) -> bytes:
    """Write an 8-bit PNG, grey or with a palette."""
    height, width = plane.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter, 0 for none
    rows[:, 1:] = plane
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0 if palette is None else 3, 0, 0, 0))]
    if palette is not None:
        parts += [(b"PLTE", palette[0]), (b"tRNS", palette[1])]
    parts += [(b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
