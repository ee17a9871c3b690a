"""Undo the tilted view: slices are seen at an angle, which flattens y and moves each slice along y."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from ..errors import ParameterError
from ..operation import Engine, operation
from ..volume import Volume, history, make_volume, origin, voxel_size
from . import _fiji as imagej
from ._align_apply import move_slice


@operation(halo=None)
def shear(
    volume: Volume,
    *,
    angle_deg: Annotated[float, Gt(0), Le(90)] = 52.0,
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
    angle_deg : angle between the electron beam and the milled face.
    stretch : correct the voxel size along y (divided by the sine of the angle); the voxels stay as they are.
    shift : undo the movement along y from slice to slice; not after aligning with a fixed template, which has done so.
    nearest : move by whole voxels, for labels; masks always do.

    Returns
    -------
    Volume of the corrected size, same dtype, with more rows where `shift` moves slices; what is outside is 0.

    Raises
    ------
    ParameterError : an angle so flat that the stack would become more than 8 times as tall.

    Engines: native - as `apply_shifts`; fiji - macros/shear.ijm (bicubic *Translate*).
    Differences: interpolation, up to a few grey levels at edges; the Fiji engine takes no labels and masks.
    """


@shear.check
def _check(volume: Volume, *, angle_deg: float, stretch: bool, shift: bool, nearest: bool) -> None:
    rows = volume.shape[1]
    if shift and _travel(volume, angle_deg, volume.shape[0] - 1) > 7 * rows:
        raise ParameterError(
            f"at {angle_deg} degrees {volume.shape[0]} slices move by more than 7 times the {rows} rows; "
            "check the slice distance (voxel size along z) and the angle"
        )


@shear.engine("native")
def _native(volume: Volume, *, angle_deg: float, stretch: bool, shift: bool, nearest: bool) -> Volume:
    data = _shifted(volume, angle_deg, nearest) if shift else np.array(volume.data)
    return _sized(volume, data, angle_deg if stretch else 90.0)


@shear.engine("fiji", version=imagej.imagej_version)
def _in_imagej(volume: Volume, *, angle_deg: float, stretch: bool, shift: bool, nearest: bool) -> Volume:
    if nearest or volume.dtype.kind == "b":
        raise ParameterError("shear in ImageJ takes grey levels only; use engine='native' for labels and masks")
    data = np.array(volume.data)
    if shift:
        extra = _extra(volume, angle_deg)
        done = imagej.run("shear.ijm", volume, step=_travel(volume, angle_deg, 1), extra=extra)
        data = np.asarray(done.image.data)
    return _sized(volume, data, angle_deg if stretch else 90.0)


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
    count, rows, columns = volume.shape
    extra = _extra(volume, angle_deg)
    result = np.zeros((count, rows + extra, columns), volume.dtype)
    whole = nearest or volume.dtype.kind == "b"
    for z in range(count):
        canvas = np.zeros((rows + extra, columns), volume.dtype)
        canvas[:rows] = np.asarray(volume.data[z])
        result[z] = move_slice(canvas, (_travel(volume, angle_deg, z), 0.0), nearest=whole, empty=0.0)
        result[z, : int(_travel(volume, angle_deg, z))] = 0
    return result
