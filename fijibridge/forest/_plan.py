"""What has to be computed for a set of features on a given voxel size: grids, scales, kernels, halos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import floor, log2, sqrt
from typing import NamedTuple

import numpy as np

from ..errors import ParameterError, VolumeError
from ..volume import VoxelSize
from ._derive import DIFFERENCE, GAUSSIAN, HESSIAN, LAPLACIAN, MAGNITUDE, SLOTS, STRUCTURE
from ._smooth import Floats, Ints, Triple, gaussian_taps
from .features import Column, FeatureSet

#: A scale is computed on every 2nd (4th, ...) voxel of an axis where it still spans this many of the coarser voxels.
_COARSEST = 1.75
#: Smoothing before every 2nd (4th, ...) voxel is taken, in coarser voxels: 4 % of the finest waves fold back, and the
#: scale's own smoothing damps those to below 1e-4.
_BEFORE_THINNING = 0.8
#: ilastik's ratios: the finer Gaussian of a difference, the window of a structure tensor.
_FINER, _WINDOW = 0.66, 0.5
_SLOT = {
    "gaussian": GAUSSIAN,
    "laplacian": LAPLACIAN,
    "gradient_magnitude": MAGNITUDE,
    "difference_of_gaussians": DIFFERENCE,
    "structure_tensor": STRUCTURE,
    "hessian": HESSIAN,
}

Real3 = tuple[float, float, float]


def thinning_sigma(factor: int) -> float:
    """Give the smoothing, in voxels of the full grid, that an axis thinned by `factor` has had."""
    return _BEFORE_THINNING * factor if factor > 1 else 0.0


def interpolation_variance(factor: int) -> float:
    """Give the mean smoothing, in voxels squared, that going back from every `factor`-th voxel to all brings along."""
    return factor**2 / 6 + 1 / 12 if factor > 1 else 0.0


def parent(factors: Triple) -> Triple:
    """Give the next finer grid; always the same one, so that no choice of features changes a voxel."""
    z, y, x = (max(1, factor // 2) for factor in factors)
    return (z, y, x)


@dataclass(frozen=True)
class Scale:
    """One scale on its grid.

    Attributes
    ----------
    factors : how many voxels of the full grid make one of this grid, along z, y, x.
    sigma : in voxels of the full grid.
    steps : voxel edges of this grid, in edges of the finest axis.
    slots : (10,) where each feature of `_derive` goes, -1 where it is not wanted.
    targets : the columns that they are, in order.
    """

    factors: Triple
    sigma: Real3
    steps: Real3
    slots: Ints
    targets: Ints

    @cached_property
    def taps(self) -> tuple[Floats, Floats, Floats]:
        """Kernels from the grid's base to this scale."""
        return self._taps(1.0)

    @cached_property
    def finer_taps(self) -> tuple[Floats, Floats, Floats]:
        """Kernels from the grid's base to the finer Gaussian of the difference."""
        return self._taps(_FINER)

    @cached_property
    def window_taps(self) -> tuple[Floats, Floats, Floats]:
        """Kernels of the structure tensor's window."""
        z, y, x = (gaussian_taps(_WINDOW * s / f) for s, f in zip(self.sigma, self.factors, strict=True))
        return (z, y, x)

    @cached_property
    def structured(self) -> bool:
        """Whether an eigenvalue of the structure tensor is wanted."""
        return bool((self.slots[STRUCTURE:HESSIAN] >= 0).any())

    @cached_property
    def differs(self) -> bool:
        """Whether the difference of Gaussians is wanted."""
        return bool(self.slots[DIFFERENCE] >= 0)

    @cached_property
    def margin(self) -> Triple:
        """Voxels around a block for which the smoothed image is needed."""
        windows = [taps.size - 1 if self.structured else 0 for taps in self.window_taps]
        z, y, x = (window + 1 if s > 0 else 0 for window, s in zip(windows, self.sigma, strict=True))
        return (z, y, x)

    @cached_property
    def halo(self) -> Triple:
        """Voxels of this grid's base around a block that its features depend on."""
        z, y, x = (m + taps.size - 1 for m, taps in zip(self.margin, self.taps, strict=True))
        return (z, y, x)

    def _taps(self, share: float) -> tuple[Floats, Floats, Floats]:
        z, y, x = (
            gaussian_taps(sqrt(max((share * s) ** 2 - thinning_sigma(f) ** 2 - interpolation_variance(f), 0.0)) / f)
            for s, f in zip(self.sigma, self.factors, strict=True)
        )
        return (z, y, x)


