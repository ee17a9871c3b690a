"""OME-Zarr folders (.zarr): one volume at several resolutions, in chunks, read and written some slices at a time.

What other code may rely on: `is_zarr` tells a folder, `read_zarr` gives a Stack (lazy where asked for), `write_zarr`
makes a whole folder or none. All else is how.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from ..errors import ReadError, WriteError
from ..volume import DIMS, Volume, VoxelSize, history, origin, voxel_size
from ._calibration import UNKNOWN, Calibration, from_lengths
from ._files import atomic_folder
from ._history import from_value, to_value
from ._outside import broken, checked_shape, reading
from ._stack import Stack

Version = Literal["0.4", "0.5"]
Progress = Callable[[float], None]

ENDING = ".zarr"
_MARKS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
_NOTE = "fijibridge"
_CHUNK = (32, 256, 256)
#: Coarser levels are made until the longest side has at most this many voxels.
_SMALLEST = 256
_UNITS = {"nm": "nanometer", "um": "micrometer"}
#: Integers with no more different values than this are taken for labels, of which no means are made.
_LABELS = 8


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a Zarr group or array."""
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


def read_zarr(path: Path, mmap: bool, progress: Progress | None) -> Stack:
    """Read the full resolution of an OME-Zarr image (0.4, 0.5), or a plain Zarr array.

    `mmap` leaves the voxels in their chunks: the Stack's data are a dask array then, where dask is installed.

    Raises
    ------
    ReadError : no Zarr, broken, no volume, or larger than the memory that is free.
    """
    zarr = importlib.import_module("zarr")
    with reading(path, "Zarr"):
        node = zarr.open(store=str(path), mode="r")
        if hasattr(node, "shape"):
            return Stack(str(path), _voxels(path, node, range(node.ndim), mmap, progress), UNKNOWN)
        attributes = dict(node.attrs)
        image = _image(path, attributes)
        axes = _axes(path, image)
        level = image["datasets"][0]
        array = node[level["path"]]
        if len(axes) != array.ndim:
            broken(path, f"it names {len(axes)} axes and its voxels have {array.ndim}")
        data = _voxels(path, array, [n for n, name in enumerate(axes) if name in DIMS], mmap, progress)
        note = from_value(attributes.get(_NOTE))
        return Stack(str(path), data, _calibration(image, level, axes), note.history)


def write_zarr(volume: Volume, path: Path, *, version: Version = "0.5", progress: Progress | None = None) -> None:
    """Write an OME-Zarr image with coarser levels, some slices at a time, whole or not at all.

    Raises
    ------
    WriteError : the folder is not there or takes nothing, or `path` is a file or a folder that is no Zarr.
    """
    if path.exists() and not is_zarr(path):
        raise WriteError(f"cannot write {path}: something else than a Zarr folder is there; choose another name")
    tell = progress or (lambda _share: None)
    with atomic_folder(path) as folder:
        begin_zarr(folder, volume.shape, volume.dtype, version=version)
        for done in _copied(volume.data, finest_level(folder)):
            tell(0.8 * done)
        end_zarr(folder, volume, path.name, version=version, progress=lambda share: tell(0.8 + 0.2 * share))
    tell(1.0)


def begin_zarr(
    folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any], *,
    version: Version = "0.5", chunks: tuple[int, ...] | None = None,
) -> None:  # fmt: skip
    """Make an OME-Zarr whose `finest_level` is to be filled, whole chunks at a time, before `end_zarr`."""
    zarr = importlib.import_module("zarr")
    group = zarr.open_group(store=str(folder), mode="w", zarr_format=3 if version == "0.5" else 2)
    _create(group, "0", shape, dtype, chunks or _CHUNK)


def finest_level(folder: Path) -> Any:
    """Open the voxels of an OME-Zarr that was begun, to be read and written by parts."""
    return importlib.import_module("zarr").open_group(store=str(folder), mode="r+")["0"]


