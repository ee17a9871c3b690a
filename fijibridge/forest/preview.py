"""One slice again and again while somebody paints on it: its features are computed once, not for each forest."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..errors import ModelError
from ..volume import Volume, history, record, with_data
from ._blocks import runner, walk
from ._encode import Bytes, brick_counts, encode_bricks, lanes_to_block
from ._evaluate import label_bricks
from ._extract import brick_shape
from ._pyramid import Box, Coarse
from ._smooth import Floats
from .model import Forest
from .training import Trainer

#: Most bytes of features that are kept; a larger slice is computed anew each time.
_MOST_BYTES = 1 << 30


class _Tile(NamedTuple):
    """A tile of the slice with all its features (column, z, y, x)."""

    box: Box
    values: Floats


class SlicePreview:
    """Labels slices of a trainer's volume, quickly where it is the slice of the last time.

    Parameters
    ----------
    trainer : of the volume; its forests are the ones to preview.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._tiles: list[_Tile] = []
        self._z: int | None = None

    def predict(self, forest: Forest, z: int) -> Volume:
        """Label slice `z` (from 0); the same labels as ``forest.predict(volume, z=z)``.

        Raises
        ------
        ModelError : the forest is not one of the trainer.
        ParameterError : `z` lies outside the volume.
        """
        volume = self._trainer.volume
        _, ny, nx = volume.shape
        columns = forest.importance.size
        if (forest.features, forest.gain) != (self._trainer.features, self._trainer.gain):
            raise ModelError("the forest was not trained by this trainer; use forest.predict(volume, z=...)")
        if not 0 <= z < volume.shape[0] or 4 * columns * ny * nx > _MOST_BYTES:
            return forest.predict(volume, z=z, threads=self._trainer.threads)
        if z != self._z:
            self._fill(z)
        out = np.empty((1, ny, nx), np.uint8)
        classes = np.array(forest.classes, np.uint8)
        with runner(self._trainer.threads) as run:
            run(self._labelling(forest, tile, classes, out) for tile in self._tiles)
        step = {"operation": "predict", "engine": "native", "forest": dict(forest.provenance), "z": z}
        return record(with_data(volume[z : z + 1], out), step, after=history(volume))

    def _fill(self, z: int) -> None:
        extractor = self._trainer.extractor
        self._tiles, self._z = [], None
        box = Box((z, 0, 0), (z + 1, *extractor.shape[1:]))

        def keep(tile: Box, coarse: list[Coarse]) -> None:
            self._tiles.append(_Tile(tile, extractor.floats(tile, coarse)))

        walk(extractor, box, keep, threads=self._trainer.threads, progress=None, release=lambda: None)
        self._z = z

    def _labelling(self, forest: Forest, tile: _Tile, classes: Bytes, out: Bytes) -> Callable[[], None]:
        def work() -> None:
            shape, brick = tile.box.shape, brick_shape(tile.box.shape)
            counts = brick_counts(shape, brick)
            targets = np.arange(tile.values.shape[0])
            codes = np.empty((counts[0] * counts[1] * counts[2], targets.size, 256), np.uint8)
            encode_bricks(tile.values, targets, forest.coder, 0, brick, codes, shape[1])
            labels = classes[label_bricks(forest.trees, codes)]
            out[tile.box.slices((tile.box.low[0], 0, 0))] = lanes_to_block(labels, shape, brick)

        return work
