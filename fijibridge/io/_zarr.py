"""OME-Zarr folders (.zarr), read: one volume at several resolutions, in chunks that may lie in shards.

What other code may rely on: `is_zarr` tells a folder, `read_zarr` gives a Stack (lazy where asked for), `stored_voxels`
the array itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from ..errors import ReadError, WriteError
from ..volume import DIMS
from ._calibration import UNKNOWN, Calibration, from_lengths
from ._history import from_value
from ._lazy import OnDisk, voxels
from ._outside import broken, checked_shape, reading
from ._stack import Stack

Progress = Callable[[float], None]

ENDING = ".zarr"
#: Our own entry among the attributes: history and origin.
NOTE = "fijibridge"
_MARKS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a Zarr group or array."""
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


def is_zarr_name(path: Path) -> bool:
    """Tell whether a name is that of an OME-Zarr folder, there or not."""
    return path.name.lower().endswith(ENDING)


def check_zarr_place(path: Path) -> None:
    """Raise WriteError where something else than a Zarr folder is in the way of one."""
    if path.exists() and not is_zarr(path):
        raise WriteError(f"cannot write {path}: something else than a Zarr folder is there; choose another name")


def read_zarr(path: Path, mmap: bool, progress: Progress | None) -> Stack:
    """Read the full resolution of an OME-Zarr image (0.4, 0.5), or a plain Zarr array.

    `mmap` leaves the voxels in their chunks: the Stack's data are a dask array then.

    Raises
    ------
    ReadError : no Zarr, broken, no volume, or larger than the memory that is free.
    """
    with reading(path, "Zarr"):
        node = _opened(path)
        if hasattr(node, "shape"):
            return Stack(str(path), _voxels(_Chunks(path, "", node), node, range(node.ndim), mmap, progress), UNKNOWN)
        attributes = dict(node.attrs)
        image = _image(path, attributes)
        axes, level = _axes(path, image), image["datasets"][0]
        array = _inner(path, node, level["path"])
        if len(axes) != array.ndim:
            broken(path, f"it names {len(axes)} axes and its voxels have {array.ndim}")
        kept = [n for n, name in enumerate(axes) if name in DIMS]
        data = _voxels(_Chunks(path, level["path"], array), array, kept, mmap, progress)
        note = from_value(attributes.get(NOTE))
        return Stack(str(path), data, _calibration(image, level, axes), note.history)


def stored_voxels(path: Path) -> Any:
    """Open the full resolution of a Zarr folder, to be read by parts; None where it has more axes than z, y, x."""
    with reading(path, "Zarr"):
        node = _opened(path)
        if not hasattr(node, "shape"):
            node = _inner(path, node, _image(path, dict(node.attrs))["datasets"][0]["path"])
        return node if node.ndim == len(DIMS) else None


class _Chunks(OnDisk):
    """The voxels of one array of a Zarr folder."""

    kind = "Zarr"

    def __init__(self, path: Path, name: str, array: Any) -> None:
        super().__init__(path, array.shape, array.dtype)
        self._name = name

    def open(self) -> Any:
        """Open the array."""
        node = _opened(self.path)
        return _inner(self.path, node, self._name) if self._name else node

    def take(self, opened: Any, key: tuple[slice, ...]) -> Any:
        """Read a part."""
        return opened[key]


def _guard() -> Any:
    # Imported late: zarr is slow to import.
    return importlib.import_module(f"{__package__}._zarr_guard")


def _opened(path: Path) -> Any:
    return _guard().open_node(path)


def _inner(path: Path, group: Any, name: Any) -> Any:
    """Open an array inside of a group; a name that leads out of the folder is not followed."""
    inside = (path / str(name)).resolve()
    if not inside.is_relative_to(path.resolve()):
        raise ReadError(f"{path} names the data {name}, which lie outside of it; put them into the folder")
    array = group[str(name)]
    if not hasattr(array, "shape"):
        broken(path, f"{name} is no array")
    return _guard().guarded(path, array)


def _voxels(source: _Chunks, array: Any, kept: Sequence[int], mmap: bool, progress: Progress | None) -> Any:
    """Give the voxels as (z, y, x); axes that are not `kept` (channels, time) must have one element."""
    path = source.path
    if any(n not in kept and size != 1 for n, size in enumerate(array.shape)):
        raise ReadError(
            f"{path} has several channels or times ({' x '.join(str(n) for n in array.shape)}) and a volume has one; "
            "save the one you mean to a file of its own"
        )
    if array.dtype.kind not in "buif":
        raise ReadError(f"{path} holds {array.dtype} and a volume real numbers; convert it first")
    shape = checked_shape(path, [array.shape[n] for n in kept])
    _check_chunks(path, array)
    unit = [min(size, whole) for size, whole in zip(array.chunks, array.shape, strict=True)]
    return voxels(source, unit, mmap=mmap, progress=progress).reshape(shape)


def _check_chunks(path: Path, array: Any) -> None:
    """Refuse chunks that no memory holds: a header of a few bytes may ask for any size, and each is unpacked whole."""
    size = int(np.prod(array.chunks, dtype=object)) * array.dtype.itemsize
    if size > psutil.virtual_memory().available:
        raise ReadError(f"{path} has chunks of {size / 1e9:.3g} GB, more than the memory that is free; save it anew")


def _image(path: Path, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the description of the image: 0.5 keeps it under ``ome``, 0.4 at the top."""
    found = attributes.get("ome", attributes).get("multiscales")
    if not found:
        raise ReadError(f"{path} is a Zarr group without an image in it; name the image's own folder inside of it")
    described: Mapping[str, Any] = found[0]
    return described


def _axes(path: Path, image: Mapping[str, Any]) -> list[str]:
    names = [axis["name"] if isinstance(axis, dict) else str(axis) for axis in image.get("axes", ("t", "c", *DIMS))]
    if [name for name in names if name in DIMS] not in (["z", "y", "x"], ["y", "x"]):
        broken(path, f"its axes are {', '.join(names)}, and z, y, x must come in this order")
    return names


def _calibration(image: Mapping[str, Any], level: Mapping[str, Any], axes: list[str]) -> Calibration:
    """Read voxel size and origin: transforms of the level, then those of all levels."""
    scale, shift = np.ones(len(axes)), np.zeros(len(axes))
    for step in (*level.get("coordinateTransformations", ()), *image.get("coordinateTransformations", ())):
        by = np.array(step.get("scale", np.ones(len(axes))), float)
        scale, shift = scale * by, shift * by + np.array(step.get("translation", np.zeros(len(axes))), float)
    units = {axis["name"]: axis.get("unit", "voxel") for axis in image.get("axes", ()) if isinstance(axis, dict)}
    lengths = {name: (float(scale[axes.index(name)]), units.get(name, "voxel")) for name in DIMS if name in axes}
    found = from_lengths(lengths.get("z"), lengths["y"], lengths["x"])
    factor = found.y / lengths["y"][0]
    z, y, x = (float(shift[axes.index(name)]) * factor if name in axes else 0.0 for name in DIMS)
    return found if found is UNKNOWN else found._replace(origin=(z, y, x))
