"""`decurtain` block by block: a few slices tell what is to be removed; then each slice stands alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..volume import Volume
from ._decurtain import Finder, decurtain, find_streaks, without
from .parts import Local, Place, Survey, blank, by_engine, same_box, some_bytes


@decurtain.blocks("native", divide="z", working=partial(some_bytes, voxel=4, pixel=160))
def _native_blocks(volume: Volume, **parameters: Any) -> Survey:
    yield from ()
    find = find_streaks(volume, **parameters)
    return Local(blank(volume, volume.dtype), _part_without, {"find": find}, same_box)


def _part_without(part: Volume, place: Place, *, find: Finder | None) -> NDArray[Any]:
    return np.asarray(without(part, find, first=place.inner[0].start).data)


@decurtain.blocks("fiji", divide="z", working=partial(some_bytes, voxel=24))
def _fiji_blocks(volume: Volume, **parameters: Any) -> Survey:
    yield from ()
    return by_engine(volume, "decurtain", "fiji", parameters, halo=0, dtype=volume.dtype)
