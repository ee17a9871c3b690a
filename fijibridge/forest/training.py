"""Train a forest on labelled voxels, and again, quickly, when more are painted."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray

from ..choices import MIN_LEAF, TREES
from ..errors import ParameterError
from ..volume import Volume, VoxelSize, check_volume, voxel_size
from ._blocks import Progress, blocks, cores, runner
from ._extract import Extractor
from ._grow import ClassWeight, grow
from ._labels import Labels, Painted, painted_voxels, thinned
from ._plan import make_plan
from ._pyramid import Box, Coarse
from ._smooth import Floats
from ._trees import pack
from .features import FeatureSet
from .model import Forest

#: Tiles in which training computes features: small, since labels are sparse and the floats of a tile are held.
_TILE = (16, 32, 64)


def train(
    volume: Volume,
    labels: Labels,
    *,
    features: FeatureSet | None = None,
    trees: int = TREES,
    min_leaf: int = MIN_LEAF,
    max_depth: int | None = None,
    class_weight: ClassWeight = "balanced",
    most: int = 20_000,
    out_of_bag: bool = False,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = None,
) -> Forest:
    """Train a random forest on the labelled voxels of a volume.

    Parameters
    ----------
    volume : (z, y, x) grey volume; one slice (z = 1) is filtered in 2-D.
    labels : integer Volume on the grid of `volume`, or ``{z: (y, x) integer array}`` for painted slices alone;
        0 = unlabelled, 1 to 255 = classes.
    features : the filters, default `FeatureSet.default()`.
    trees : number of trees, 1 to 1000.
    min_leaf : fewest voxels in a leaf; 1 grows the trees to the full.
    max_depth : deepest a tree may grow, None for no limit.
    class_weight : ``"balanced"``, the default, lets every class count the same: how much somebody painted of a class
        says little about how frequent it is. None lets every labelled voxel count the same.
    most : voxels of one class that are trained on at most; more are thinned out evenly.
    out_of_bag : also measure the share of voxels that the trees which did not see them get wrong; with strokes of
        paint this is far too hopeful, since neighbours resemble each other: see `cross_validate`.
    seed : of the forest's random choices.
    threads : default one for each core; the forest does not depend on it.
    progress : called with the share done, 0 to 1.

    Returns
    -------
    Forest, which knows how it was trained in `provenance`.

    Raises
    ------
    LabelsError : labels on another grid, of a non-integer dtype, out of 0 to 255, or with fewer than two classes.
    ParameterError : a number out of its range.
    VolumeError : the volume holds NaN near a label, or has no voxel size where the features are in nm.
    """
    return Trainer(volume, features=features, threads=threads).fit(
        labels,
        trees=trees,
        min_leaf=min_leaf,
        max_depth=max_depth,
        class_weight=class_weight,
        most=most,
        out_of_bag=out_of_bag,
        seed=seed,
        progress=progress,
    )


class Trainer:
    """Trains forests on one volume and keeps the features of voxels that were labelled once.

    Parameters
    ----------
    volume : (z, y, x) grey volume.
    features : the filters, default `FeatureSet.default()`.
    threads : default one for each core.
    """

    def __init__(self, volume: Volume, *, features: FeatureSet | None = None, threads: int | None = None) -> None:
        self.volume = check_volume(volume)
        self.features = FeatureSet.default() if features is None else features
        self.dimensions = 2 if self.features.flat or volume.shape[0] == 1 else 3
        self.threads = cores() if threads is None else threads
        self.gain = _gain(volume)
        self._size = voxel_size(volume)
        plan = make_plan(self.features, self._size, dimensions=self.dimensions)
        self.extractor = Extractor(volume.data, plan, self.gain)
        self._known = np.empty(0, np.int64)
        self._table = np.empty((0, len(plan.columns)), np.float32)

    def fit(
        self,
        labels: Labels,
        *,
        trees: int = TREES,
        min_leaf: int = MIN_LEAF,
        max_depth: int | None = None,
        class_weight: ClassWeight = "balanced",
        most: int = 20_000,
        out_of_bag: bool = False,
        seed: int = 0,
        progress: Progress = None,
    ) -> Forest:
        """Train a forest; parameters, result and errors are those of `train`."""
        shape = {"trees": trees, "min_leaf": min_leaf, "max_depth": max_depth, "class_weight": class_weight}
        settings = {**shape, "most": most, "seed": seed}
        _check_numbers(
            trees=(trees, 1000), min_leaf=(min_leaf, 10**9), most=(most, 10**9), max_depth=(max_depth or 1, 10**9)
        )
        painted = thinned(painted_voxels(self.volume, labels), most, seed)
        table = self.table(painted, progress=progress)
        coder, model = grow(
            table,
            painted.value,
            trees=trees,
            min_leaf=min_leaf,
            max_depth=max_depth,
            class_weight=class_weight,
            out_of_bag=out_of_bag,
            seed=seed,
            threads=self.threads,
        )
        if progress is not None:
            progress(1.0)
        provenance = _provenance(settings, painted, self.extractor.shape, self._size)
        if out_of_bag:
            provenance["out_of_bag_error"] = 1 - float(model.oob_score_)
        classes = tuple(int(value) for value in model.classes_)
        return Forest(
            self.features,
            self.dimensions,
            self._size,
            classes,
            self.gain,
            coder,
            pack(model),
            model.feature_importances_,
            provenance,
        )

    @property
    def kept(self) -> int:
        """How many voxels' features are kept."""
        return self._known.size

    def table(self, painted: Painted, *, progress: Progress = None) -> Floats:
        """Give (voxel, column) features of labelled voxels, computing only those not seen before."""
        new = np.setdiff1d(painted.voxels, self._known, assume_unique=True)
        if new.size:
            fresh = self._compute(new, progress)
            known = np.concatenate([self._known, new])
            order = np.argsort(known)
            self._known, self._table = known[order], np.concatenate([self._table, fresh])[order]
        return self._table[np.searchsorted(self._known, painted.voxels)]

    def _compute(self, index: NDArray[np.int64], progress: Progress) -> Floats:
        shape = self.extractor.shape
        places = np.stack(np.unravel_index(index, shape), axis=1)
        out = np.empty((index.size, self._table.shape[1]), np.float32)
        done = 0
        with runner(self.threads) as run:
            for members in _grouped(places, next(blocks(Box((0, 0, 0), shape))).shape):
                coarse = self.extractor.surroundings(_around(places[members]), run)
                groups = _grouped(places[members], _TILE)
                run(self._gather(places, members[group], coarse, out) for group in groups)
                done += members.size
                if progress is not None:
                    progress(0.9 * done / index.size)
        return out

    def _gather(self, places: NDArray[np.int64], members: NDArray[np.int64], coarse: list[Coarse], out: Floats) -> Any:
        def work() -> None:
            box = _around(places[members])
            z, y, x = (places[members] - box.low).T
            out[members] = self.extractor.floats(box, coarse)[:, z, y, x].T

        return work


