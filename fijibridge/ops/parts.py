"""How operations run on volumes larger than memory: look at every block first, then make the result block by block.

An operation that depends on the whole volume (its histogram, the brightness of each slice, connections through it) is
written as a *survey*: a generator that yields one `Look` after the other. Each measures every block on its own, on
whatever process, and merges what comes back, in any order. What the survey returns is `Local`: each block of the result
from a part of the volume. The survey and the engine share their functions, so that the voxels are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..operation import operations
from ..volume import Volume, with_data

Box: TypeAlias = tuple[slice, slice, slice]
Reach: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class Place:
    """Where a block lies.

    Attributes
    ----------
    inner : the voxels that the block stands for: of the result, or of the volume when it is looked at.
    outer : the voxels of the volume that were read for it.
    """

    inner: Box
    outer: Box

    @property
    def within(self) -> Box:
        """Where the inner voxels lie among those read, for results on the grid of the volume."""
        z, y, x = (
            slice(own.start - wide.start, own.stop - wide.start)
            for own, wide in zip(self.inner, self.outer, strict=True)
        )
        return z, y, x


@dataclass(frozen=True)
class Look:
    """Something to find out from every block of a volume.

    Attributes
    ----------
    measure : ``measure(part, place, **given)`` gives something small; a function of a module, for it goes to other
        processes.
    merge : called with the place and with what was measured there, once for each block, in any order.
    given : more arguments of `measure`.
    before, after : voxels along z, y, x that `measure` needs beyond the block's first and last ones.
    divide : the axes along which blocks may be cut.
    """

    measure: Callable[..., Any]
    merge: Callable[[Place, Any], None]
    given: Mapping[str, Any] = field(default_factory=dict)
    before: Reach = (0, 0, 0)
    after: Reach = (0, 0, 0)
    divide: str = "zyx"


@dataclass(frozen=True)
class Local:
    """What is left to do when the volume has been looked at: every block of the result by itself.

    Attributes
    ----------
    result : grid, dtype and history of the result, without its voxels (`blank`).
    make : ``make(part, place, **given)`` gives the voxels of ``place.inner``; a function of a module.
    given : more arguments of `make`.
    needs : gives the box of the volume that a box of the result depends on; a function of a module or a `partial`.
    like_look : the blocks must be those of the look: what was measured there belongs to them.
    """

    result: Volume
    make: Callable[..., NDArray[Any]]
    given: Mapping[str, Any]
    needs: Callable[[Box], Box]
    like_look: bool = False


Survey: TypeAlias = Generator[Look, None, Local]


def blank(volume: Volume, dtype: DTypeLike) -> Volume:
    """Give a volume on the same grid that takes no memory, to say what a result will be."""
    return with_data(volume, nothing(volume.shape, dtype))


def nothing(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Give an array of zeros that takes no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def same_box(box: Box) -> Box:
    """Say that a box of the result depends on the same box of the volume."""
    return box


def grown(box: Box, *, by: Reach, shape: tuple[int, ...]) -> Box:
    """Give a box with more voxels around it, as far as there are any."""
    return widened(box, by=by, after=by, shape=shape)


def widened(box: Box, *, by: Reach, after: Reach, shape: tuple[int, ...]) -> Box:
    """Give a box with `by` more voxels before it and `after` behind it, as far as there are any."""
    z, y, x = (
        slice(max(part.start - less, 0), min(part.stop + more, size))
        for part, less, more, size in zip(box, by, after, shape, strict=True)
    )
    return z, y, x


def with_halo(
    volume: Volume, make: Callable[..., NDArray[Any]], given: Mapping[str, Any], *, halo: int, dtype: DTypeLike
) -> Local:
    """Say that a result on the same grid depends on `halo` voxels around each of its own."""
    return Local(blank(volume, dtype), make, given, partial(grown, by=(halo,) * 3, shape=volume.shape))


def by_engine(
    volume: Volume, name: str, engine: str, parameters: Mapping[str, Any], *, halo: int, dtype: DTypeLike
) -> Local:
    """Say that each block of a result is what the engine itself makes of the block with its halo."""
    given = {"name": name, "engine": engine, "parameters": dict(parameters)}
    return with_halo(volume, _engine_on_part, given, halo=halo, dtype=dtype)


def _engine_on_part(
    part: Volume, place: Place, *, name: str, engine: str, parameters: Mapping[str, Any]
) -> NDArray[Any]:
    return np.asarray(operations()[name].run_engine(part, engine, parameters).data)[place.within]


def some_bytes(shape: tuple[int, ...], *, voxel: int = 8, pixel: int = 64, **_parameters: Any) -> int:
    """Give the working memory of a part from bytes for each of its voxels and for each pixel of one of its slices."""
    return prod(shape) * voxel + prod(shape[1:]) * pixel
