"""Labels that were painted in Labkit (``.labeling``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelsError, ReadError
from ._classnames import class_of


def read_labkit(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Read a Labkit labeling: voxel coordinates (x, y, z) by the name of the label.

    Names that say no class number get one in the order of the file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        listed = {str(name): np.asarray(places) for name, places in document["labels"].items()}
        low = np.asarray(document["interval"]["min"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReadError(f"{path} is no Labkit labeling ({error}); save it again from Labkit") from error
    labels = np.zeros(shape, np.uint8)
    for number, (name, places) in enumerate(listed.items(), 1):
        if places.size:
            labels[_index(places, low, shape, path)] = class_of(name) or number
    return labels


def _index(
    places: NDArray[Any], low: NDArray[Any], shape: tuple[int, int, int], path: Path
) -> tuple[NDArray[np.intp], ...]:
    if (
        places.ndim != 2
        or places.shape[1] not in (2, 3)
        or places.dtype.kind not in "ui"
        or low.shape != places.shape[1:]
    ):
        raise ReadError(f"{path} lists voxels in a form that is not Labkit's; save it again from Labkit")
    moved = (places - low)[:, ::-1].astype(np.intp)
    if moved.shape[1] == 2:
        if shape[0] != 1:
            raise LabelsError(f"{path} was painted on one slice, the volume has {shape[0]}; open the whole stack")
        moved = np.column_stack([np.zeros(len(moved), np.intp), moved])
    if (moved < 0).any() or (moved >= shape).any():
        raise LabelsError(f"{path} has labels outside the volume of {shape} voxels; it belongs to another stack")
    return tuple(moved.T)
