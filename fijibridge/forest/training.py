"""Train a forest on labelled voxels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import RandomForestClassifier

from ..errors import LabelsError
from ..volume import Volume, check_volume, describe_grid, same_grid
from .features import FeatureSet
from .model import Forest, Progress, dimensions_of, feature_table, walk

Labels = Volume | Mapping[int, ArrayLike]


def train(
    volume: Volume,
    labels: Labels,
    *,
    features: FeatureSet | None = None,
    trees: int = 30,
    min_leaf: int = 10,
    seed: int = 0,
    progress: Progress = None,
) -> Forest:
    """Train a random forest on the labelled voxels of a volume.

    Parameters
    ----------
    volume : (z, y, x) grey volume; one slice (z = 1) is filtered in 2-D.
    labels : integer Volume on the grid of `volume`, or ``{z: (y, x) integer array}`` for painted slices alone;
        0 = unlabelled, 1 to 255 = classes.
    features : the filters, default `FeatureSet.default()`.
    trees : number of trees.
    min_leaf : fewest voxels in a leaf.
    seed : of the forest's random choices.
    progress : called with the share done, 0 to 1.

    Raises
    ------
    LabelsError : labels on another grid, of a non-integer dtype, out of 0 to 255, or with fewer than two classes.
    """
    check_volume(volume)
    features = FeatureSet.of(sigmas=(0.3, 0.7, 1.0, 1.6, 3.5)) if features is None else features
    painted = check_labels(volume, labels)
    columns = features.columns(dimensions=dimensions_of(volume, features))
    tables, classes = [], []
    blocks = list(walk(volume.shape))
    for done, where in enumerate(blocks):
        block = painted[where]
        if block.any():
            tables.append(feature_table(volume, where, columns)[block.ravel() > 0])
            classes.append(block[block > 0])
        if progress is not None:
            progress((done + 1) / len(blocks))
    model = RandomForestClassifier(trees, min_samples_leaf=min_leaf, random_state=seed, n_jobs=2)
    model.fit(np.concatenate(tables), np.concatenate(classes))
    return Forest(features, tuple(int(value) for value in model.classes_), model)


def check_labels(volume: Volume, labels: Labels) -> NDArray[np.uint8]:
    """Give the labels as uint8 of the volume's shape, or say why they will not do."""
    if isinstance(labels, Mapping):
        full = np.zeros(volume.shape, np.uint8)
        for z, painted in labels.items():
            full[z] = _as_labels(np.asarray(painted))
    else:
        if not same_grid(volume, check_volume(labels)):
            raise LabelsError(
                f"labels lie on another grid than the volume: {describe_grid(labels)} against {describe_grid(volume)}; "
                "resample or crop them to the volume's grid"
            )
        full = _as_labels(np.asarray(labels.data))
    if np.unique(full[full > 0]).size < 2:
        raise LabelsError(f"training needs at least two classes, got {np.unique(full[full > 0]).tolist()}; paint more")
    return full


def _as_labels(array: NDArray[np.generic]) -> NDArray[np.uint8]:
    if array.dtype.kind not in "ui":
        raise LabelsError(f"labels are integers, got dtype {array.dtype}; convert them with astype('uint8')")
    if array.size and (array.min() < 0 or array.max() > 255):
        raise LabelsError(f"labels go from 0 to 255, got {array.min()} to {array.max()}")
    return array.astype(np.uint8)
