"""How well an image tells two classes apart: its signal-to-noise ratio."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ..errors import LabelsError
from ..volume import Volume, check_same_grid


class SignalToNoise(NamedTuple):
    """Grey levels of two classes away from their boundary."""

    #: Difference of the mean grey levels over the root mean square of the two standard deviations.
    ratio: float
    #: Difference of the mean grey levels, first class less second.
    contrast: float
    #: Root mean square of the standard deviations inside the classes.
    noise: float


def signal_to_noise(volume: Volume, labels: Volume, *, classes: tuple[int, int] = (1, 2)) -> SignalToNoise:
    """Give the contrast of two classes in units of the noise inside them.

    Voxels next to another class are left out: there the point spread mixes the classes. Where a class is too thin to
    have an inside, all its voxels count. Texture and rings count as noise, as they do for who segments.

    Parameters
    ----------
    volume : (z, y, x) grey volume.
    labels : (z, y, x) labels on the same grid.
    classes : the two label values.

    Raises
    ------
    VolumeError : not the same grid.
    LabelsError : a class has fewer than two voxels.
    """
    check_same_grid(volume, labels, names=("the volume", "the labels"))
    grey, known = np.asarray(volume.data), np.asarray(labels.data)
    means, variances = [], []
    for label in classes:
        mask = known == label
        inside = (
            ndimage.binary_erosion(mask, np.ones((3, 3, 3), np.bool_), border_value=1) if min(mask.shape) > 2 else mask
        )
        values = grey[inside if np.count_nonzero(inside) > 1 else mask].astype(np.float64)
        if values.size < 2:
            raise LabelsError(f"class {label} has {values.size} voxels, two or more are needed to measure its noise")
        means.append(values.mean())
        variances.append(values.var())
    noise = float(np.sqrt(np.mean(variances)))
    contrast = float(means[0] - means[1])
    return SignalToNoise(abs(contrast) / noise if noise else float("inf"), contrast, noise)
