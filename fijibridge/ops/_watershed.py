"""Marker-based watershed on the gradient, with seeds from two grey levels."""

from __future__ import annotations

from math import isfinite

import numpy as np

from ..errors import ParameterError
from ..operation import Engine, operation
from ..volume import Volume, with_data
from ._fiji import imagej_version, mask, run
from ._flood import flood, gradient_levels

_DARK, _BRIGHT = np.uint8(1), np.uint8(2)


@operation(halo=None)
def watershed(volume: Volume, *, low: float, high: float, engine: Engine = "native") -> Volume:
    """Part bright from dark by flooding the gradient from seeds on either side of a window of grey levels.

    Voxels darker than `low` and brighter than `high` are seeds; the window between them is left to the watershed, whose
    lines follow the steepest grey edges. A small window is what Bailey et al. 2023 call a generous choice of seeds, a
    large one a conservative choice.

    Parameters
    ----------
    volume : (z, y, x) grey volume, any real dtype.
    low : voxels below it are dark seeds, in grey levels; less than `high`.
    high : voxels above it are bright seeds, in grey levels.

    Returns
    -------
    Mask on the same grid: True where the bright seeds' water arrived.

    Raises
    ------
    ParameterError : `low` is not below `high`, or no voxel lies below `low` or above `high`.

    Engines: native - 3-D, Sobel gradient, ordered queues; fiji - macros/watershed.ijm with plain ImageJ's *Find Edges*
    and *Find Maxima…* (segmented particles).
    Differences: ImageJ floods each slice by itself, in 127 steps of a 2-D gradient; seeds of one slice do not reach the
    next, and a slice without any seed is parted at the middle of the window. Seed pixels next to a seed of the other
    kind are left to the flooding, since touching seeds would be one maximum there. The watershed lines are given to the
    side they touch, and where they touch both to the nearer grey level.
    Source: Meyer 1994, Signal Processing 38, 113; ImageJ 1.54p, ij.plugin.filter.MaximumFinder.
    """


@watershed.check
def _check(volume: Volume, *, low: float, high: float) -> None:
    if not (isfinite(low) and isfinite(high) and low < high):
        raise ParameterError(f"the window needs low < high, got low={low:.6g} and high={high:.6g}; swap or widen them")
    grey = np.asarray(volume.data)
    if grey.dtype.kind == "b":
        raise ParameterError("watershed works on grey values and got a mask; give it the grey volume")
    darkest, brightest = grey.min(), grey.max()
    if darkest >= low or brightest <= high:
        side = f"below low={low:.6g}" if darkest >= low else f"above high={high:.6g}"
        raise ParameterError(
            f"no voxel lies {side}, so there is no seed; the grey levels run from {darkest:.6g} to {brightest:.6g}"
        )


@watershed.engine("native")
def _native(volume: Volume, *, low: float, high: float) -> Volume:
    grey = np.asarray(volume.data)
    seeds = (grey < low).astype(np.uint8)
    seeds[grey > high] = _BRIGHT
    return with_data(volume, flood(gradient_levels(grey), seeds) == _BRIGHT)


@watershed.engine("fiji", version=imagej_version)
def _fiji(volume: Volume, *, low: float, high: float) -> Volume:
    return mask(volume, run("watershed.ijm", volume, low=low, high=high).image)
