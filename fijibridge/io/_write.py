"""Write ImageJ stacks and OME-TIFF slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import WriteError
from ..volume import Volume, VoxelSize, history, origin, voxel_size
from ._calibration import imagej_unit, pixels_per_unit
from ._history import to_text
from ._ome import ome_metadata
from ._pieces import by_planes

Progress = Callable[[float], None]

#: Longest first, so that the message names them as people say them.
ENDINGS = (".ome.tif", ".ome.tiff", ".tif", ".tiff")
#: A classic TIFF counts bytes in 32 bits; leave room for the headers.
_CLASSIC = 2**32 - 2**25


def write_tiff(volume: Volume, file: BinaryIO, *, ome: bool, progress: Progress | None) -> None:
    """Write a volume to an open file.

    Raises
    ------
    WriteError : a dtype or voxel size that the format cannot hold.
    """
    dtype = _stored_dtype(volume.dtype)
    size = _clean(voxel_size(volume))
    text = to_text(history(volume), origin(volume))
    large = volume.size * dtype.itemsize > _CLASSIC
    common = _common(volume, dtype, progress)
    if ome:
        with tifffile.TiffWriter(file, ome=True, bigtiff=large) as tiff:
            tiff.write(**common, metadata=ome_metadata(size, text))
        return
    with tifffile.TiffWriter(file, imagej=True) as tiff:
        resolution = (pixels_per_unit(size.x), pixels_per_unit(size.y))
        metadata = _imagej_metadata(volume, size, text)
        # All six axes of ImageJ by name: of three, tifffile takes slices one voxel wide for something else.
        slices, height, width = volume.shape
        common["shape"] = (1, slices, 1, height, width, 1)
        tiff.write(**common, metadata=metadata, resolution=resolution, truncate=large)


def _clean(size: VoxelSize) -> VoxelSize:
    """Drop the rounding noise (some 1e-16) that a size read off coordinates has: 0.39699999999999996 is 0.397."""
    z, y, x = (float(f"{step:.12g}") for step in size[:3])
    return VoxelSize(z, y, x, size.units)


def _common(volume: Volume, dtype: np.dtype[Any], progress: Progress | None) -> dict[str, Any]:
    return {
        "data": _slices(volume, dtype, progress),
        "shape": volume.shape,
        "dtype": dtype,
        "photometric": "minisblack",
        # One strip per slice lets every reader map the file.
        "rowsperstrip": volume.shape[1],
    }


def _imagej_metadata(volume: Volume, size: VoxelSize, text: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "axes": "TZCYXS",
        "hyperstack": False,
        "unit": imagej_unit(size),
        "spacing": repr(size.z),
        "Info": text,
    }
    # ImageJ counts its origin in voxels, from the first voxel to the zero point.
    for axis, start, step in zip("zyx", origin(volume), size[:3], strict=True):
        if start != 0:
            metadata[f"{axis}origin"] = repr(-start / step)
    return metadata


def _stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype in the file: as it is where ImageJ reads it, uint8 for a mask."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    native = dtype.newbyteorder("=")
    if native in (np.uint8, np.uint16, np.float32):
        return native
    better = "float32" if dtype.kind == "f" else "uint16"
    raise WriteError(
        f"ImageJ reads uint8, uint16 and float32, not {dtype}; "
        f"if its values fit, write volume.astype({better!r}), else scale them first"
    )


def _slices(volume: Volume, dtype: np.dtype[Any], progress: Progress | None) -> Iterator[NDArray[Any]]:
    count, planes = volume.shape[0], by_planes(volume.data)
    for z in range(count):
        plane = np.asarray(planes[z])
        yield plane.view(np.uint8) * np.uint8(255) if plane.dtype.kind == "b" else np.ascontiguousarray(plane, dtype)
        if progress is not None:
            progress((z + 1) / count)
