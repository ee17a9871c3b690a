"""From grey ranges to classes: which class is brighter, where the thresholds and the watershed windows lie."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..errors import LabelsError
from ..volume import Volume

#: Share of the way from the threshold to the mean grey level of either side that a watershed leaves without a seed:
#: generous seeds leave little to the flooding, conservative ones leave much.
WINDOW_SHARE = {"gWS": 0.25, "cWS": 0.75}


class Window(NamedTuple):
    """The grey levels between two seeds: below `low` is dark, above `high` is bright, between is for the watershed."""

    low: float
    high: float


def classes_by_brightness(volume: Volume, labels: Volume) -> tuple[int, ...]:
    """Give the label values from the darkest to the brightest, by the median grey level of the labelled voxels.

    Raises
    ------
    LabelsError : fewer than two classes are labelled.
    """
    painted = np.asarray(labels.data)
    values = [int(value) for value in np.unique(painted) if value]
    if len(values) < 2:
        raise LabelsError(
            f"the labels hold {len(values)} class{'' if len(values) == 1 else 'es'}, at least two are needed; "
            "paint 1 = active material and 2 = pore + carbon-binder, 0 = unlabelled"
        )
    grey = np.asarray(volume.data)
    medians = {value: float(np.median(grey[painted == value])) for value in values}
    return tuple(sorted(values, key=medians.__getitem__))


def multi_otsu(volume: Volume, count: int) -> tuple[float, ...]:
    """Give the `count` thresholds that part the histogram into `count` + 1 ranges of least variance within.

    Source: Liao, Chen and Chung 2001, J. Inf. Sci. Eng. 17, 713 (scikit-image). Larger counts bin more coarsely, since
    the search visits every combination of bins.
    """
    from skimage.filters import threshold_multiotsu  # slow to import

    grey = np.asarray(volume.data)
    bins = 256 if count <= 2 else 64
    return tuple(float(value) for value in threshold_multiotsu(grey, classes=count + 1, nbins=bins))


def windows(volume: Volume, thresholds: tuple[float, ...], method: str) -> tuple[Window, ...]:
    """Give the grey window around each threshold that the watershed `method` ("gWS" or "cWS") leaves without a seed."""
    means = range_means(volume, thresholds)
    share = WINDOW_SHARE[method]
    return tuple(
        window_around(value, dark, bright, share)
        for value, dark, bright in zip(thresholds, means[:-1], means[1:], strict=True)
    )


def window_around(threshold: float, dark: float, bright: float, share: float) -> Window:
    """Leave `share` of the way from the threshold to the mean grey level of either side without a seed."""
    return Window(low=threshold - share * (threshold - dark), high=threshold + share * (bright - threshold))


def range_means(volume: Volume, thresholds: tuple[float, ...]) -> list[float]:
    """Give the mean grey level of each range between the thresholds, from the darkest to the brightest."""
    grey = np.asarray(volume.data)
    edges = [-np.inf, *thresholds, np.inf]
    means = []
    for low, high in pairwise(edges):
        inside = grey[(grey > low) & (grey <= high)]
        means.append(float(inside.mean()) if inside.size else float(np.clip(low, grey.min(), grey.max())))
    return means
