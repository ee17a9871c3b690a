"""`resample` block by block: a slice of the result is made of a few slices of the volume."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..volume import Units, Volume
from ._resample import Shares, Size, find_shares, new_shape, new_size, on_grid, resample, shared_out
from .parts import Box, Local, Place, Survey, nothing, some_bytes


@resample.grid
def _grid(volume: Volume, *, size: Size | None, units: Units | None, labels: bool,
          positions: tuple[float, ...] | None) -> Volume:  # fmt: skip
    wanted = new_size(volume, size, units)
    return on_grid(volume, nothing(new_shape(volume, wanted), volume.dtype), wanted, even=positions is None)


@resample.blocks("native", divide="z", working=partial(some_bytes, voxel=0, pixel=320))
def _blocks(volume: Volume, *, size: Size | None, units: Units | None, labels: bool,
            positions: tuple[float, ...] | None) -> Survey:  # fmt: skip
    yield from ()
    wanted, whole = new_size(volume, size, units), labels or volume.dtype.kind == "b"
    shares = find_shares(volume, wanted, positions, whole=whole)
    voxels = nothing((shares.z.shape[0], shares.y.shape[0], shares.x.shape[0]), volume.dtype)
    result = on_grid(volume, voxels, wanted, even=positions is None)
    ends = _ends(shares)
    return Local(result, _part_made, {"shares": shares}, partial(_needed, ends=ends, plane=volume.shape[1:]))


def _ends(shares: Shares) -> NDArray[np.int64]:
    """Give for each slice of the result the first and the last slice of the volume that it is made of."""
    rows = [shares.z[[k]].indices for k in range(shares.z.shape[0])]
    if shares.between is None:
        return np.array([(row.min(), row.max()) for row in rows])
    # An even slice lies between two measured ones.
    right = shares.between.right_of
    return np.array([(right(int(row.min()))[0] - 1, right(int(row.max()))[0]) for row in rows])


def _needed(box: Box, *, ends: NDArray[np.int64], plane: tuple[int, ...]) -> Box:
    here = ends[box[0]]
    return slice(int(here[:, 0].min()), int(here[:, 1].max()) + 1), slice(0, plane[0]), slice(0, plane[1])


def _part_made(part: Volume, place: Place, *, shares: Shares) -> NDArray[Any]:
    own = shares._replace(z=shares.z[place.inner[0]])
    return shared_out(part.data, own, first=place.outer[0].start)