def _grouped(places: NDArray[np.int64], size: tuple[int, int, int]) -> list[NDArray[np.int64]]:
    """Group voxels by the block of a regular grid that they lie in."""
    _, group = np.unique(places // np.array(size), axis=0, return_inverse=True)
    group = group.ravel()
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _around(places: NDArray[np.int64]) -> Box:
    low, high = places.min(axis=0).tolist(), (places.max(axis=0) + 1).tolist()
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def _gain(volume: Volume) -> float:
    """Give the power of 2 that brings grey values to the order of 0-255; bytes are left as they are."""
    if volume.dtype.kind == "b" or volume.dtype == np.uint8:
        return 1.0
    steps = tuple(slice(None, None, max(1, n // 64)) for n in volume.shape)
    sample = np.asarray(volume.data[steps], np.float64)
    spread = float(np.ptp(np.percentile(sample[np.isfinite(sample)], (0.1, 99.9)))) if np.isfinite(sample).any() else 0
    return float(2.0 ** np.round(np.log2(255 / spread))) if spread > 0 else 1.0


def _check_numbers(**numbers: tuple[int, int]) -> None:
    for name, (value, most) in numbers.items():
        if not 1 <= value <= most:
            raise ParameterError(f"{name} must lie between 1 and {most}, got {value}")


def _provenance(settings: dict[str, Any], painted: Painted, shape: tuple[int, ...], size: VoxelSize) -> dict[str, Any]:
    values, counts = np.unique(painted.value, return_counts=True)
    return {
        **settings,
        "volume": list(shape),
        "voxel_size": list(size),
        "voxels_per_class": {str(value): int(count) for value, count in zip(values, counts, strict=True)},
        "scikit_learn": sklearn.__version__,
    }
