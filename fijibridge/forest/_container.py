r"""The bytes of an .fbforest file: a line that names the format, JSON, plain arrays, and a checksum over it all.

    fbforest 1\n
    {"arrays": [["nodes", "<u8", [1234]], ...], ...}\n
    the arrays one after the other, little-endian, in C order
    SHA-256 of all bytes before it (32 bytes)

Nothing in it is ever executed or unpickled; no array is allocated before its size is known to be in the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, WriteError

_MAGIC = b"fbforest 1\n"
_DIGEST = 32
_LONGEST_HEADER = 4 * 2**20
_DTYPES = frozenset({"<u8", "<i8", "<f8", "<f4"})


def write_container(path: Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a file beside its place and move it there when it is whole."""
    little = {name: array.astype(array.dtype.newbyteorder("<"), order="C") for name, array in arrays.items()}
    shapes = [[name, array.dtype.str, list(array.shape)] for name, array in little.items()]
    text = json.dumps({**header, "arrays": shapes}, allow_nan=False, sort_keys=True).encode()
    body = b"".join([_MAGIC, text, b"\n", *(array.tobytes() for array in little.values())])
    _replace(path, body + hashlib.sha256(body).digest())


def read_container(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read header and arrays; ModelError where a single bit is not as it was written."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the forest {path}: {error.strerror or error}") from error
    if not content.startswith(_MAGIC):
        raise ModelError(f"{path} is no forest of a version known here (it does not begin with 'fbforest 1')")
    body, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        raise ModelError(f"{path} is damaged: its checksum does not fit its content; copy or train it again")
    end = body.find(b"\n", len(_MAGIC), len(_MAGIC) + _LONGEST_HEADER)
    if end < 0:
        raise ModelError(f"{path} is no valid forest: its header does not end")
    header = _header(path, body[len(_MAGIC) : end])
    return header, _arrays(path, header.pop("arrays", None), body[end + 1 :])


def _header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no valid forest: its header is not JSON") from error
    if not isinstance(header, dict):
        raise ModelError(f"{path} is no valid forest: its header is not a JSON object")
    return header


def _arrays(path: Path, shapes: Any, data: bytes) -> dict[str, NDArray[Any]]:
    if not isinstance(shapes, list):
        raise ModelError(f"{path} is no valid forest: its header lists no arrays")
    found: dict[str, NDArray[Any]] = {}
    at = 0
    for entry in shapes:
        name, dtype, shape = _described(path, entry)
        size = np.dtype(dtype).itemsize * prod(shape)
        if size > len(data) - at:
            raise ModelError(f"{path} is no valid forest: array {name!r} is larger than what the file holds")
        array = np.frombuffer(data, dtype, prod(shape), at).reshape(shape)
        found[name] = array.astype(array.dtype.newbyteorder("="))
        at += size
    if at != len(data):
        raise ModelError(f"{path} is no valid forest: {len(data) - at} bytes belong to no array")
    return found


def _described(path: Path, entry: Any) -> tuple[str, str, tuple[int, ...]]:
    match entry:
        case [str(name), str(dtype), [*shape]] if (
            dtype in _DTYPES and len(shape) <= 2 and all(type(n) is int and 0 <= n < 2**40 for n in shape)
        ):
            return name, dtype, tuple(shape)
    raise ModelError(f"{path} is no valid forest: cannot read the array description {entry!r:.80}")


def _replace(path: Path, content: bytes) -> None:
    try:
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(beside).replace(path)
        finally:
            Path(beside).unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"cannot write the forest {path}: {error.strerror or error}") from error
