"""The trained forest: predict labels, probabilities and uncertainty of a volume block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from ..volume import Volume, check_volume, history, record, with_data
from ._reference import compute, halo_of
from .features import Column, FeatureSet

Progress = Callable[[float], None] | None
_BLOCK = (64, 256, 256)


@dataclass(frozen=True)
class Forest:
    """A trained forest; `classes` are the label values that it knows, ascending."""

    features: FeatureSet
    classes: tuple[int, ...]
    trees: RandomForestClassifier

    def predict(self, volume: Volume, *, progress: Progress = None) -> Volume:
        """Label every voxel with the class of the highest probability (uint8)."""
        check_volume(volume)
        labels = np.zeros(volume.shape, np.uint8)
        values = np.array(self.classes, np.uint8)
        for where, table in self._walk(volume, progress):
            labels[where] = values[table.argmax(axis=1)].reshape(labels[where].shape)
        step = {"operation": "predict", "engine": "native", "classes": list(self.classes)}
        return record(with_data(volume, labels), step, after=history(volume))

    def probabilities(self, volume: Volume, *, progress: Progress = None) -> xr.DataArray:
        """Give the probability of each class: float32 with dims (class, z, y, x)."""
        check_volume(volume)
        found = np.zeros((len(self.classes), *volume.shape), np.float32)
        for where, table in self._walk(volume, progress):
            found[(slice(None), *where)] = table.T.reshape(-1, *found[(0, *where)].shape)
        coords = {"class": list(self.classes), **volume.coords}
        return xr.DataArray(found, dims=("class", *volume.dims), coords=coords, attrs=dict(volume.attrs))

    def _walk(self, volume: Volume, progress: Progress) -> Iterator[tuple[tuple[slice, ...], NDArray[np.float64]]]:
        columns = self.features.columns(dimensions=dimensions_of(volume, self.features))
        blocks = list(walk(volume.shape))
        for done, where in enumerate(blocks):
            table = feature_table(volume, where, columns)
            yield where, self.trees.predict_proba(table)
            if progress is not None:
                progress((done + 1) / len(blocks))


def dimensions_of(volume: Volume, features: FeatureSet) -> int:
    """Give 2 where slices are filtered on their own, else 3."""
    return 2 if features.flat or volume.shape[0] == 1 else 3


def walk(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Give the blocks that cover a volume."""
    starts = (range(0, size, step) for size, step in zip(shape, _BLOCK, strict=True))
    for corner in product(*starts):
        yield tuple(slice(lo, min(lo + step, size)) for lo, step, size in zip(corner, _BLOCK, shape, strict=True))


def feature_table(volume: Volume, where: tuple[slice, ...], columns: tuple[Column, ...]) -> NDArray[np.float32]:
    """Give (voxel, column) features of one block."""
    flat = not any(c.part == 2 for c in columns)
    halo = halo_of(columns)
    wide = tuple(slice(max(0, s.start - halo), min(n, s.stop + halo)) for s, n in zip(where, volume.shape, strict=True))
    inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(where, wide, strict=True))
    grey = np.asarray(volume.data[wide], np.float32)
    found = compute(grey, columns, flat=flat or volume.shape[0] == 1)[(slice(None), *inner)]
    return found.reshape(len(columns), -1).T.copy()
