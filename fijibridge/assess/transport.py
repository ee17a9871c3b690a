"""How well a class conducts from face to face: connectivity and the tortuosity factor."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import EngineFailedError, ParameterError
from ..ops.joined import Joined, Seen, parts_of, see
from ..ops.parts import Place
from ..volume import Volume, voxel_size
from ._compile import kernel

Axis = Literal["z", "y", "x"]
#: Relative difference between the flux of the layers at which the solution counts as steady.
_STEADY = 1e-3
_MOST_ROUNDS = 20_000


class Connectivity(NamedTuple):
    """How one class hangs together (voxels that share a face)."""

    #: Share of the class that lies in its largest cluster.
    largest: float
    #: Share of the class in clusters that reach from the first to the last layer along the axis.
    through: float
    #: Number of clusters.
    clusters: int


def connectivity(labels: Volume, *, label: int = 1, axis: Axis = "z") -> Connectivity:
    """Say how far one class is one connected piece, and how much of it leads from face to face along an axis.

    Parameters
    ----------
    labels : (z, y, x) label volume.
    label : the class.
    axis : direction in which clusters lead through.

    Raises
    ------
    ParameterError : no such axis.

    Blocks: `fijibridge.blocks.connectivity_blocks`; clusters are joined across the blocks' faces.
    """
    number, joined, everything = number_of(axis), Joined(labels.shape), _everything(labels)
    joined.add(everything, see_class(labels, everything, label=label))
    return connectivity_of(joined, number)


def _everything(volume: Volume) -> Place:
    z, y, x = (slice(0, size) for size in volume.shape)
    return Place((z, y, x), (z, y, x))


def see_class(part: Volume, _place: Place, *, label: int) -> Seen:
    """Give what a block tells of the clusters of one class."""
    return see(*parts_of(np.asarray(part.data) == label))


def connectivity_of(joined: Joined, axis: int) -> Connectivity:
    """Put together what all blocks told; a cluster off the faces of its block is whole, and cannot lead through."""
    clusters, whole = joined.clusters(), joined.whole
    count, total = len(clusters.sizes) + whole.number, int(clusters.sizes.sum()) + whole.voxels
    if not count:
        return Connectivity(0.0, 0.0, 0)
    through = joined.reaching(clusters, axis, 0) & joined.reaching(clusters, axis, 1)
    largest = max(int(clusters.sizes.max(initial=0)), whole.largest)
    return Connectivity(largest / total, int(clusters.sizes[through].sum()) / total, count)


def tortuosity_factor(labels: Volume, *, label: int = 2, axis: Axis = "z") -> float:
    """Give the tortuosity factor of one class along an axis: volume fraction over relative effective diffusivity.

    Diffusion between a face held at 1 and the opposite face held at 0, through the class alone, solved by finite
    differences on the voxels (successive over-relaxation, red and black voxels in turn) until the flux through all
    layers agrees to 0.1 %. Values start at 1 (straight channels); infinite where no path leads through.

    Parameters
    ----------
    labels : (z, y, x) label volume.
    label : class that conducts.
    axis : direction of the flux.

    Raises
    ------
    EngineFailedError : the solution did not become steady.

    Source: Cooper et al. 2016, SoftwareX 5, 203 (TauFactor).
    """
    number = number_of(axis)
    mask = np.moveaxis(np.asarray(labels.data) == label, number, 0)
    fraction = float(mask.mean())
    clusters, _ = ndimage.label(mask)
    through = np.setdiff1d(np.intersect1d(clusters[0], clusters[-1]), [0])
    if not len(through):
        return math.inf
    conducting = np.ascontiguousarray(np.isin(clusters, through))
    sizes = list(voxel_size(labels)[:3])
    edges = np.array([sizes.pop(number), *sizes])
    flux = _steady_flux(conducting, (edges[0] / edges) ** 2)
    relative = flux * len(mask)  # a full block of n layers, held at its outer faces, carries 1/n per column
    return fraction / relative


def number_of(axis: str) -> int:
    """Give the place of an axis in the order z, y, x."""
    if axis not in get_args(Axis):
        raise ParameterError(f"axis must be z, y or x, got {axis!r}")
    return "zyx".index(axis)


def _steady_flux(mask: NDArray[np.bool_], ratio: NDArray[np.float64]) -> float:
    """Solve for the concentration; give the mean flux per column in units of (difference / layer)."""
    layers = len(mask)
    # One layer more at each end holds the faces at 1 and 0, an empty rim around the sides lets nothing out.
    wide = np.pad(np.pad(mask, ((1, 1), (0, 0), (0, 0)), mode="edge"), ((0, 0), (1, 1), (1, 1)))
    profile = np.clip(1 - (np.arange(-1, layers + 1) + 0.5) / layers, 0, 1)
    field = np.where(wide, profile[:, None, None], 0.0)
    faster = 2 / (1 + math.pi / (layers + 1))
    for _ in range(0, _MOST_ROUNDS, 50):
        for _ in range(50):
            _relax(field, wide, ratio, faster, 0)
            _relax(field, wide, ratio, faster, 1)
        flux = _layer_fluxes(field, wide)
        if np.ptp(flux) <= _STEADY * abs(flux.mean()):
            return float(flux.mean() / (mask.shape[1] * mask.shape[2]))
    raise EngineFailedError(
        f"the diffusion through the class did not become steady in {_MOST_ROUNDS} rounds; remove thin dead ends "
        "or measure a coarser volume"
    )


def _layer_fluxes(field: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sum what flows from each layer into the next; the faces lie half a voxel away from the end layers."""
    flux: NDArray[np.float64] = ((field[:-1] - field[1:]) * (mask[:-1] & mask[1:])).sum(axis=(1, 2))
    flux[[0, -1]] *= 2
    return flux


@kernel
def _relax(
    field: NDArray[np.float64], mask: NDArray[np.bool_], ratio: NDArray[np.float64], faster: float, colour: int
) -> None:
    """Relax the voxels of one colour of the chequerboard once."""
    depth, height, width = field.shape
    for z in range(1, depth - 1):
        above = 2.0 if z == 1 else 1.0
        below = 2.0 if z == depth - 2 else 1.0
        for y in range(1, height - 1):
            for x in range(1 + (z + y + colour) % 2, width - 1, 2):
                if not mask[z, y, x]:
                    continue
                # A place that does not conduct holds 0, so only its weight needs the mask.
                up, down = above * mask[z - 1, y, x], below * mask[z + 1, y, x]
                back, front = ratio[1] * mask[z, y - 1, x], ratio[1] * mask[z, y + 1, x]
                left, right = ratio[2] * mask[z, y, x - 1], ratio[2] * mask[z, y, x + 1]
                total = up * field[z - 1, y, x] + down * field[z + 1, y, x]
                total += back * field[z, y - 1, x] + front * field[z, y + 1, x]
                total += left * field[z, y, x - 1] + right * field[z, y, x + 1]
                weight = up + down + back + front + left + right
                if weight > 0:
                    field[z, y, x] += faster * (total / weight - field[z, y, x])
