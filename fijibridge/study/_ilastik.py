"""Labels that were painted in an ilastik pixel classification project (``.ilp``)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineMissingError, LabelsError, ReadError

_SLICE = re.compile(r"(\d+):(\d+)")


def read_ilastik(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Read the labels of the project's first image; label n is class n."""
    try:
        import h5py
    except ImportError as error:
        raise EngineMissingError("reading .ilp needs h5py, which is not installed; pip install h5py") from error
    try:
        with h5py.File(path, "r") as project:
            axes = _axes(project)
            labels = np.zeros(shape, np.uint8)
            for block in project["PixelClassification/LabelSets/labels000"].values():
                _lay(labels, np.asarray(block), str(_text(block.attrs["blockSlice"])), axes, path)
            return labels
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ReadError(f"{path} is no ilastik project with painted labels ({error}); save it in ilastik") from error


def _axes(project: Any) -> str:
    """Give the order of the axes of the first image, such as ``tzyxc``."""
    lane = project["Input Data/infos/lane0000/Raw Data"]
    if "axistags" in lane:
        tags = json.loads(_text(lane["axistags"][()]))
        return "".join(str(axis["key"]) for axis in tags["axes"])
    return _text(lane["axisorder"][()])


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _lay(labels: NDArray[np.uint8], block: NDArray[Any], place: str, axes: str, path: Path) -> None:
    """Put one block of labels where it was painted."""
    ranges = [(int(a), int(b)) for a, b in _SLICE.findall(place)]
    order = _order(axes, block.ndim)
    where = dict(zip(order, ranges, strict=True))
    keep = [order.index(axis) for axis in "zyx" if axis in order]
    rest = [index for index in range(block.ndim) if index not in keep]
    plane = np.transpose(block, (*keep, *rest)).reshape([block.shape[index] for index in keep])
    target = tuple(slice(*where.get(axis, (0, 1))) for axis in "zyx")
    stops = tuple(part.stop for part in target)
    if any(stop > count for stop, count in zip(stops, labels.shape, strict=True)):
        raise LabelsError(f"{path} has labels outside the volume of {labels.shape} voxels; it belongs to another stack")
    labels[target] = plane.reshape(labels[target].shape)


def _order(axes: str, count: int) -> str:
    """Give the order of a block's axes: labels have a channel axis at the end, and lack time and depth of one."""
    order = axes.replace("c", "") + "c"
    for dropped in "tz":
        if len(order) > count:
            order = order.replace(dropped, "")
    return order
