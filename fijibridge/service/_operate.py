"""Jobs that are one operation of the table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .. import ops as _ops  # noqa: F401  importing it fills the table of operations
from ..io import read_volume, write_volume
from ..operation import operations
from ..volume import Volume, voxel_size


class Tell(Protocol):
    """Send news of a job: ``voxels`` (of the input), ``progress`` (0 to 1), ``message``."""

    def __call__(self, **news: Any) -> None:
        """Send them."""


def run_operation(order: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Run an operation on a file into a file."""
    name = order["operation"]
    volume = open_volume(order, tell)
    others = {key: read_volume(path, mmap=True) for key, path in order["inputs"].items() if key != "volume"}
    tell(message=name)
    made = operations()[name](volume, engine=order["engine"], **order["parameters"], **others)
    tell(message="write")
    return keep_volume(order, made, volume, shows="labels" if made.dtype == np.bool_ else "grey")


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
