"""Particles of one class: told apart where they touch, and their size distribution."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import LabelsError, ParameterError
from ..volume import Volume, VoxelSize, record, voxel_size, with_data
from ._distance import distance_to

#: Standard deviation, in the finest voxel edge, of the smoothing that keeps a rough surface from making false peaks.
_SMOOTH = 1.0


class ParticleSizes(NamedTuple):
    """Sizes of the particles that lie wholly inside the volume; diameters in um (voxels where there is no size)."""

    #: Diameter of the sphere of the same volume, for each particle, ascending.
    diameters: NDArray[np.float64]
    #: How many particles of the material each one stands for: large ones are more often cut by the border.
    weights: NDArray[np.float64]
    #: Diameters below which 10, 50 and 90 % of the particles' volume lie.
    d10: float
    d50: float
    d90: float
    #: Particles left out because the border cuts them.
    cut: int


def split_particles(labels: Volume, *, label: int = 1, neck: float = 0.8) -> Volume:
    """Number the particles of one class, parted where they touch.

    A watershed of the distance to the surface gives one basin to each bulge; two basins are one particle where the
    neck between them is wider than `neck` times the smaller one.

    Parameters
    ----------
    labels : (z, y, x) label volume.
    label : class that the particles are made of.
    neck : width of the neck as a share of the smaller particle's width above which two are one, 0..1.

    Returns
    -------
    int32 Volume on the same grid: 0 = not of the class, 1, 2, ... = particles.

    Raises
    ------
    ParameterError : `neck` outside 0..1.

    Source: Gostick 2017, Phys. Rev. E 96, 023307 (smoothed distance map, false basins merged).
    """
    if not 0 < neck <= 1:
        raise ParameterError(f"neck is a share in 0..1, got {neck}; 0.8 parts spheres that press into each other")
    mask = np.asarray(labels.data) == label
    from skimage.segmentation import watershed  # slow to import

    size = _size(voxel_size(labels))
    distance = distance_to(~mask, size) if not mask.all() else np.ones(mask.shape, np.float32)
    sigma = [_SMOOTH * min(size) / edge for edge in size]
    height = ndimage.gaussian_filter(distance, sigma)
    height[~mask] = 0
    peaks = (height == ndimage.maximum_filter(height, size=3)) & mask
    seeds, _ = ndimage.label(peaks, np.ones((3, 3, 3)))
    basins = watershed(-height, seeds, mask=mask).astype(np.int32)
    merged = _merge(basins, height, neck)
    step = {"operation": "split_particles", "engine": "native", "version": "1"}
    return record(with_data(labels, merged), {**step, "parameters": {"label": label, "neck": neck}})


def particle_sizes(labels: Volume, *, label: int = 1, neck: float = 0.8) -> ParticleSizes:
    """Give the size distribution of the particles of one class.

    Particles that the border cuts are left out; so that this does not favour small ones, each whole particle counts
    as many times as one of its extent is expected for each that is seen whole (Miles-Lantuejoul).

    Parameters
    ----------
    labels, label, neck : as in `split_particles`.

    Raises
    ------
    LabelsError : no particle lies wholly inside the volume.

    Source: Lantuejoul 1980, Mikroskopie 37, 267 (the correction for the border).
    """
    parted = np.asarray(split_particles(labels, label=label, neck=neck).data)
    boxes = ndimage.find_objects(parted)
    counts = np.bincount(parted.ravel())[1:]
    shape = np.array(parted.shape)
    starts = np.array([[s.start for s in box] for box in boxes]).reshape(-1, 3)
    stops = np.array([[s.stop for s in box] for box in boxes]).reshape(-1, 3)
    whole = (starts > 0).all(axis=1) & (stops < shape).all(axis=1)
    if not whole.any():
        raise LabelsError(f"none of {len(counts)} particles lies wholly inside the volume; measure a larger one")
    seen = np.prod((shape - 1 - (stops - starts)[whole]) / shape, axis=1)
    volumes = counts[whole] * float(np.prod(_size(voxel_size(labels))))
    diameters, weights = np.cbrt(6 / np.pi * volumes), 1 / np.maximum(seen, 1e-3)
    order = np.argsort(diameters)
    diameters, weights = diameters[order], weights[order]
    d10, d50, d90 = _percentiles(diameters, weights * diameters**3)
    return ParticleSizes(diameters, weights, d10, d50, d90, int((~whole).sum()))


def _size(size: VoxelSize) -> tuple[float, float, float]:
    known = size if size.units == "voxel" else size.to("um")
    return known.z, known.y, known.x


def _percentiles(diameters: NDArray[np.float64], volumes: NDArray[np.float64]) -> tuple[float, float, float]:
    share = np.cumsum(volumes) / volumes.sum()
    low, middle, high = (float(diameters[np.searchsorted(share, level)]) for level in (0.1, 0.5, 0.9))
    return low, middle, high


def _merge(basins: NDArray[np.int32], height: NDArray[np.float32], neck: float) -> NDArray[np.int32]:
    """Join basins across wide necks, the highest neck first, and number the rest anew without gaps."""
    count = int(basins.max())
    tops = np.zeros(count + 1, np.float32)
    np.maximum.at(tops, basins.ravel(), height.ravel())
    parent = np.arange(count + 1)
    for level, a, b in _necks(basins, height):
        root_a, root_b = _root(parent, a), _root(parent, b)
        if root_a != root_b and level >= neck * min(tops[root_a], tops[root_b]):
            parent[root_b] = root_a
            tops[root_a] = max(tops[root_a], tops[root_b])
    roots = np.array([_root(parent, index) for index in range(count + 1)])
    _, numbers = np.unique(roots, return_inverse=True)
    return numbers.astype(np.int32)[basins]


def _necks(basins: NDArray[np.int32], height: NDArray[np.float32]) -> list[tuple[float, int, int]]:
    """Give (height of the neck, basin, other basin) of all pairs that touch by a face, the highest first."""
    found: dict[tuple[int, int], float] = {}
    for axis in range(3):
        a, b = (np.moveaxis(basins, axis, 0)[part] for part in (np.s_[:-1], np.s_[1:]))
        high_a, high_b = (np.moveaxis(height, axis, 0)[part] for part in (np.s_[:-1], np.s_[1:]))
        touch = (a != b) & (a > 0) & (b > 0)
        pairs = np.sort(np.stack([a[touch], b[touch]], axis=1), axis=1)
        levels = np.minimum(high_a[touch], high_b[touch])
        for (first, second), level in zip(pairs.tolist(), levels.tolist(), strict=True):
            found[first, second] = max(found.get((first, second), 0.0), level)
    return sorted(((level, a, b) for (a, b), level in found.items()), reverse=True)


def _root(parent: NDArray[np.int64], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = int(parent[index])
    return index
