"""How good is a forest really, and how many features does it need? Cross-validation by blocks of space."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..choices import MIN_LEAF, TREES
from ..errors import LabelsError, ParameterError
from ._blocks import Progress
from ._grow import grow
from ._labels import Labels, Painted, painted_voxels, thinned
from ._smooth import Floats
from .features import FeatureSet
from .training import Trainer


class CrossValidation(NamedTuple):
    """Accuracy on labelled voxels far from those trained on.

    Attributes
    ----------
    accuracy : share of left-out voxels that were labelled right, over all folds.
    folds : (fold,) the same for each fold.
    classes : label values.
    confusion : (true class, predicted class) counts of voxels.
    """

    accuracy: float
    folds: tuple[float, ...]
    classes: tuple[int, ...]
    confusion: NDArray[np.int64]


class Suggestion(NamedTuple):
    """A smaller feature set and what it costs.

    Attributes
    ----------
    features : the suggested set.
    columns : how many features it has.
    accuracy : its cross-validated accuracy.
    full_accuracy : that of all features.
    tried : (number of features, accuracy) of every set that was tried, largest first.
    """

    features: FeatureSet
    columns: int
    accuracy: float
    full_accuracy: float
    tried: tuple[tuple[int, float], ...]


def cross_validate(
    trainer: Trainer,
    labels: Labels,
    *,
    folds: int = 5,
    block: int = 32,
    trees: int = TREES,
    min_leaf: int = MIN_LEAF,
    most: int = 20_000,
    seed: int = 0,
    progress: Progress = None,
) -> CrossValidation:
    """Train on some blocks of the volume and test on the others, each block being left out once.

    Neighbouring voxels look alike, so voxels left out at random are known beforehand from their neighbours, and the
    accuracy comes out far too high; whole blocks left out give the accuracy where nobody has painted.

    Parameters
    ----------
    trainer : of the volume; features that it knows are not computed again.
    labels : as for `train`.
    folds : number of rounds, at least 2.
    block : edge of a block in voxels, at least 1; take it larger than what a stroke of paint covers.
    trees, min_leaf, most, seed : as for `train`.
    progress : called with the share done, 0 to 1.

    Raises
    ------
    LabelsError : labels that will not do, or that lie in too few blocks for so many folds.
    ParameterError : `folds` or `block` too small.
    """
    if folds < 2 or block < 1:
        raise ParameterError(f"folds must be at least 2 and block at least 1, got {folds} and {block}")
    painted = thinned(painted_voxels(trainer.volume, labels), most, seed)
    table = trainer.table(painted)
    fold = _folds(painted, trainer.volume.shape, folds, block, seed)
    return _validate(table, painted.value, fold, trees=trees, min_leaf=min_leaf, seed=seed, progress=progress)


def suggest_features(
    trainer: Trainer,
    labels: Labels,
    *,
    cost: float = 0.002,
    folds: int = 5,
    block: int = 32,
    trees: int = TREES,
    min_leaf: int = MIN_LEAF,
    most: int = 20_000,
    seed: int = 0,
    progress: Progress = None,
) -> Suggestion:
    """Suggest the smallest feature set whose cross-validated accuracy is at most `cost` below that of all features.

    Features are ranked by their importance in a forest of all of them; of that ranking the first half, the first
    quarter and so on are tried, then bisected. Parameters and errors are those of `cross_validate`.
    """
    if folds < 2 or block < 1:
        raise ParameterError(f"folds must be at least 2 and block at least 1, got {folds} and {block}")
    painted = thinned(painted_voxels(trainer.volume, labels), most, seed)
    table = trainer.table(painted)
    fold = _folds(painted, trainer.volume.shape, folds, block, seed)
    model = grow(table, painted.value, trees=trees, min_leaf=min_leaf, seed=seed).model
    order = np.argsort(-model.feature_importances_, kind="stable")
    tried: dict[int, float] = {}

    def accuracy(count: int) -> float:
        if count not in tried:
            tried[count] = _validate(
                table[:, order[:count]], painted.value, fold, trees=trees, min_leaf=min_leaf, seed=seed
            ).accuracy
            if progress is not None:
                progress(min(1.0, len(tried) / (2 * np.log2(order.size) + 1)))
        return tried[count]

    full = accuracy(order.size)
    count = _smallest(order.size, lambda n: accuracy(n) >= full - cost)
    columns = trainer.features.columns(dimensions=trainer.dimensions)
    names = tuple(columns[index].name for index in sorted(order[:count].tolist()))
    features = FeatureSet(names, unit=trainer.features.unit, flat=trainer.features.flat)
    return Suggestion(features, count, tried[count], full, tuple(sorted(tried.items(), reverse=True)))


def _smallest(most: int, good: Callable[[int], bool]) -> int:
    """Bisect for the smallest good number, taking it that what is enough stays enough when there is more."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high


def _folds(painted: Painted, shape: tuple[int, ...], folds: int, block: int, seed: int) -> NDArray[np.int64]:
    """Deal blocks out to folds, the fullest first, each to the fold that has least."""
    places = np.stack(np.unravel_index(painted.voxels, shape), axis=1) // block
    _, group = np.unique(places, axis=0, return_inverse=True)
    group = group.ravel()
    sizes = np.bincount(group)
    if sizes.size < folds:
        raise LabelsError(
            f"the labels lie in {sizes.size} blocks of {block} voxels, too few for {folds} folds; "
            "paint in more places or take smaller blocks"
        )
    shuffled = np.random.default_rng(seed).permutation(sizes.size)
    load, dealt = np.zeros(folds), np.empty(sizes.size, np.int64)
    for number in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        dealt[number] = np.argmin(load)
        load[dealt[number]] += sizes[number]
    return dealt[group]


def _validate(
    table: Floats,
    values: NDArray[np.uint8],
    fold: NDArray[np.int64],
    *,
    trees: int,
    min_leaf: int,
    seed: int,
    progress: Progress = None,
) -> CrossValidation:
    classes = np.unique(values)
    confusion = np.zeros((classes.size, classes.size), np.int64)
    folds = int(fold.max()) + 1
    shares = []
    for number in range(folds):
        left_out = fold == number
        if np.unique(values[~left_out]).size < 2:
            raise LabelsError("all labels of a class lie in one block; paint each class in more places")
        grown = grow(table[~left_out], values[~left_out], trees=trees, min_leaf=min_leaf, seed=seed)
        found = grown.predict(table[left_out])
        np.add.at(confusion, (np.searchsorted(classes, values[left_out]), np.searchsorted(classes, found)), 1)
        shares.append(float((found == values[left_out]).mean()))
        if progress is not None:
            progress((number + 1) / folds)
    accuracy = float(np.trace(confusion) / confusion.sum())
    return CrossValidation(accuracy, tuple(shares), tuple(classes.tolist()), confusion)
