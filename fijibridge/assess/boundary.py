"""How far the surface of a segmentation lies from the true surface, in physical units."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..volume import Volume, check_same_grid, voxel_size
from ._distance import distance_to


class BoundaryError(NamedTuple):
    """Distances between two surfaces, both ways, in the units of the volumes; nan where one of them has no surface."""

    #: Mean distance to the other surface.
    mean: float
    #: Distance that 95 % of the surface does not exceed.
    percentile_95: float


class Surface:
    """The surface of one class with the distance to it, so that many segmentations are compared with one truth."""

    def __init__(self, labels: Volume, *, label: int = 1) -> None:
        size = voxel_size(labels)
        self.labels, self.label = labels, label
        self.voxels = surface_voxels(np.asarray(labels.data) == label)
        self.distance = distance_to(self.voxels, (size.z, size.y, size.x))

    def error_of(self, labels: Volume) -> BoundaryError:
        """Compare a segmentation's surface with this one; see `boundary_error`."""
        check_same_grid(labels, self.labels, names=("segmentation", "truth"))
        other = Surface(labels, label=self.label)
        if not (other.voxels.any() and self.voxels.any()):
            return BoundaryError(float("nan"), float("nan"))
        distances = np.concatenate([self.distance[other.voxels], other.distance[self.voxels]])
        return BoundaryError(float(distances.mean(dtype=np.float64)), float(np.percentile(distances, 95)))


def boundary_error(labels: Volume, truth: Volume, *, label: int = 1) -> BoundaryError:
    """Give the mean and the 95 % distance between the surfaces of one class in two segmentations.

    A surface is made of the class's voxels that touch another class by a face; distances run between voxel centres,
    from each surface to the nearest voxel of the other, and both directions count alike.

    Parameters
    ----------
    labels, truth : (z, y, x) label volumes on one grid.
    label : class whose surface is meant.

    Returns
    -------
    BoundaryError in the units of the volumes.

    Raises
    ------
    VolumeError : the volumes do not lie on the same grid.

    Source: Taha and Hanbury 2015, BMC Med. Imaging 15, 29 (average symmetric surface distance, 95 % Hausdorff).
    """
    check_same_grid(labels, truth, names=("segmentation", "truth"))
    return Surface(truth, label=label).error_of(labels)


def surface_voxels(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the mask's voxels that share a face with a voxel outside the mask; the volume's border is no surface."""
    touched = np.zeros_like(mask)
    for axis in range(mask.ndim):
        here, there = np.moveaxis(mask, axis, 0)[:-1], np.moveaxis(mask, axis, 0)[1:]
        edge = here != there
        view = np.moveaxis(touched, axis, 0)
        view[:-1] |= edge & here
        view[1:] |= edge & there
    return touched