def end_zarr(
    folder: Path, volume: Volume, name: str, *,
    version: Version = "0.5", coarser: bool = True, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Make the coarser levels of an OME-Zarr whose voxels are there, and say what it is.

    `volume` has the grid and the history (its voxels are not read), `name` is that of the folder in the end.
    """
    group = importlib.import_module("zarr").open_group(store=str(folder), mode="r+")
    size, start = voxel_size(volume), np.array(origin(volume))
    spacing = np.array(size[:3])
    levels = _levels(volume.shape, spacing) if coarser else []
    before, factor = group["0"], np.ones(3, int)
    nearest, datasets = _is_labels(before), [_dataset("0", spacing, start)]
    for number, step in enumerate(levels, 1):
        shape = tuple(-(-n // by) for n, by in zip(before.shape, step, strict=True))
        made = _create(group, str(number), shape, before.dtype, before.chunks)
        _coarsen(before, made, step, nearest=nearest)
        before, factor = made, factor * step
        # The centre of a coarse voxel is the mean of the centres that it covers.
        datasets.append(_dataset(str(number), spacing * factor, start + spacing * (factor - 1) / 2))
        if progress is not None:
            progress(number / len(levels))
    group.attrs.put(_attributes(volume, name, size, datasets, version))


def _voxels(path: Path, array: Any, kept: Sequence[int], mmap: bool, progress: Progress | None) -> Any:
    """Give the voxels as (z, y, x); axes that are not `kept` (channels, time) must have one element."""
    if any(n not in kept and size != 1 for n, size in enumerate(array.shape)):
        raise ReadError(
            f"{path} has several channels or times ({' x '.join(str(n) for n in array.shape)}) and a volume has one; "
            "save the one you mean to a file of its own"
        )
    if array.dtype.kind not in "buif":
        raise ReadError(f"{path} holds {array.dtype} and a volume real numbers; convert it first")
    shape = checked_shape(path, [array.shape[n] for n in kept])
    if mmap:
        with contextlib.suppress(ImportError):
            return importlib.import_module("dask.array").from_zarr(array).reshape(shape)
    size = int(np.prod(shape, dtype=object)) * array.dtype.itemsize
    if size > psutil.virtual_memory().available:
        raise ReadError(f"{path} does not fit into memory ({size / 1e9:.1f} GB); read it with mmap=True (needs dask)")
    data: NDArray[Any] = np.empty(array.shape, array.dtype.newbyteorder("="))
    for done in _copied(array, data, depth=array.chunks[0]):
        if progress is not None:
            progress(done)
    return data.reshape(shape)


def _copied(source: Any, target: Any, depth: int = _CHUNK[0]) -> Iterator[float]:
    """Copy a layer of chunks after the other; give the share done."""
    count = source.shape[0]
    for first in range(0, count, depth):
        layer = slice(first, min(first + depth, count))
        target[layer] = np.asarray(source[layer])
        yield layer.stop / count


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


def _levels(shape: tuple[int, ...], spacing: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Give by how much each level is coarser than the one before: voxels become cubes, then double alike."""
    sizes, edges, steps = np.array(shape), spacing.copy(), []
    while sizes.max() > _SMALLEST:
        step = np.where((edges < 1.5 * edges.min()) & (sizes > 1), 2, 1)
        if step.max() == 1:
            break
        steps.append(step)
        sizes, edges = -(-sizes // step), edges * step
    return steps


def _create(group: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], most_chunks: tuple[int, ...]) -> Any:
    chunks = tuple(min(most, count) for most, count in zip(most_chunks, shape, strict=True))
    extra = {"dimension_names": list(DIMS)} if group.metadata.zarr_format == 3 else {}
    return group.create_array(
        name, shape=shape, dtype=dtype, chunks=chunks, chunk_key_encoding={"name": "default" if extra else "v2",
                                                                           "separator": "/"}, **extra
    )  # fmt: skip


def _is_labels(array: Any) -> bool:
    if array.dtype.kind == "b":
        return True
    some = np.asarray(array[array.shape[0] // 2])
    return array.dtype.kind in "iu" and len(np.unique(some)) <= _LABELS


def _coarsen(fine: Any, coarse: Any, step: NDArray[np.int64], *, nearest: bool) -> None:
    """Fill a level from the one before; labels keep one of their values, grey levels become the mean."""
    depth = _CHUNK[0]
    for first in range(0, coarse.shape[0], depth):
        layer = slice(first, min(first + depth, coarse.shape[0]))
        block = np.asarray(fine[layer.start * int(step[0]) : layer.stop * int(step[0])])
        if nearest:
            coarse[layer] = block[tuple(slice(None, None, int(by)) for by in step)]
            continue
        made = block.astype(np.float32 if block.dtype.itemsize < 8 else np.float64)
        for axis, by in enumerate(step):
            starts = np.arange(0, made.shape[axis], int(by))
            counts = np.diff([*starts, made.shape[axis]])
            total = np.add.reduceat(made, starts, axis=axis)
            made = total / counts.reshape([-1 if n == axis else 1 for n in range(3)]).astype(made.dtype)
        coarse[layer] = np.rint(made).astype(block.dtype) if block.dtype.kind in "iu" else made


def _dataset(name: str, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"type": "scale", "scale": [float(f"{v:.12g}") for v in scale]}]
    if shift.any():
        steps.append({"type": "translation", "translation": [float(f"{v:.12g}") for v in shift]})
    return {"path": name, "coordinateTransformations": steps}


def _attributes(
    volume: Volume, file_name: str, size: VoxelSize, datasets: list[dict[str, Any]], version: Version
) -> dict[str, Any]:
    unit = {"unit": _UNITS[size.units]} if size.units in _UNITS else {}
    image: dict[str, Any] = {
        "name": file_name.split(".", maxsplit=1)[0],
        "axes": [{"name": name, "type": "space", **unit} for name in DIMS],
        "datasets": datasets,
    }
    note = {_NOTE: to_value(history(volume), origin(volume))}
    if version == "0.5":
        return {"ome": {"version": "0.5", "multiscales": [image]}, **note}
    return {"multiscales": [{"version": "0.4", **image}], **note}
