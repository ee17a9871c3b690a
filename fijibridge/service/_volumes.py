"""What all jobs do with volumes: open one, keep one, say what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..io import read_volume, write_volume
from ..volume import Volume, voxel_size
from ._tell import Tell


def open_volume(order: Mapping[str, Any], tell: Tell) -> Volume:
    """Open a job's volume and tell its size, which the estimate is made from."""
    tell(message="read")
    path = order["inputs"]["volume"]
    volume = read_volume(path, spacing=order.get("spacing"), units=order.get("units"), mmap=True)
    volume = volume.rename(Path(path).name)
    tell(voxels=volume.size)
    return volume


def keep_volume(order: Mapping[str, Any], made: Volume, volume: Volume, *, shows: str) -> dict[str, Any]:
    """Write a volume to the job's output and describe it."""
    path = output_file(order, "result.tif")
    write_volume(made, path)
    return {"kind": "volume", "files": [str(path)], "voxels_in": volume.size, **describe(made, shows)}


def describe(volume: Volume, shows: str) -> dict[str, Any]:
    """Say what a volume is; `shows` is ``grey`` or ``labels``."""
    size = voxel_size(volume)
    grid = {"shape": list(volume.shape), "spacing": list(size[:3]), "units": size.units}
    return {"shows": shows, "dtype": str(volume.dtype), **grid}


def output_file(order: Mapping[str, Any], name: str) -> Path:
    """Give the file that the job writes: the one asked for, or `name` in the job's own folder."""
    return Path(order["output"] or Path(order["folder"]) / name)
