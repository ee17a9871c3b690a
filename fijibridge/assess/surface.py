"""The specific surface area of one class, by counting how often straight lines cross its surface."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import SphericalVoronoi

from ..volume import Volume, VoxelSize, voxel_size


def specific_surface(labels: Volume, *, label: int = 1) -> float:
    """Give the surface area of one class per volume of the sample, in 1/um (1/voxel where there is no voxel size).

    Lines in the 13 directions of a voxel's neighbours cross the surface; by Crofton's formula the area per volume is
    twice the crossings per length, averaged over all directions in space. Each direction stands for the part of the
    sphere nearest to it, which keeps the estimate right for voxels that are not cubes. Only pairs of voxels inside
    the volume count, so its border adds nothing. Triangles laid over voxels (marching cubes) find about 8 % too much
    on a sphere, voxel faces 50 %; this finds it to about 1 %.

    Parameters
    ----------
    labels : (z, y, x) label volume.
    label : class whose surface is measured.

    Source: Ohser and Schladitz 2009, 3D Images of Materials Structures, ch. 5; Legland et al. 2007, Image Anal.
    Stereol. 26, 83.
    """
    size = _in_micrometres(voxel_size(labels))
    mask = np.asarray(labels.data) == label
    offsets, weights = _directions(size)
    crossings_per_length = 0.0
    for offset, weight in zip(offsets, weights, strict=True):
        if any(abs(step) >= count for step, count in zip(offset, mask.shape, strict=True)):
            continue
        here, there = _pairs(mask, offset)
        length = float(np.linalg.norm(np.multiply(offset, size))) * here.size
        crossings_per_length += weight * np.count_nonzero(here != there) / length
    return 2 * crossings_per_length


def _in_micrometres(size: VoxelSize) -> tuple[float, float, float]:
    known = size if size.units == "voxel" else size.to("um")
    return known.z, known.y, known.x


def _directions(size: tuple[float, float, float]) -> tuple[list[tuple[int, ...]], list[float]]:
    """Give one offset of each pair of opposite neighbours and the share of all directions that it stands for."""
    offsets = [offset for offset in product((-1, 0, 1), repeat=3) if any(offset)]
    points = np.array(offsets) * np.array(size)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    shares = SphericalVoronoi(points).calculate_areas() / (4 * np.pi)
    half = [index for index, offset in enumerate(offsets) if offset > (0, 0, 0)]
    return [offsets[index] for index in half], [2 * float(shares[index]) for index in half]


def _pairs(mask: NDArray[np.bool_], offset: tuple[int, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    here = tuple(slice(max(-step, 0), count - max(step, 0)) for step, count in zip(offset, mask.shape, strict=True))
    there = tuple(slice(max(step, 0), count + min(step, 0)) for step, count in zip(offset, mask.shape, strict=True))
    return mask[here], mask[there]
