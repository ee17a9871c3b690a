"""Opening and saving stacks from napari's menu."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..io import read_volume, write_volume
from ..phantom import make_electrode
from ._layers import LayerData, to_layer, to_volume


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]]:
    """Give napari the function that reads; it names the endings in ``napari.yaml``."""
    return lambda given: [_read(given)]


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save a layer with its voxel size and history; give the path back, as napari wants it."""
    write_volume(to_volume(_Saved(data, attributes)), path)
    return [path]


def simulated_cathode() -> list[LayerData]:
    """Simulate the scan of a cathode, with its truth."""
    made = make_electrode((48, 128, 128), voxel_nm=500)
    return [
        to_layer(made.grey, "simulated cathode"),
        to_layer(made.truth, "truth: 1 active material, 2 pore + binder", kind="labels"),
    ]


def _read(path: str | list[str]) -> LayerData:
    """Read one stack; a list of files is one stack, slice by slice, as is a folder."""
    if isinstance(path, list) and len(path) == 1:
        path = path[0]
    volume = read_volume(path, mmap=True)
    first = Path(path[0] if isinstance(path, list) else path)
    return to_layer(volume, first.stem)


class _Saved:
    """A layer's data and attributes, as napari hands them to writers, read like the layer itself."""

    def __init__(self, data: Any, attributes: dict[str, Any]) -> None:
        self.data, self.ndim = data, data.ndim
        for name, value in attributes.items():
            setattr(self, name, value)
