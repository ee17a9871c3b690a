"""Painted labels: what is allowed, and which voxels are trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import LabelsError, VolumeError
from ..volume import Volume, check_volume, describe_grid, same_grid

Labels = Volume | Mapping[int, ArrayLike]


class Painted(NamedTuple):
    """Labelled voxels: their flat index in the volume (ascending) and class."""

    voxels: NDArray[np.int64]
    value: NDArray[np.uint8]


def painted_voxels(volume: Volume, labels: Labels) -> Painted:
    """Collect the labelled voxels, or say why the labels will not do."""
    if isinstance(labels, Mapping):
        found = [_slice(volume, z, labels[z]) for z in sorted(labels)]
    else:
        found = [_voxels(_of_volume(volume, labels), 0)]
    painted = Painted(*(np.concatenate(parts) for parts in zip(*found, strict=True))) if found else None
    classes = np.unique(painted.value).tolist() if painted is not None else []
    if painted is None or len(classes) < 2:
        raise LabelsError(f"training needs voxels of at least two classes, got {classes or 'none'}; paint more")
    return painted


def thinned(painted: Painted, most: int, seed: int) -> Painted:
    """Keep at most so many voxels of each class, scattered, and the same ones when labels are added elsewhere."""
    scatter = _scatter(painted.voxels, seed)
    keep = np.zeros(painted.voxels.size, bool)
    for value in np.unique(painted.value):
        members = np.flatnonzero(painted.value == value)
        keep[members[np.argsort(scatter[members], kind="stable")[:most]]] = True
    return Painted(painted.voxels[keep], painted.value[keep])


def _scatter(index: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Give each voxel a number that looks random (the mixing steps of SplitMix64)."""
    mixed = (index.astype(np.uint64) + np.uint64(seed % 2**32)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _of_volume(volume: Volume, labels: Volume) -> NDArray[np.generic]:
    try:
        check_volume(labels)
    except VolumeError as error:
        raise LabelsError(f"labels are no volume: {error}") from error
    if not same_grid(volume, labels):
        raise LabelsError(
            f"labels lie on another grid than the volume: {describe_grid(labels)} against {describe_grid(volume)}; "
            "crop or resample them to the volume's grid"
        )
    return np.asarray(labels.data)


def _slice(volume: Volume, z: int, painted: ArrayLike) -> Painted:
    array = np.asarray(painted)
    if not 0 <= z < volume.shape[0]:
        raise LabelsError(f"labels were given for slice {z}, the volume has slices 0 to {volume.shape[0] - 1}")
    if array.shape != volume.shape[1:]:
        raise LabelsError(f"labels of slice {z} have shape {array.shape}, the volume's slices {volume.shape[1:]}")
    return _voxels(array, z * array.size)


def _voxels(array: NDArray[np.generic], first: int) -> Painted:
    if array.dtype.kind not in "ui":
        raise LabelsError(f"labels are integers, got dtype {array.dtype}; convert them with astype('uint8')")
    if int(array.min()) < 0 or int(array.max()) > 255:
        raise LabelsError(f"labels go from 0 (unlabelled) to 255, got {array.min()} to {array.max()}; renumber them")
    flat = array.ravel()
    index = np.flatnonzero(flat)
    return Painted(index + first, flat[index].astype(np.uint8))
