"""Stacks and labels from the paths and options of a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ParameterError

if TYPE_CHECKING:
    from ..choices import Units
    from ..volume import Volume


def read_stack(path: Path, spacing: str, units: Units, *, mmap: bool = False) -> Volume:
    """Read a stack; `spacing` ("Z,Y,X", "" for none) stands in for what the file says."""
    from ..io import read_volume

    size = parse_spacing(spacing)
    return read_volume(path, spacing=size, units=units if size else None, mmap=mmap)


def parse_spacing(spacing: str) -> tuple[float, float, float] | None:
    """Read the option --voxel-size, ``Z,Y,X``; None where it was not given."""
    if not spacing:
        return None
    try:
        z, y, x = (float(part) for part in spacing.replace("x", ",").split(","))
    except ValueError:
        raise ParameterError(
            f"--voxel-size needs three numbers Z,Y,X, got {spacing!r}; write for instance 256,55,55"
        ) from None
    return z, y, x


def read_labels(path: Path, volume: Volume) -> Volume:
    """Read labels from an image, ImageJ ROIs, an ilastik project or a Labkit labeling.

    A label image that carries no voxel size but has the stack's shape lies on the stack's grid.
    """
    from ..io import read_volume
    from ..study import users
    from ..volume import voxel_size, with_data

    if path.suffix.lower() in users.READERS:
        return users.read_labels(path, volume)
    labels = read_volume(path)
    if voxel_size(labels).units == "voxel" and labels.shape == volume.shape:
        return with_data(volume, labels.data)
    return labels
