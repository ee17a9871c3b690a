"""Volume fractions, image subtraction, and the overlap of a segmentation with a truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelsError
from ..volume import Volume, check_same_grid, record, with_data


class Agreement(NamedTuple):
    """Overlap of a segmentation with a truth over the voxels whose truth is known.

    A class that neither the segmentation nor the truth holds has overlap nan: there is nothing to agree on.
    """

    #: Class values, in the order of the rows and columns of `confusion`.
    classes: tuple[int, ...]
    #: (class of the truth, class found) voxel counts; the last column counts voxels that got none of the classes.
    confusion: NDArray[np.int64]
    #: Dice coefficient 2|A and B| / (|A| + |B|) of each class.
    dice: dict[int, float]
    #: Intersection over union of each class.
    iou: dict[int, float]
    #: Share of voxels that have the class of the truth.
    accuracy: float
    #: Voxels that were scored.
    voxels: int


def volume_fractions(labels: Volume, *, classes: Sequence[int]) -> dict[int, float]:
    """Give the share of all voxels that each class takes."""
    data = np.asarray(labels.data)
    return {value: float(np.count_nonzero(data == value) / data.size) for value in classes}


def disagreement(a: Volume, b: Volume) -> float:
    """Give the share of voxels to which two segmentations give different labels.

    Raises
    ------
    VolumeError : the volumes do not lie on the same grid.
    """
    check_same_grid(a, b, names=("one segmentation", "the other"))
    return float(np.count_nonzero(np.asarray(a.data) != np.asarray(b.data)) / a.size)


def difference_map(a: Volume, b: Volume, *, label: int = 1) -> Volume:
    """Subtract two segmentations: 1 where only `a` has the label, -1 where only `b` has it, 0 where they agree.

    This is the image subtraction of Bailey et al. 2023 (J. Power Sources 557, 232503); voxels that carry other labels
    count as "not this label".

    Returns
    -------
    int8 Volume on the same grid.

    Raises
    ------
    VolumeError : the volumes do not lie on the same grid.
    """
    check_same_grid(a, b, names=("one segmentation", "the other"))
    only = (np.asarray(a.data) == label).astype(np.int8) - (np.asarray(b.data) == label).astype(np.int8)
    step = {"operation": "difference_map", "engine": "native", "version": "1", "parameters": {"label": label}}
    return record(with_data(a, only), step)


def agreement(
    labels: Volume, truth: Volume, *, classes: Sequence[int], where: NDArray[np.bool_] | None = None
) -> Agreement:
    """Compare a segmentation with a truth, class by class.

    Parameters
    ----------
    labels : (z, y, x) label volume.
    truth : (z, y, x) label volume on the same grid; 0 = not known, which is not scored.
    classes : label values to score.
    where : (z, y, x) bool; False leaves a voxel out (for instance one that was painted for training).

    Returns
    -------
    Agreement.

    Raises
    ------
    VolumeError : the volumes do not lie on the same grid.
    LabelsError : no voxel is left to score.
    """
    check_same_grid(labels, truth, names=("segmentation", "truth"))
    found, known = np.asarray(labels.data), np.asarray(truth.data)
    scored = np.isin(known, list(classes)) if where is None else np.isin(known, list(classes)) & where
    if not scored.any():
        raise LabelsError(
            f"the truth holds none of the classes {list(classes)} where it may be scored; "
            "number the truth like the labels (1 = active material, 2 = pore + carbon-binder, 0 = not known)"
        )
    confusion = _confusion(found[scored], known[scored], classes)
    hits = np.diagonal(confusion).astype(float)
    in_truth, in_labels = confusion.sum(axis=1), confusion.sum(axis=0)[:-1]
    with np.errstate(invalid="ignore"):
        dice = 2 * hits / (in_truth + in_labels)
        iou = hits / (in_truth + in_labels - hits)
    return Agreement(
        classes=tuple(classes),
        confusion=confusion,
        dice=dict(zip(classes, dice.tolist(), strict=True)),
        iou=dict(zip(classes, iou.tolist(), strict=True)),
        accuracy=float(hits.sum() / confusion.sum()),
        voxels=int(confusion.sum()),
    )


def _confusion(found: NDArray[np.integer], known: NDArray[np.integer], classes: Sequence[int]) -> NDArray[np.int64]:
    count = len(classes)
    column = np.full(found.shape, count, np.intp)
    row = np.zeros(known.shape, np.intp)
    for index, value in enumerate(classes):
        column[found == value] = index
        row[known == value] = index
    pairs = np.bincount(row * (count + 1) + column, minlength=count * (count + 1))
    return pairs.reshape(count, count + 1).astype(np.int64)
