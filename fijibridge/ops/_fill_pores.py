"""Fill pores that are closed in on all sides by one phase."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import ParameterError
from ..operation import Engine, operation
from ..volume import Volume, with_data
from ._closed import closed_in, closed_pores
from .joined import Corner, Joined, Labels, Seen, parts_of, see
from .parts import Local, Look, Place, Survey, blank, same_box, some_bytes


@operation(halo=None)
def fill_pores(
    volume: Volume,
    *,
    phase: Annotated[int, Ge(0)] = 1,
    largest: Annotated[int, Ge(0)] = 0,
    engine: Engine = "native",
) -> Volume:
    """Fill closed pores inside one phase: voxels of other labels from which no path leads to the volume's border.

    A path goes from face to face (6 neighbours), so that a pore that touches the outside only by an edge is closed.

    Parameters
    ----------
    volume : (z, y, x) labels, or a mask (then `phase` is True and not read).
    phase : label whose pores are filled.
    largest : voxels above which a pore is left as it is; 0 = any size.

    Returns
    -------
    Volume on the same grid, same dtype.

    Raises
    ------
    ParameterError : grey levels instead of labels.

    Engines: native only: ImageJ's "Fill Holes" works slice by slice and would fill what is open along z.
    Blocks: pores of each block first, joined across the blocks' faces; then each block is filled by itself.
    """


@fill_pores.check
def _check(volume: Volume, *, phase: int, largest: int) -> None:
    if volume.dtype.kind not in "bui":
        raise ParameterError(f"fill_pores needs labels or a mask, got {volume.dtype}; threshold the grey volume first")


@fill_pores.engine("native")
def _native(volume: Volume, *, phase: int, largest: int) -> Volume:
    data = np.array(volume.data)
    return with_data(volume, _filled(data, _closed(_solid(data, phase), largest), phase))


def _solid(data: NDArray[Any], phase: int) -> NDArray[np.bool_]:
    return data if data.dtype.kind == "b" else data == phase


def _filled(data: NDArray[Any], closed: NDArray[np.bool_], phase: int) -> NDArray[Any]:
    data[closed] = True if data.dtype.kind == "b" else phase
    return data


@fill_pores.blocks("native", divide="zyx", working=partial(some_bytes, voxel=20))
def _blocks(volume: Volume, *, phase: int, largest: int) -> Survey:
    """Join the pores' parts across the faces of all blocks first."""
    pores = Joined(volume.shape)
    yield Look(_part_seen, pores.add, {"phase": phase})
    given = {"phase": phase, "largest": largest, "closed": closed_pores(pores, largest)}
    return Local(blank(volume, volume.dtype), _part_filled, given, same_box, like_look=True)


def _part_seen(part: Volume, _place: Place, *, phase: int) -> Seen:
    return see(*parts_of(~_solid(np.asarray(part.data), phase)))


def _part_filled(part: Volume, place: Place, *, phase: int, largest: int, closed: dict[Corner, Labels]) -> NDArray[Any]:
    data = np.array(part.data)
    parts, count = parts_of(~_solid(data, phase))
    z, y, x = place.inner
    here = closed.get((z.start, y.start, x.start), np.empty(0, np.int32))
    return _filled(data, closed_in(parts, count, here, largest), phase)


def _closed(solid: NDArray[np.bool_], largest: int) -> NDArray[np.bool_]:
    """Mark what is neither solid nor connected to the border."""
    parts, count = ndimage.label(~solid)
    is_open = np.zeros(count + 1, np.bool_)
    is_open[0] = True
    for axis in range(3):
        for end in (0, -1):
            is_open[np.unique(np.take(parts, end, axis=axis))] = True
    if largest:
        is_open |= np.bincount(parts.ravel(), minlength=count + 1) > largest
    return np.asarray(~is_open[parts])
