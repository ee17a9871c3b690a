"""How far several people's segmentations of one volume lie apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..errors import LabelsError
from ..volume import Volume
from .agreement import disagreement


class Subtraction(NamedTuple):
    """Image subtraction over every pair of users."""

    #: Share of voxels to which two users give different labels, by the pair's names.
    pairs: dict[tuple[str, str], float]
    #: Mean over the pairs.
    mean: float


def sample_std(values: Sequence[float]) -> float:
    """Give the sample standard deviation (n - 1); nan for fewer than two values, which have no spread."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def subtraction(segmentations: Mapping[str, Volume]) -> Subtraction:
    """Subtract the segmentations of one volume from each other, user by user.

    Parameters
    ----------
    segmentations : label volumes on one grid by the users' names.

    Returns
    -------
    Subtraction with the pairs in the order of the users.

    Raises
    ------
    LabelsError : fewer than two users.
    VolumeError : the volumes do not lie on one grid.

    Source: Bailey et al. 2023, J. Power Sources 557, 232503 (pairs A-B, A-C, B-C and their mean).
    """
    if len(segmentations) < 2:
        raise LabelsError(f"image subtraction needs at least two users, got {len(segmentations)}; add another user")
    pairs = {(a, b): disagreement(segmentations[a], segmentations[b]) for a, b in combinations(segmentations, 2)}
    return Subtraction(pairs, float(np.mean(list(pairs.values()))))