class Window(NamedTuple):
    """A minimum, maximum, median or variance in a box of ``2 * radius + 1`` voxels."""

    kind: str
    radius: Triple
    target: int


@dataclass(frozen=True)
class Plan:
    """All scales of a feature set, those on the full grid apart."""

    columns: tuple[Column, ...]
    dimensions: int
    scales: tuple[Scale, ...]
    windows: tuple[Window, ...]

    @cached_property
    def fine(self) -> tuple[Scale, ...]:
        """Scales on the full grid."""
        return tuple(scale for scale in self.scales if scale.factors == (1, 1, 1))

    @cached_property
    def grids(self) -> dict[Triple, tuple[Scale, ...]]:
        """Scales of each coarser grid, finest grid first."""
        found: dict[Triple, list[Scale]] = {}
        for scale in sorted(self.scales, key=lambda scale: scale.factors):
            if scale.factors != (1, 1, 1):
                found.setdefault(scale.factors, []).append(scale)
        return {factors: tuple(scales) for factors, scales in found.items()}

    @property
    def halo(self) -> Triple:
        """Voxels of the full grid around a block that its fine features depend on."""
        halos = [scale.halo for scale in self.fine] + [window.radius for window in self.windows]
        z, y, x = (max((halo[axis] for halo in halos), default=0) for axis in range(3))
        return (z, y, x)


def make_plan(features: FeatureSet, size: VoxelSize, *, dimensions: int, wanted: Iterable[int] | None = None) -> Plan:
    """Lay out the computation of the `wanted` columns (all, if None); targets count within them."""
    columns = features.columns(dimensions=dimensions)
    if wanted is not None:
        columns = tuple(columns[index] for index in wanted)
    edges = _edges(size, dimensions)
    scales: dict[float, list[tuple[int, Column]]] = {}
    windows = []
    for target, column in enumerate(columns):
        if column.kind in _SLOT:
            scales.setdefault(column.sigma, []).append((target, column))
        else:
            windows.append(_window(features, column, size, edges, target))
    made = tuple(_scale(features, sigma, members, size, edges) for sigma, members in sorted(scales.items()))
    return Plan(columns, dimensions, made, tuple(windows))


def finest_edge(size: VoxelSize, dimensions: int) -> float:
    """Give the shortest voxel edge among the axes that are filtered."""
    return min(size.y, size.x) if dimensions == 2 else min(size.z, size.y, size.x)


def _edges(size: VoxelSize, dimensions: int) -> Real3:
    """Give voxel edges in edges of the finest axis; 0 stands for the axis that 2-D features leave alone."""
    z, y, x = (edge / finest_edge(size, dimensions) for edge in (size.z, size.y, size.x))
    return (z if dimensions == 3 else 0.0, y, x)


def _sigma(features: FeatureSet, sigma: float, size: VoxelSize, edges: Real3) -> Real3:
    """Give a scale in voxels along each axis."""
    if features.unit == "nm":
        if size.units == "voxel":
            raise VolumeError("scales in nm need a volume with a known voxel size, got units 'voxel'; set its spacing")
        sigma /= finest_edge(size.to("nm"), 3 if edges[0] > 0 else 2)
    z, y, x = (sigma / edge if edge > 0 else 0.0 for edge in edges)
    return (z, y, x)


def _scale(
    features: FeatureSet, sigma: float, members: list[tuple[int, Column]], size: VoxelSize, edges: Real3
) -> Scale:
    along = _sigma(features, sigma, size, edges)
    z, y, x = (2 ** max(0, floor(log2(s / _COARSEST))) if s > 0 else 1 for s in along)
    slots = np.full(SLOTS, -1, np.int64)
    for order, (_, column) in enumerate(members):
        slots[_SLOT[column.kind] + column.part] = order
    targets = np.array([target for target, _ in members], np.int64)
    dz, dy, dx = (factor * (edge or 1.0) for factor, edge in zip((z, y, x), edges, strict=True))
    return Scale((z, y, x), along, (dz, dy, dx), slots, targets)


def _window(features: FeatureSet, column: Column, size: VoxelSize, edges: Real3, target: int) -> Window:
    along = _sigma(features, column.sigma, size, edges)
    z, y, x = (round(s) for s in along)
    if column.kind == "median" and (2 * z + 1) * (2 * y + 1) * (2 * x + 1) > 729:
        raise ParameterError(f"{column.name} looks at a box of more than 9 x 9 x 9 voxels; take a smaller scale")
    return Window(column.kind, (z, y, x), target)
