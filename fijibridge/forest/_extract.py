"""The features of one volume: of any tile, as floats to train on or as bytes for the evaluator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import VolumeError
from ._derive import derive
from ._encode import FLAT, LANES, SOLID, Bytes, Coder, brick_counts, encode_bricks
from ._interpolate import interpolate
from ._plan import Plan
from ._pyramid import Box, Coarse, Piece, Run, coarse_bases, coarse_features, periods, prepare
from ._smooth import Floats, Ints, Triple
from ._windows import windowed

#: Planes derived at once: the depth of a brick, so that they are still in cache when they are encoded.
_PLANES = 4


class Extractor:
    """Computes the features that a plan names on one volume.

    Parameters
    ----------
    data : (z, y, x) array, memory map or dask array; read in boxes.
    plan : what to compute.
    gain : factor, a power of 2, that brings grey values to the order of 0-255.
    """

    def __init__(self, data: Any, plan: Plan, gain: float) -> None:
        self.shape: Triple = data.shape
        self.plan = plan
        self._data = data
        self._periods = periods(data.shape, (1, 1, 1))
        self._gain = np.float32(gain)

    def read(self, box: Box) -> Piece:
        """Read what a box shows of the volume, within it or in its mirrors, as float32 grey values."""
        box = box.mirrored(self._periods)
        grey = np.array(self._data[box.slices()], np.float32, order="C")
        if not np.isfinite(grey).all():
            raise VolumeError("the volume holds NaN or infinity, which has no features; replace those voxels first")
        if self._gain != 1:
            grey *= self._gain
        return Piece(grey, box.low, self._periods)

    def surroundings(self, box: Box, run: Run, release: Callable[[], None] = lambda: None) -> list[Coarse]:
        """Compute the features on coarser grids that the tiles of a box share; `release` is called once all is read."""
        bases = coarse_bases(self.read, self.plan, box, self.shape, run)
        release()
        return coarse_features(bases, self.plan, box, run)

    def floats(self, tile: Box, coarse: list[Coarse], into: Floats | None = None) -> Floats:
        """Give (column, z, y, x) features of a tile, written `into` an array or a new one."""
        out = np.empty((len(self.plan.columns), *tile.shape), np.float32) if into is None else into
        for targets, start, values in self._parts(tile, coarse):
            out[targets, start : start + values.shape[1]] = values
        return out

    def bricks(self, tile: Box, coarse: list[Coarse], coder: Coder) -> Bytes:
        """Give the features of a tile as (brick, column, lane) bytes; lanes outside the tile hold anything."""
        brick = brick_shape(tile.shape)
        counts = brick_counts(tile.shape, brick)
        out = np.empty((counts[0] * counts[1] * counts[2], len(self.plan.columns), LANES), np.uint8)
        for targets, start, values in self._parts(tile, coarse):
            encode_bricks(values, targets, coder, start, brick, out, tile.shape[1])
        return out

    def _parts(self, tile: Box, coarse: list[Coarse]) -> Iterator[tuple[Ints, int, Floats]]:
        """Give columns, first plane and values, a few planes at a time."""
        depth, ny, nx = tile.shape
        groups = [range(start, min(start + _PLANES, depth)) for start in range(0, depth, _PLANES)]
        if self.plan.fine or self.plan.windows:
            piece = self.read(tile.grown(self.plan.halo))
        for scale in self.plan.fine:
            ready = prepare(piece, tile, scale)
            for group in groups:
                values = derive(ready, scale.slots, group, tile.shape, dimensions=self.plan.dimensions)
                yield scale.targets, group.start, values
        for window in self.plan.windows:
            yield np.array([window.target], np.int64), 0, windowed(piece, tile, window)[None]
        for grid in coarse:
            for group in groups:
                low = (tile.low[0] + group.start, *tile.low[1:])
                values = interpolate(grid.values, grid.corner, grid.factors, low, (len(group), ny, nx))
                yield grid.targets, group.start, values


def brick_shape(shape: Triple) -> Triple:
    """Give the bricks that a block is cut into: flat ones where it has but few slices."""
    return SOLID if shape[0] >= SOLID[0] else FLAT
