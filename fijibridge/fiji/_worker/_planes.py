"""Voxels between shared memory and Java arrays: one copy per plane, straight through a direct buffer.

A Java array that is new costs several times the copy: Java clears it and the system has to find memory for it. So the
arrays of images that were closed are kept for the next job, softly: Java takes them when it needs the memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jpype

from ._java import java

_JAVA_TYPES = {"uint8": "JByte", "uint16": "JShort", "float32": "JFloat", "rgb": "JInt"}
_VIEWS = {"uint8": None, "uint16": "asShortBuffer", "float32": "asFloatBuffer", "rgb": "asIntBuffer"}
_CODES = {"[B": "uint8", "[S": "uint16", "[F": "float32", "[I": "rgb"}
ITEM_SIZE = {"uint8": 1, "uint16": 2, "float32": 4, "rgb": 4}
#: Below this many bytes a copy is over before a second thread has begun.
_WORTH_THREADS = 8 << 20
_WORTH_KEEPING = 64 << 10
_MOST_SPARE = 20_000

_spare: dict[tuple[str, int], list[Any]] = {}
_given: list[Any] = []


def planes_in(memory: memoryview, dtype: str, count: int) -> list[Any]:
    """Copy `count` planes that lie one behind the other in shared memory into Java arrays."""
    size = len(memory) // count
    parts = [memory[index * size : (index + 1) * size] for index in range(count)]
    length = size // ITEM_SIZE[dtype]

    def copy(part: memoryview) -> Any:
        array = _array(dtype, length)
        _view(part, dtype).get(array)
        return array

    return _each(copy, parts, len(memory))


def planes_out(arrays: list[Any], memory: memoryview, dtype: str) -> None:
    """Copy Java arrays into shared memory, one behind the other."""
    size = len(memory) // len(arrays)

    def copy(index: int) -> None:
        _view(memory[index * size : (index + 1) * size], dtype).put(arrays[index])

    _each(copy, range(len(arrays)), len(memory))


def keep_spare(images: Iterable[Any]) -> None:
    """Keep the planes of the given images, and all that were given out, for later; nobody may use them any more."""
    if sum(len(spare) for spare in _spare.values()) > _MOST_SPARE:
        _spare.clear()
    arrays = java("java.util.Collections").newSetFromMap(java("java.util.IdentityHashMap")())
    arrays.addAll([array for reference in _given if (array := reference.get()) is not None])
    _given.clear()
    for image in images:
        planes = image.getStack().getImageArray()
        arrays.addAll([plane for plane in planes or () if plane is not None])
    for array in arrays:
        dtype = _CODES.get(str(array.getClass().getName()))
        if dtype and len(array) * ITEM_SIZE[dtype] >= _WORTH_KEEPING:
            _spare.setdefault((dtype, len(array)), []).append(_soft(array))


def _array(dtype: str, length: int) -> Any:
    """Give a Java array, an old one where there is one; what is in it is left over."""
    array = None
    spare = _spare.get((dtype, length), [])
    while spare and array is None:
        array = spare.pop().get()
    if array is None:
        array = jpype.JArray(getattr(jpype, _JAVA_TYPES[dtype]))(length)
    _given.append(_soft(array))
    return array


def _soft(array: Any) -> Any:
    return java("java.lang.ref.SoftReference")(array)


def _view(memory: memoryview, dtype: str) -> Any:
    buffer = jpype.nio.convertToDirectBuffer(memory).order(java("java.nio.ByteOrder").nativeOrder())
    name = _VIEWS[dtype]
    return buffer if name is None else getattr(buffer, name)()


def _each(copy: Callable[[Any], Any], parts: Iterable[Any], size: int) -> list[Any]:
    threads = min(4, os.cpu_count() or 1)
    if size < _WORTH_THREADS or threads == 1:
        return [copy(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(copy, parts))
