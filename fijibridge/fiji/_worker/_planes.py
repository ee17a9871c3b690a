"""Voxels between shared memory and Java arrays: one copy per plane, straight through a direct buffer."""

from __future__ import annotations

from typing import Any

import jpype

from ._java import java

_JAVA_TYPES = {"uint8": "JByte", "uint16": "JShort", "float32": "JFloat", "rgb": "JInt"}
_VIEWS = {"uint8": None, "uint16": "asShortBuffer", "float32": "asFloatBuffer", "rgb": "asIntBuffer"}
ITEM_SIZE = {"uint8": 1, "uint16": 2, "float32": 4, "rgb": 4}


def plane_in(memory: memoryview, dtype: str) -> Any:
    """Copy one plane out of shared memory into a new Java array."""
    array = jpype.JArray(getattr(jpype, _JAVA_TYPES[dtype]))(len(memory) // ITEM_SIZE[dtype])
    _view(memory, dtype).get(array)
    return array


def plane_out(array: Any, memory: memoryview, dtype: str) -> None:
    """Copy one Java array into shared memory."""
    _view(memory, dtype).put(array)


def _view(memory: memoryview, dtype: str) -> Any:
    buffer = jpype.nio.convertToDirectBuffer(memory).order(java("java.nio.ByteOrder").nativeOrder())
    name = _VIEWS[dtype]
    return buffer if name is None else getattr(buffer, name)()
