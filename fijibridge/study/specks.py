"""Removal of specks: pieces of a class below a size get the class around them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..errors import ParameterError
from ..volume import Volume, record, with_data


def remove_specks(labels: Volume, *, smallest: int) -> Volume:
    """Give pieces of either class with fewer than `smallest` voxels to the other class.

    The usual remedy for noise that passes a threshold, and an error-prone one: small particles go with the specks.

    Parameters
    ----------
    labels : (z, y, x) labels, 1 and 2.
    smallest : voxels of the smallest piece (joined by faces) that stays, 1 or more; 1 changes nothing.

    Returns
    -------
    Volume on the same grid; the step is recorded.

    Raises
    ------
    ParameterError : `smallest` below 1.
    """
    if smallest < 1:
        raise ParameterError(f"the smallest piece that stays has 1 voxel or more, got {smallest}")
    data = np.asarray(labels.data).copy()
    for value in (1, 2):
        pieces, _ = ndimage.label(data == value)
        small = np.bincount(pieces.ravel()) < smallest
        small[0] = False
        data[small[pieces]] = 3 - value
    step = {"operation": "remove_specks", "engine": "native", "version": "1", "parameters": {"smallest": smallest}}
    return record(with_data(labels, data), step)
