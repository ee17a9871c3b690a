"""Which pores are closed when a volume is seen block by block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .joined import Corner, Joined, Labels, touching


def closed_pores(pores: Joined, largest: int) -> dict[Corner, Labels]:
    """Give for each block, by its corner, the labels that touch a face and belong to closed pores."""
    clusters = pores.clusters()
    closed = np.ones(len(clusters.sizes), np.bool_) if not largest else clusters.sizes <= largest
    for axis in range(3):
        for end in (0, 1):
            closed &= ~pores.reaching(clusters, axis, end)
    return pores.here(clusters, closed)


def closed_in(parts: Labels, count: int, closed: Labels, largest: int) -> NDArray[np.bool_]:
    """Mark the voxels of closed pores in a block, where `closed` are those of its parts that touch a face."""
    marked = np.ones(count + 1, np.bool_)
    if largest:
        marked &= np.bincount(parts.ravel(), minlength=count + 1) <= largest
    marked[0] = False
    marked[touching(parts)] = False
    marked[closed] = True
    return np.asarray(marked[parts])
