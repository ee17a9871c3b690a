"""The trained forest: labels, probabilities and uncertainty of a volume, block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ModelError, ParameterError
from ..volume import Volume, VoxelSize, check_volume, history, record, voxel_size, with_data
from ._blocks import Progress, release_pages, walk
from ._encode import Bytes, Coder, lanes_to_block
from ._evaluate import label_bricks, probability_bricks
from ._extract import Extractor, brick_shape
from ._plan import Plan, finest_edge, make_plan
from ._pyramid import Box, Coarse, read_for
from ._trees import Trees
from .features import FeatureSet

#: Voxel sizes that differ by less than this share are the same.
_SAME_SIZE = 0.01
#: Gives (brick, channel, lane) values of bricks.
_Evaluate = Callable[[Bytes, Trees], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Forest:
    """A trained forest.

    Attributes
    ----------
    features : what it looks at.
    dimensions : 3, or 2 where each z slice is filtered on its own.
    voxel_size : of the volume that it was trained on.
    classes : the label values that it knows, ascending.
    gain : factor, a power of 2, that brings that volume's grey values to the order of 0-255.
    coder : how a feature becomes a byte.
    trees : the trees.
    importance : (column,) share of each feature in what the trees gain by their splits.
    provenance : how it was trained, in JSON terms.
    """

    features: FeatureSet
    dimensions: int
    voxel_size: VoxelSize
    classes: tuple[int, ...]
    gain: float
    coder: Coder
    trees: Trees
    importance: NDArray[np.float64]
    provenance: Mapping[str, Any]

    def predict(
        self,
        volume: Volume,
        *,
        z: int | None = None,
        out: Any = None,
        threads: int | None = None,
        progress: Progress = None,
    ) -> Volume:
        """Label every voxel with the class of the highest mean share over the trees.

        Parameters
        ----------
        volume : (z, y, x) grey volume of the voxel size of the training volume.
        z : one slice to label; its neighbours are looked at, so it gets the labels that the whole volume would give it.
        out : (z, y, x) uint8 array or memory map to write to; a new array if None.
        threads : default one for each core.
        progress : called with the share done, 0 to 1.

        Returns
        -------
        Volume of uint8 label values on the same grid (or that of the slice). Ties go to the lowest value. The labels
        are the same for any number of threads and any way of cutting the volume.

        Raises
        ------
        ModelError : the volume's voxel size is not that of the training, or it has slices where the training had one.
        VolumeError : the volume holds NaN.
        ParameterError : `z` lies outside the volume, `threads` is below 1, or `out` does not fit.
        """
        box, out = self._target(volume, z, out, (), np.uint8)
        self._evaluate(volume.data, self._labels, box, out[None], threads=threads, progress=progress)
        return self._finish(volume, z, out, "predict")

    def label_part(
        self, data: Any, box: tuple[slice, slice, slice], *, threads: int | None = None
    ) -> NDArray[np.uint8]:
        """Label the voxels of a box as `predict` labels them in the whole volume.

        Parameters
        ----------
        data : whatever has the (z, y, x) shape of the whole volume and gives the part that `needs` names.
        box : the voxels to label.
        threads : default one for each core.
        """
        wanted = _box_of(box)
        out = np.empty(wanted.shape, np.uint8)
        self._evaluate(data, self._labels, wanted, out[None], threads=threads, progress=None)
        return out

    def needs(self, box: tuple[slice, slice, slice], shape: tuple[int, int, int]) -> tuple[slice, slice, slice]:
        """Give the voxels of a volume of this shape that the labels of a box depend on."""
        return read_for(self._asked_for[0], _box_of(box), shape).slices()

    def check(self, volume: Volume) -> None:
        """Raise ModelError where the forest was trained on other voxels than those of the volume."""
        size = voxel_size(check_volume(volume))
        if self.dimensions == 3 and volume.shape[0] == 1:
            raise ModelError(
                "the forest was trained on a 3-D volume and cannot label a single slice; give it the volume"
            )
        if self.dimensions == 2 and not self.features.flat and volume.shape[0] > 1:
            raise ModelError(
                f"the forest was trained on a single slice, got a volume of {volume.shape[0]}; "
                "train with FeatureSet(..., flat=True) to label slices one by one"
            )
        if not _same_voxels(self.voxel_size, size, self.dimensions):
            mine, other = _words(self.voxel_size), _words(size)
            raise ModelError(f"the forest was trained on voxels of {mine}, the volume has {other}; resample it first")

    def predicted(self, volume: Volume, labels: Any) -> Volume:
        """Give labels, made by parts, the grid of their volume and its history with this step behind it."""
        return self._finish(volume, None, labels, "predict")

    def probabilities(
        self,
        volume: Volume,
        *,
        z: int | None = None,
        out: Any = None,
        threads: int | None = None,
        progress: Progress = None,
    ) -> xr.DataArray:
        """Give the probability of each class: the mean over the trees of the class's share in the leaf reached.

        Parameters are those of `predict`; `out` is a (class, z, y, x) float32 array.

        Returns
        -------
        DataArray of float32 with dims (class, z, y, x); the coordinate ``class`` holds the label values.
        """
        box, out = self._target(volume, z, out, (len(self.classes),), np.float32)
        self._evaluate(
            volume.data,
            lambda bricks, trees: probability_bricks(trees, bricks),
            box,
            out,
            threads=threads,
            progress=progress,
        )
        first = self._finish(volume, z, out[0], "probabilities")
        coords = {"class": list(self.classes), **first.coords}
        return xr.DataArray(out, dims=("class", *first.dims), coords=coords, attrs=dict(first.attrs))

    def uncertainty(
        self, volume: Volume, *, z: int | None = None, threads: int | None = None, progress: Progress = None
    ) -> Volume:
        """Give 1 less the lead of the likeliest class over the next: 0 where the trees agree, 1 where two classes tie.

        Parameters are those of `predict`. Returns a float32 Volume.
        """
        box, out = self._target(volume, z, None, (), np.float32)
        self._evaluate(volume.data, _doubt, box, out[None], threads=threads, progress=progress)
        return self._finish(volume, z, out, "uncertainty")

    def ranking(self) -> list[tuple[str, float]]:
        """Give each feature's name and importance (shares of 1), most important first."""
        names = [column.name for column in self.features.columns(dimensions=self.dimensions)]
        order = np.argsort(-self.importance, kind="stable")
        return [(names[index], float(self.importance[index])) for index in order]

    def _labels(self, bricks: Bytes, trees: Trees) -> NDArray[Any]:
        found: NDArray[Any] = np.array(self.classes, np.uint8)[label_bricks(trees, bricks)][:, None]
        return found

    @cached_property
    def _asked_for(self) -> tuple[Plan, Coder, Trees]:
        """Give what to compute: the features that some tree asks for, and the trees asking for those alone."""
        columns = self.trees.columns
        plan = make_plan(self.features, self.voxel_size, dimensions=self.dimensions, wanted=columns)
        return plan, self.coder.taking(columns), self.trees.renumbered(columns)

    def _evaluate(
        self,
        data: Any,
        evaluate: _Evaluate,
        box: Box,
        out: NDArray[Any],
        *,
        threads: int | None,
        progress: Progress,
    ) -> None:
        """Evaluate a region of a volume into the (channel, z, y, x) array `out`."""
        plan, coder, trees = self._asked_for
        extractor = Extractor(data, plan, self.gain)

        def work(tile: Box, coarse: list[Coarse]) -> None:
            values = evaluate(extractor.bricks(tile, coarse, coder), trees)
            where = tile.slices(box.low)
            for channel in range(out.shape[0]):
                out[(channel, *where)] = lanes_to_block(values[:, channel], tile.shape, brick_shape(tile.shape))

        def release() -> None:
            release_pages(data)
            release_pages(out)

        walk(extractor, box, work, threads=threads, progress=progress, release=release)

    def _target(
        self, volume: Volume, z: int | None, out: Any, channels: tuple[int, ...], dtype: type[np.generic]
    ) -> tuple[Box, Any]:
        """Check the volume, and give the region asked for and the array to write it to."""
        self.check(volume)
        depth, ny, nx = volume.shape
        if z is not None and not 0 <= z < depth:
            raise ParameterError(f"the volume has slices 0 to {depth - 1}, got z = {z}")
        box = Box((0, 0, 0), (depth, ny, nx)) if z is None else Box((z, 0, 0), (z + 1, ny, nx))
        shape = (*channels, *box.shape)
        if out is None:
            return box, np.empty(shape, dtype)
        if tuple(out.shape) != shape or out.dtype != dtype:
            raise ParameterError(
                f"out must be {np.dtype(dtype)} of shape {shape}, got {out.dtype} of {tuple(out.shape)}"
            )
        return box, out

    def _finish(self, volume: Volume, z: int | None, data: Any, operation: str) -> Volume:
        here = volume if z is None else volume[z : z + 1]
        step = {"operation": operation, "engine": "native", "forest": dict(self.provenance), "z": z}
        return record(with_data(here, data), step, after=history(volume))


def _box_of(box: tuple[slice, slice, slice]) -> Box:
    z, y, x = box
    return Box((z.start, y.start, x.start), (z.stop, y.stop, x.stop))


def _doubt(bricks: Bytes, trees: Trees) -> NDArray[Any]:
    shares = np.sort(probability_bricks(trees, bricks), axis=1)
    return 1 - (shares[:, -1:] - shares[:, -2:-1])


def _same_voxels(a: VoxelSize, b: VoxelSize, dimensions: int) -> bool:
    """Compare voxel sizes; where one is not known, the proportions of the axes that are filtered."""
    if "voxel" in (a.units, b.units):
        scale = finest_edge(a, dimensions) / finest_edge(b, dimensions)
    else:
        b, scale = b.to("nm"), 1.0
        a = a.to("nm")
    pairs = [(a.y, b.y), (a.x, b.x), (a.z, b.z)][:dimensions]
    return all(abs(theirs * scale / mine - 1) <= _SAME_SIZE for mine, theirs in pairs)


def _words(size: VoxelSize) -> str:
    return f"{size.z:.6g} x {size.y:.6g} x {size.x:.6g} {size.units}"
