"""Marker-based watershed on the gradient, with seeds from two grey levels."""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineFailedError, EngineMissingError, ParameterError
from ..operation import Engine, operation
from ..volume import Volume, with_data
from ._fiji import imagej_version, mask, run
from ._flood import flood as fill
from ._flood import gradient_levels
from ._watershed_stack import BRIGHT, seeds_of, stack_survey
from .parts import Survey, blank, by_engine, some_bytes

Flood = Literal["auto", "stack", "slices"]


@operation(halo=None)
def watershed(volume: Volume, *, low: float, high: float, flood: Flood = "auto", engine: Engine = "native") -> Volume:
    """Part bright from dark by flooding the gradient from seeds on either side of a window of grey levels.

    Voxels darker than `low` and brighter than `high` are seeds; the window between them is left to the watershed, whose
    lines follow the steepest grey edges. A small window is what Bailey et al. 2023 call a generous choice of seeds, a
    large one a conservative choice.

    Parameters
    ----------
    volume : (z, y, x) grey volume, any real dtype.
    low : voxels below it are dark seeds, in grey levels; less than `high`.
    high : voxels above it are bright seeds, in grey levels.
    flood : ``"stack"`` in 3-D, ``"slices"`` each z slice by itself, ``"auto"`` what the engine always can: the stack
        natively, slices in ImageJ.

    Returns
    -------
    Mask on the same grid: True where the bright seeds' water arrived.

    Raises
    ------
    ParameterError : `low` is not below `high`, or no voxel (with slices: no voxel of the stack) lies below `low` or
        above `high`.
    EngineMissingError : ``flood="stack"`` in an ImageJ without MorphoLibJ.

    Engines: native - Sobel gradient, ordered queues; fiji - macros/watershed.ijm: slices by plain ImageJ's *Find Edges*
    and *Find Maxima…* (segmented particles), the stack by MorphoLibJ's *Marker-controlled Watershed*.
    Differences: by slices, ImageJ floods in 127 steps of the gradient. Seed pixels next to a seed of the other kind are
    left to its flooding, since touching seeds would be one maximum there. The watershed lines are given to the side
    they touch, and where they touch both to the nearer grey level. In the stack, gradient and neighbours are the same,
    and MorphoLibJ queues voxels in another order. On both engines a slice without any seed, flooded by itself, is
    parted at the middle of the window, and one with seeds of one kind is all of that kind.
    Blocks: natively; slices each by itself, and of a stack gradient and seeds, while the flood runs over the whole in
    files of 11 bytes for each voxel beside the result, fast as long as the system can hold them. ImageJ's slices come
    out otherwise by parts.
    Source: Meyer 1994, Signal Processing 38, 113; ImageJ 1.54p, ij.plugin.filter.MaximumFinder; MorphoLibJ,
    inra.ijpb.watershed.MarkerControlledWatershedTransform3D.
    """


@watershed.check
def _check(volume: Volume, *, low: float, high: float, flood: Flood) -> None:
    if not (isfinite(low) and isfinite(high) and low < high):
        raise ParameterError(f"the window needs low < high, got low={low:.6g} and high={high:.6g}; swap or widen them")
    if volume.dtype.kind == "b":
        raise ParameterError("watershed works on grey values and got a mask; give it the grey volume")
    darkest, brightest = _range(volume)
    if darkest >= low or brightest <= high:
        side = f"below low={low:.6g}" if darkest >= low else f"above high={high:.6g}"
        raise ParameterError(
            f"no voxel lies {side}, so there is no seed; the grey levels run from {darkest:.6g} to {brightest:.6g}"
        )


def _range(volume: Volume) -> tuple[Any, Any]:
    """Give the lowest and highest grey level, slice by slice: the volume may be larger than memory."""
    ends = [(plane.min(), plane.max()) for plane in (np.asarray(volume.data[z]) for z in range(volume.shape[0]))]
    return min(low for low, _ in ends), max(high for _, high in ends)


@watershed.engine("native")
def _native(volume: Volume, *, low: float, high: float, flood: Flood) -> Volume:
    grey = np.asarray(volume.data)
    if flood != "slices":
        return with_data(volume, _flooded(grey, low, high))
    return with_data(volume, np.concatenate([_flooded(grey[z : z + 1], low, high) for z in range(grey.shape[0])]))


@watershed.grid
def _grid(volume: Volume, **_parameters: Any) -> Volume:
    return blank(volume, bool)


def _axes(_volume: Volume, *, flood: Flood, **_window: float) -> str:
    return "z" if flood == "slices" else "zyx"


def _working(shape: tuple[int, ...], *, flood: Flood, **_window: float) -> int:
    # By slices a gradient with its levels, seeds and queue of one; of a stack gradient and levels of the block.
    return some_bytes(shape, voxel=4, pixel=64) if flood == "slices" else some_bytes(shape, voxel=24)


@watershed.blocks("native", divide=_axes, working=_working)
def _blocks(volume: Volume, *, low: float, high: float, flood: Flood) -> Survey:
    """Each slice is flooded by itself; a stack in files."""
    if flood != "slices":
        return (yield from stack_survey(volume, low=low, high=high))
    given = {"low": low, "high": high, "flood": flood}
    return by_engine(volume, "watershed", "native", given, halo=0, dtype=bool)


@watershed.engine("fiji", version=imagej_version)
def _fiji(volume: Volume, *, low: float, high: float, flood: Flood) -> Volume:
    try:
        made = run("watershed.ijm", volume, low=low, high=high, flood="stack" if flood == "stack" else "slices")
    except EngineFailedError as error:
        if "no MorphoLibJ" not in str(error):
            raise
        raise EngineMissingError(
            "watershed with flood='stack' in ImageJ needs the plugin MorphoLibJ, which this ImageJ has not; "
            "use a Fiji with its update site IJPB-plugins, flood='slices', or engine='native'"
        ) from error
    return mask(volume, made.image)


def _flooded(grey: NDArray[Any], low: float, high: float) -> NDArray[np.bool_]:
    """Flood from the seeds; without any, part at the middle of the window."""
    seeds = seeds_of(grey, low, high)
    if not seeds.any():
        return grey >= (low + high) / 2
    return np.asarray(fill(gradient_levels(grey), seeds) == BRIGHT)
