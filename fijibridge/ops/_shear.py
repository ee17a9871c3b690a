"""Undo the tilted view: slices are seen at an angle, which flattens y and moves each slice along y."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from ..errors import ParameterError
from ..io.spill import copied, new_array
from ..operation import Engine, operation
from ..volume import Volume, history, make_volume, origin, voxel_size
from . import _fiji as imagej
from ._align_apply import move_slice
from ._running import Progress, told
from .parts import Box, Local, Place, Survey, nothing, some_bytes

Angle: TypeAlias = float | Literal["auto"]


@operation(halo=None)
def shear(
    volume: Volume,
    *,
    angle_deg: Annotated[float, Gt(0), Le(90)] | Literal["auto"] = 52.0,
    stretch: bool = True,
    shift: bool = True,
    nearest: bool = False,
    engine: Engine = "native",
) -> Volume:
    """Correct the geometry of slices that were viewed at an angle.

    The electron beam meets the milled face at `angle_deg` (52 degrees on most instruments of FEI and Thermo Fisher,
    54 on Zeiss, 55 on Tescan, 36 with a pre-tilted holder; 90 = face on). Seen so, y is shorter by the sine of the
    angle; and the face moves away from the lens as it is milled, so that it moves along y by dz times the cosine in
    each slice, unless the microscope (or aligning) has followed it.

    Parameters
    ----------
    volume : (z, y, x) volume of any dtype.
    angle_deg : angle between the electron beam and the milled face; ``"auto"`` = the angle between the columns of the
        instrument that the file's own tags name (FEI, Thermo Fisher, Zeiss, Tescan), since the ion beam runs in the
        face that it mills. Right if the stage stood still between milling and imaging; the stage's own tilt says
        nothing of it, for holders are tilted themselves.
    stretch : correct the voxel size along y (divided by the sine of the angle); the voxels stay as they are.
    shift : undo the movement along y from slice to slice; not after aligning with a fixed template, which has done so.
    nearest : move by whole voxels, for labels; masks always do.

    Returns
    -------
    Volume of the corrected size, same dtype, with more rows where `shift` moves slices; what is outside is 0.

    Raises
    ------
    ParameterError : an angle so flat that the stack would become more than 8 times as tall; ``"auto"`` where no tags
        tell the instrument, where it has one column, or where it has made up for the tilt while scanning.

    Engines: native - as `apply_shifts`; fiji - macros/shear.ijm (bicubic *Translate*).
    Differences: interpolation, up to a few grey levels at edges; the Fiji engine takes no labels and masks.
    Blocks: natively; each slice moves by itself.
    """


@shear.check
def _check(volume: Volume, *, angle_deg: Angle, stretch: bool, shift: bool, nearest: bool) -> None:
    rows, angle = volume.shape[1], view_angle(volume, angle_deg, stretch=stretch)
    if shift and _travel(volume, angle, volume.shape[0] - 1) > 7 * rows:
        raise ParameterError(
            f"at {angle} degrees {volume.shape[0]} slices move by more than 7 times the {rows} rows; "
            "check the slice distance (voxel size along z) and the angle"
        )


@shear.engine("native")
def _native(volume: Volume, *, angle_deg: Angle, stretch: bool, shift: bool, nearest: bool) -> Volume:
    angle = view_angle(volume, angle_deg, stretch=stretch)
    data = _shifted(volume, angle, nearest) if shift else copied(volume.data)
    return _sized(volume, data, angle if stretch else 90.0)


def _resulting(volume: Volume, *, angle_deg: Angle, stretch: bool, shift: bool, nearest: bool) -> Volume:
    angle = view_angle(volume, angle_deg, stretch=stretch)
    count, rows, columns = volume.shape
    extra = _extra(volume, angle) if shift else 0
    return _sized(volume, nothing((count, rows + extra, columns), volume.dtype), angle if stretch else 90.0)


shear.grid(_resulting)


@shear.blocks("native", divide="z", working=partial(some_bytes, voxel=8, pixel=32))
def _blocks(volume: Volume, *, angle_deg: Angle, stretch: bool, shift: bool, nearest: bool) -> Survey:
    """Each slice moves by itself."""
    yield from ()
    angle = view_angle(volume, angle_deg, stretch=stretch)
    count, rows = volume.shape[:2]
    moves = [_travel(volume, angle, z) if shift else 0.0 for z in range(count)]
    extra = _extra(volume, angle) if shift else 0
    result = _resulting(volume, angle_deg=angle_deg, stretch=stretch, shift=shift, nearest=nearest)
    given = {"moves": moves, "extra": extra, "nearest": nearest}
    return Local(result, _part_moved if shift else _part_copied, given, partial(_slices, rows=rows))


def _slices(box: Box, *, rows: int) -> Box:
    return box[0], slice(0, rows), box[2]


def _part_moved(part: Volume, place: Place, *, moves: list[float], extra: int, nearest: bool) -> NDArray[Any]:
    return _moved(part, moves[place.inner[0]], extra, nearest, told())


def _part_copied(part: Volume, _place: Place, **_given: Any) -> NDArray[Any]:
    return np.asarray(part.data)


@shear.engine("fiji", version=imagej.imagej_version)
def _in_imagej(volume: Volume, *, angle_deg: Angle, stretch: bool, shift: bool, nearest: bool) -> Volume:
    if nearest or volume.dtype.kind == "b":
        raise ParameterError("shear in ImageJ takes grey levels only; use engine='native' for labels and masks")
    angle = view_angle(volume, angle_deg, stretch=stretch)
    data = np.array(volume.data)
    if shift:
        extra = _extra(volume, angle)
        done = imagej.run("shear.ijm", volume, step=_travel(volume, angle, 1), extra=extra)
        data = np.asarray(done.image.data)
    return _sized(volume, data, angle if stretch else 90.0)


def view_angle(volume: Volume, angle_deg: Angle, *, stretch: bool) -> float:
    """Give the angle in degrees; ``"auto"`` is looked up in what the microscope wrote of itself.

    Raises
    ------
    ParameterError : it wrote nothing of use.
    """
    if angle_deg != "auto":
        return angle_deg
    taken = next((step for step in history(volume) if step.get("operation") == "acquire"), None)
    if taken is None:
        raise ParameterError(
            "angle_deg='auto' needs tags of an FEI, Thermo Fisher, Zeiss or Tescan microscope, and the file had none; "
            "give the angle, for instance angle_deg=52"
        )
    columns, name = taken["parameters"]["columns_deg"], taken["version"]
    if columns is None:
        raise ParameterError(
            f"angle_deg='auto' needs an instrument with two columns, and the tags name {name!r}; give the angle itself"
        )
    if stretch and taken["parameters"]["tilt_corrected"]:
        raise ParameterError(
            f"the tags say that {name!r} has made up for the tilt while scanning, so that y must not be stretched "
            f"again; use stretch=False, or angle_deg={columns:g} if the tags are wrong"
        )
    return float(columns)


def _sized(volume: Volume, data: NDArray[Any], angle_deg: float) -> Volume:
    """Make a volume whose voxels are as tall as seen face on."""
    size = voxel_size(volume)
    height = size.y / float(np.sin(np.deg2rad(angle_deg)))
    return make_volume(
        data, spacing=(size.z, height, size.x), units=size.units, origin=origin(volume), history=history(volume)
    )


def _extra(volume: Volume, angle_deg: float) -> int:
    """Give how many rows the sheared stack needs beyond those of one slice."""
    return int(np.ceil(_travel(volume, angle_deg, volume.shape[0] - 1) - 1e-6))


def _travel(volume: Volume, angle_deg: float, slices: int) -> float:
    """Give by how many rows as seen the face has moved after this many slices."""
    size = voxel_size(volume)
    return float(slices * size.z * np.cos(np.deg2rad(angle_deg)) / size.y)


def _shifted(volume: Volume, angle_deg: float, nearest: bool) -> NDArray[Any]:
    moves = [_travel(volume, angle_deg, z) for z in range(volume.shape[0])]
    return _moved(volume, moves, _extra(volume, angle_deg), nearest, told())


def _moved(volume: Volume, moves: list[float], extra: int, nearest: bool, tell: Progress) -> NDArray[Any]:
    """Move each slice down by so many rows, `extra` rows being added below."""
    count, rows, columns = volume.shape
    result = new_array((count, rows + extra, columns), volume.dtype)
    whole = nearest or volume.dtype.kind == "b"
    for z, move in enumerate(moves):
        canvas = np.zeros((rows + extra, columns), volume.dtype)
        canvas[:rows] = np.asarray(volume.data[z])
        result[z] = move_slice(canvas, (move, 0.0), nearest=whole, empty=0.0)
        result[z, : int(move)] = 0
        tell((z + 1) / count)
    return result
