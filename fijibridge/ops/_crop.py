"""Cut a box out of a volume, or the largest region that every slice fills."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..io.spill import copied
from ..operation import Engine, operation
from ..volume import Volume, history, make_volume, origin, voxel_size, with_data
from . import _fiji as imagej
from ._crop_history import filled_by_history
from .parts import Box as Part
from .parts import Local, Look, Place, Survey, nothing, some_bytes

Box: TypeAlias = tuple[int, int, int, int, int, int]
#: First row, end of rows, first column, end of columns.
Ends: TypeAlias = tuple[int, int, int, int]


@operation(halo=None)
def crop(volume: Volume, *, box: Box | None = None, empty: float = 0.0, engine: Engine = "native") -> Volume:
    """Cut out a box; without one, the largest region of y and x that is valid in every slice after alignment.

    Parameters
    ----------
    volume : (z, y, x) volume of any dtype.
    box : (z0, z1, y0, y1, x0, x1) in voxels, ends not included; None = as the shifts say that `align` or `apply_shifts`
        wrote into the history, however many steps came between that left every voxel where it was. Without such
        shifts (those of the engine ``fiji`` are not written down), rows and columns at the rim that hold nothing but
        `empty` in any slice are cut off, as few as possible (slices that are empty throughout count for nothing).
    empty : value that aligning leaves where there is nothing; where there are no shifts, crop straight after aligning,
        since later steps change it.

    Returns
    -------
    Volume of that box, its origin where the box lies, same dtype.

    Raises
    ------
    ParameterError : a box outside the volume or without voxels, or nothing that is valid in every slice.

    Engines: native - NumPy; fiji - macros/crop.ijm.  Differences: none.
    Blocks: of the box alone; where it is not given and no shifts tell it, all slices are looked at first.
    """


@crop.check
def _check(volume: Volume, *, box: Box | None, empty: float) -> None:
    if box is None:
        return
    pairs = zip(box[::2], box[1::2], volume.shape, strict=True)
    if not all(0 <= start < stop <= size for start, stop, size in pairs):
        raise ParameterError(
            f"box {box} must be (z0, z1, y0, y1, x0, x1) with 0 <= start < stop within {volume.shape} voxels"
        )


@crop.engine("native")
def _native(volume: Volume, *, box: Box | None, empty: float) -> Volume:
    return cut(volume, box or valid_box(volume, empty))


@crop.engine("fiji", version=imagej.imagej_version)
def _in_imagej(volume: Volume, *, box: Box | None, empty: float) -> Volume:
    where = box or valid_box(volume, empty)
    edges = dict(zip(("z0", "z1", "y0", "y1", "x0", "x1"), where, strict=True))
    done = np.asarray(imagej.run("crop.ijm", volume, **edges).image.data)
    return placed(volume, done > 0 if volume.dtype.kind == "b" else done, where)


@crop.grid
def _grid(volume: Volume, *, box: Box | None, empty: float) -> Volume | None:
    return None if box is None else _emptied(volume, box)


@crop.blocks("native", divide="zyx", working=some_bytes)
def _native_blocks(volume: Volume, *, box: Box | None, empty: float) -> Survey:
    """Look for the box first; then all that is left is to copy."""
    where = box or (yield from _look_for_box(volume, empty))
    return Local(_emptied(volume, where), _copy, {}, partial(_shifted, at=where[::2]))


@crop.blocks("fiji", divide="zyx", working=partial(some_bytes, voxel=24))
def _fiji_blocks(volume: Volume, *, box: Box | None, empty: float) -> Survey:
    where = box or (yield from _look_for_box(volume, empty))
    return Local(_emptied(volume, where), _copy_in_imagej, {"empty": empty}, partial(_shifted, at=where[::2]))


def _emptied(volume: Volume, box: Box) -> Volume:
    """Give what will be left, without its voxels."""
    z0, z1, y0, y1, x0, x1 = box
    part = with_data(volume, nothing(volume.shape, volume.dtype))[z0:z1, y0:y1, x0:x1]
    return with_data(part, nothing(part.shape, part.dtype))


def _shifted(box: Part, *, at: tuple[int, int, int]) -> Part:
    z, y, x = (slice(part.start + more, part.stop + more) for part, more in zip(box, at, strict=True))
    return z, y, x


def _copy(part: Volume, _place: Place) -> NDArray[np.generic]:
    return np.asarray(part.data)


def _copy_in_imagej(part: Volume, _place: Place, *, empty: float) -> NDArray[np.generic]:
    z, y, x = part.shape
    return np.asarray(_in_imagej(part, box=(0, z, 0, y, 0, x), empty=empty).data)


def _look_for_box(volume: Volume, empty: float) -> Generator[Look, None, Box]:
    known = filled_by_history(volume)
    if known is not None:
        return _box_within(volume, known)
    ends: list[Ends] = []
    yield Look(_part_ends, lambda _place, found: ends.append(found), {"empty": empty}, divide="z")
    return _box_within(volume, ends)


def _part_ends(part: Volume, _place: Place, *, empty: float) -> Ends:
    return _valid_ends(part, empty)


def cut(volume: Volume, box: Box) -> Volume:
    """Give the box as a volume of its own that keeps its place in space."""
    z0, z1, y0, y1, x0, x1 = box
    part = volume[z0:z1, y0:y1, x0:x1]
    return with_data(part, copied(part.data))


def valid_box(volume: Volume, empty: float) -> Box:
    """Find the rows and columns that hold something in every slice."""
    return _box_within(volume, filled_by_history(volume) or [_valid_ends(volume, empty)])


def _box_within(volume: Volume, ends: Sequence[Ends]) -> Box:
    """Give the box that all parts fill, or raise where there is none."""
    top, bottom, left, right = (pick(column) for pick, column in zip((max, min, max, min), zip(*ends, strict=True),
                                                                     strict=True))  # fmt: skip
    if top >= bottom or left >= right:
        raise ParameterError(
            "no region is valid in every slice; crop with a box, or leave out the slices that lie far off"
        )
    return (0, volume.shape[0], top, bottom, left, right)


def _valid_ends(volume: Volume, empty: float) -> Ends:
    """Give first and last row and column that hold something in every slice of a part."""
    top = left = 0
    _, bottom, right = volume.shape
    for image in (np.asarray(volume.data[z]) for z in range(volume.shape[0])):
        filled = np.isfinite(image) & (image != empty) if image.dtype.kind == "f" else image != empty
        if not filled.any():
            continue
        y, x = _ends(filled.any(axis=1)), _ends(filled.any(axis=0))
        top, bottom, left, right = max(top, y[0]), min(bottom, y[1]), max(left, x[0]), min(right, x[1])
    return top, bottom, left, right


def _ends(filled: NDArray[np.bool_]) -> tuple[int, int]:
    where = np.flatnonzero(filled)
    return int(where[0]), int(where[-1]) + 1


def placed(volume: Volume, data: NDArray[np.generic], box: Box) -> Volume:
    """Make a volume of data that another program cut out of `volume` at `box`."""
    size, start = voxel_size(volume), origin(volume)
    at = tuple(first + edge * step for first, edge, step in zip(start, box[::2], size[:3], strict=True))
    return make_volume(
        data, spacing=(size.z, size.y, size.x), units=size.units, origin=(at[0], at[1], at[2]), history=history(volume)
    )
