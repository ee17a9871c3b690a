"""Real users: what they painted, from the programs they painted in, and the grey levels they chose."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelsError, ReadError
from ..forest import read_ilastik
from ..io import read_volume
from ..volume import Volume, record, with_data
from ._labkit import read_labkit
from ._rois import read_rois
from .classes import Window
from .config import UserConfig
from .matrix import (
    Bench,
    Threshold,
    seed_slices,
    segment_by_choices,
    segment_by_labels,
    segment_by_windows,
    segment_in_weka,
)
from .methods import Segmentation
from .people import Choices

_IMAGES = (".tif", ".tiff")
#: Grey levels as a study file has them.
Levels: TypeAlias = float | list[float] | list[list[float]]


def read_labels(path: Path, volume: Volume) -> Volume:
    """Read what someone painted on a volume.

    Parameters
    ----------
    path : ImageJ ROIs (``.roi``, or a ``.zip`` from the ROI Manager; the class is the ROI's group, or is read off its
        name: ``1``, ``class 2``, ``AM``, ``pore`` ...), a label TIFF, an ilastik project (``.ilp``), a Labkit labeling
        (``.labeling``).
    volume : the grey volume that was painted on.

    Returns
    -------
    uint8 label Volume on the grid of `volume`, 0 = unlabelled.

    Raises
    ------
    ReadError : a file of another kind, or a broken one.
    LabelsError : labels that do not fit the volume, or no label at all.
    """
    kind = path.suffix.lower()
    if kind not in (*READERS, *_IMAGES):
        raise ReadError(f"cannot read labels from {path}; use .tif, .roi, RoiSet .zip, .ilp or .labeling")
    if not path.is_file():
        raise ReadError(f"there is no label file {path}; check its name")
    shape = (volume.shape[0], volume.shape[1], volume.shape[2])
    painted = _image(path, shape) if kind in _IMAGES else READERS[kind](path, shape)
    if not painted.any():
        raise LabelsError(f"{path} holds no label; paint class 1 = active material and 2 = pore + carbon-binder")
    return with_data(volume, painted)


def _read_project(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Lay the labels of an ilastik project into a volume."""
    project = read_ilastik(path)
    if project.shape != shape:
        raise LabelsError(f"{path} was painted on an image of {project.shape} voxels, the stack has {shape}")
    labels = np.zeros(shape, np.uint8)
    for z, painted in project.labels.items():
        labels[z] = painted
    return labels


#: Readers of what is no image, by the file's ending.
READERS = {".zip": read_rois, ".roi": read_rois, ".ilp": _read_project, ".labeling": read_labkit}


def find_labels(folder: Path, dataset: str, method: str) -> Path | None:
    """Find what a user painted: ``folder/DATASET/METHOD.*``; ``folder/DATASET.*`` for ``forest`` and ``weka``."""
    stem = folder / dataset if method in ("forest", "weka") else folder / dataset / method
    ending = next((e for e in (*READERS, *_IMAGES) if stem.with_name(stem.name + e).is_file()), None)
    return None if ending is None else stem.with_name(stem.name + ending)


def segment_by_user(bench: Bench, method: str, user: UserConfig, dataset: str) -> Segmentation | None:
    """Segment as a real user did, by their labels or their grey levels; None where they left neither.

    For the method ``given`` their labels are the segmentation, made with any other program.
    """
    if method in ("forest", "weka", "given") or method.startswith("MLX"):
        path = None if user.labels is None else find_labels(user.labels, dataset, method)
        return None if path is None else _from_file(bench, method, path)
    return _from_levels(bench, method, user, dataset)


def _from_file(bench: Bench, method: str, path: Path) -> Segmentation:
    labels = read_labels(path, bench.volume)
    if method == "given":
        return _whole(labels, path)
    return segment_in_weka(bench, labels) if method == "weka" else segment_by_labels(bench, labels)


def _from_levels(bench: Bench, method: str, user: UserConfig, dataset: str) -> Segmentation | None:
    chosen = user.choices.get(dataset, {})
    needed = {"gWS": "gWS", "cWS": "cWS", "ML1": "cWS", "ML2": "ML2", "ML3": "cWS"}.get(method, "S2")
    if needed not in chosen:
        return None
    if method == "ML2":
        return segment_by_windows(bench, method, _windows_by_slice(chosen["ML2"], bench.volume.shape[0]))
    if method in ("ML1", "ML3"):
        window = _window(chosen["cWS"])
        slices = seed_slices(method, bench.volume.shape[0])
        return segment_by_windows(bench, method, dict.fromkeys(slices, window))
    choices = Choices(
        float(np.ravel(chosen.get("S2", 0.0))[0]), _window(chosen.get("gWS", 0.0)), _window(chosen.get("cWS", 0.0))
    )
    if method in (*get_args(Threshold), "gWS", "cWS"):
        return segment_by_choices(bench, method, choices)
    return None


def _whole(labels: Volume, path: Path) -> Segmentation:
    missing = int(np.count_nonzero((labels.data != 1) & (labels.data != 2)))
    if missing:
        raise LabelsError(f"{path} leaves {missing} voxels without label 1 or 2; a whole segmentation labels them all")
    step = {"operation": "read_labels", "engine": "native", "version": "1", "parameters": {"file": path.name}}
    return Segmentation(record(labels, step))


def _window(levels: Levels) -> Window:
    low, high = np.resize(np.ravel(levels), 2).tolist()
    return Window(float(low), float(high))


def _windows_by_slice(rows: Levels, depth: int) -> dict[int, Window]:
    """Read the thresholds that someone chose slice by slice."""
    table = np.asarray(rows, float)
    outside = [z for z in table[:, 0].tolist() if not (z.is_integer() and 0 <= z < depth)]
    if outside:
        raise LabelsError(f"ML2 has thresholds for slice {outside[0]:g}, the volume has 0..{depth - 1}; count from 0")
    return {int(z): Window(low, high) for z, low, high in table.tolist()}


def _image(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    labels = read_volume(path)
    if labels.dtype.kind not in "ui" or labels.shape != shape:
        raise LabelsError(
            f"{path} must hold integer labels of shape {shape}, got {labels.dtype} of {labels.shape}; "
            "save the labels of this very stack"
        )
    data = np.asarray(labels.data)
    if data.max() > 255 or data.min() < 0:
        raise LabelsError(f"labels lie in 0..255, {path} goes from {data.min()} to {data.max()}; number them from 1")
    return data.astype(np.uint8)
