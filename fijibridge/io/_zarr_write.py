"""OME-Zarr folders (.zarr), written: whole, or begun, filled by parts from several processes, and ended.

There is one way: `begin_zarr` makes the folder with its finest level empty, whoever fills `finest_level` does so by
whole units (`array.shards or array.chunks`, so that no two writers share a file), and `end_zarr` makes the coarser
levels in bounded memory and says what the folder is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..choices import ZarrVersion
from ..errors import ParameterError
from ..volume import DIMS, Volume, VoxelSize, history, origin, voxel_size
from ._files import atomic_folder
from ._history import to_value
from ._pieces import by_planes, pieces
from ._pyramid import Coarsen, Run, coarsen, in_order, is_labels, levels
from ._zarr import NOTE, check_zarr_place

Version: TypeAlias = ZarrVersion
Progress = Callable[[float], None]

_CHUNK = (32, 256, 256)
#: Chunks of a shard along each axis, and from how many chunks on a level is written in shards.
SHARD, _MANY = (1, 4, 4), 2000
_UNITS = {"nm": "nanometer", "um": "micrometer"}


def write_zarr(
    volume: Volume,
    path: Path,
    *,
    version: Version = "0.5",
    sharded: bool | None = None,
    progress: Progress | None = None,
) -> None:
    """Write an OME-Zarr image with coarser levels, a bounded part at a time, whole or not at all.

    `sharded` puts 16 chunks into one file; None does so from 2000 chunks (of 2 million voxels) on.

    Raises
    ------
    WriteError : the folder is not there or takes nothing, or `path` is a file or a folder that is no Zarr.
    ParameterError : `sharded` with version 0.4, which has no shards.
    """
    check_zarr_place(path)
    tell = progress or (lambda _share: None)
    with atomic_folder(path) as folder:
        many = version == "0.5" and has_many(volume.shape) if sharded is None else sharded
        begin_zarr(folder, volume.shape, volume.dtype, version=version, shard=SHARD if many else None)
        source, target = by_planes(volume.data), finest_level(folder)
        boxes = pieces(volume.shape, target.shards or target.chunks, volume.dtype.itemsize)
        for number, box in enumerate(boxes, 1):
            target[box] = np.asarray(source[box])
            tell(0.8 * number / len(boxes))
        end_zarr(folder, volume, path.name, version=version, progress=lambda share: tell(0.8 + 0.2 * share))
    tell(1.0)


def begin_zarr(
    folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any], *,
    version: Version = "0.5", chunks: tuple[int, ...] = _CHUNK, shard: tuple[int, ...] | None = None,
) -> None:  # fmt: skip
    """Make an OME-Zarr whose `finest_level` is to be filled by whole units before `end_zarr`.

    `shard` says how many chunks along each axis lie in one file; that is the unit then: two writers must not share one.

    Raises
    ------
    ParameterError : `shard` with version 0.4.
    """
    if shard and version == "0.4":
        raise ParameterError("OME-Zarr 0.4 has no shards; write version 0.5, or leave out sharded")
    kind = 3 if version == "0.5" else 2
    group = importlib.import_module("zarr").open_group(store=str(folder), mode="w", zarr_format=kind)
    _create(group, "0", shape, dtype, most=chunks, shard=shard)


def finest_level(folder: Path) -> Any:
    """Open the voxels of an OME-Zarr that was begun, to be read and written by parts."""
    return importlib.import_module("zarr").open_group(store=str(folder), mode="r+")["0"]


def end_zarr(
    folder: Path, volume: Volume, name: str, *,
    version: Version = "0.5", coarser: bool = True, run: Run = in_order, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Make the coarser levels of an OME-Zarr whose voxels are there, and say what it is.

    `volume` has the grid and the history (its voxels are not read), `name` is that of the folder in the end, and `run`
    goes through the parts of a level.
    """
    group = importlib.import_module("zarr").open_group(store=str(folder), mode="r+")
    size, start = voxel_size(volume), np.array(origin(volume))
    spacing = np.array(size[:3])
    steps = levels(volume.shape, spacing) if coarser else []
    before, factor = group["0"], np.ones(3, int)
    nearest, datasets = is_labels(before), [_dataset("0", spacing, start)]
    for number, step in enumerate(steps, 1):
        shape = tuple(-(-n // by) for n, by in zip(before.shape, step, strict=True))
        shard = before.shards and tuple(n // part for n, part in zip(before.shards, before.chunks, strict=True))
        made = _create(group, str(number), shape, before.dtype, most=before.chunks, shard=shard)
        tell = _part(progress, number - 1, len(steps))
        coarsen(Coarsen(folder, number, tuple(map(int, step)), nearest), made, run, tell)
        before, factor = made, factor * step
        # The centre of a coarse voxel is the mean of the centres that it covers.
        datasets.append(_dataset(str(number), spacing * factor, start + spacing * (factor - 1) / 2))
    group.attrs.put(_attributes(volume, name, size, datasets, version))


def has_many(shape: tuple[int, ...], chunks: tuple[int, ...] = _CHUNK) -> bool:
    """Tell whether a volume has so many chunks that several should lie in one file."""
    return int(np.prod([-(-size // part) for size, part in zip(shape, chunks, strict=True)], dtype=object)) > _MANY


def _part(progress: Progress | None, number: int, count: int) -> Progress:
    return lambda share: progress((number + share) / count) if progress is not None else None


def _create(
    group: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], *,
    most: tuple[int, ...], shard: tuple[int, ...] | None,
) -> Any:  # fmt: skip
    chunks = tuple(min(part, count) for part, count in zip(most, shape, strict=True))
    more: dict[str, Any] = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    if group.metadata.zarr_format == 3:
        more = {"chunk_key_encoding": {"name": "default", "separator": "/"}, "dimension_names": list(DIMS)}
    # A level that is one shard in all would only be packed twice.
    if shard and chunks != shape:
        fit = (min(n, -(-count // part)) for n, count, part in zip(shard, shape, chunks, strict=True))
        more["shards"] = tuple(n * part for n, part in zip(fit, chunks, strict=True))
    return group.create_array(name, shape=shape, dtype=dtype, chunks=chunks, **more)


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
    note = {NOTE: to_value(history(volume), origin(volume))}
    if version == "0.5":
        return {"ome": {"version": "0.5", "multiscales": [image]}, **note}
    return {"multiscales": [{"version": "0.4", **image}], **note}
