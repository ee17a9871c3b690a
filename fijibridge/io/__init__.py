"""Volumes in and out of files: TIFF as ImageJ, OME and everyone else writes it, and folders of slices."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from ..errors import ParameterError, ReadError, VolumeError, WriteError
from ..volume import Units, Volume, check_volume, make_volume
from ._calibration import Calibration
from ._files import atomic, write_text
from ._folder import read_folder, read_slices
from ._stack import Stack
from ._tiff import read_tiff
from ._write import ENDINGS, write_tiff

__all__ = ["read_volume", "write_text", "write_volume"]

PathLike: TypeAlias = str | os.PathLike[str]
Progress: TypeAlias = Callable[[float], None]


def read_volume(
    path: PathLike | Sequence[PathLike],
    *,
    spacing: tuple[float, float, float] | None = None,
    units: Units | None = None,
    mmap: bool = False,
    progress: Progress | None = None,
) -> Volume:
    """Read a TIFF file, a folder of slices, or slices named one by one.

    Reads plain multi-page TIFF, ImageJ stacks (also those over 4 GB), OME-TIFF and BigTIFF, uncompressed or compressed
    (LZW, zlib, zstd, PackBits and what else imagecodecs knows). Files of a folder are taken in natural order (slice2
    before slice10); those that do not end in .tif or .tiff, and hidden ones, are passed over.

    Parameters
    ----------
    path : a file, a folder, or a sequence of files with one slice each, in order.
    spacing : voxel size (z, y, x) in `units`, in place of what the file says.
    units : ``"nm"``, ``"um"`` or ``"voxel"``; needed with `spacing`.
    mmap : leave the voxels in the file and map them (read-only) where the file allows it: one file, uncompressed,
        contiguous, in this machine's byte order. Other files are read as ever; ``isinstance(volume.data,
        numpy.memmap)`` tells.
    progress : called with the share done, 0 to 1, after each slice of compressed files and folders.

    Returns
    -------
    (z, y, x) Volume of the file's dtype in native byte order, grey values as stored. 1-bit images become bool; the
    masks that `write_volume` stores as 0 and 255 come back as uint8. Indices of palette images stay indices. RGB whose
    three channels are everywhere equal is grey. The voxel size, the origin and the history come from the file, lengths
    other than nm converted to um:

    - ImageJ: the pixel width, height, depth and unit that ImageJ itself shows; no unit or "pixel" is ``"voxel"``.
    - OME: PhysicalSizeX, Y, Z.
    - Other TIFF: XResolution and YResolution per inch or cm, but not where they are a usual print setting (72, 300, 600
      ... dots per inch), which says nothing of the sample.
    - Nothing in the file: spacing 1 and units ``"voxel"``.

    A single slice that does not say how thick it is takes its y size for z.

    Raises
    ------
    ReadError : there is no such file, or it is broken, truncated or no grey volume; or it holds several slices with a
        size for y and x and none for z, which is then asked for (`spacing`) rather than guessed.
    ParameterError : `spacing` without `units` or the other way round, or a size that is not a positive number.

    Source: TIFF 6.0 (Adobe 1992); ImageJ 1.54p's TIFF; OME-TIFF specification 6.
    """
    given = _given(spacing, units)
    source = [Path(part) for part in path] if not isinstance(path, str | os.PathLike) else Path(path)
    stack = _read(source, mmap, given is not None, progress)
    known = given or stack.calibration
    size = (known.z or _depth(stack), known.y, known.x)
    return make_volume(stack.data, spacing=size, units=known.units, origin=known.origin, history=stack.history)


def write_volume(volume: Volume, path: PathLike, *, progress: Progress | None = None) -> None:
    """Write a volume with its voxel size, origin and history to a TIFF file, whole or not at all.

    ``.tif`` and ``.tiff`` make an ImageJ stack: ImageJ shows the same pixel width, height, depth and unit (``um`` is
    ImageJ's ``micron``). ``.ome.tif`` and ``.ome.tiff`` make an OME-TIFF, a BigTIFF where it needs more than 4 GB. An
    ImageJ stack of more than 4 GB is written as ImageJ writes it: voxels of all slices behind one header, which ImageJ
    and `read_volume` read and most other programs do not; choose OME-TIFF there for those.

    Parameters
    ----------
    volume : bool, uint8, uint16 or float32; a mask is stored as 0 and 255 in uint8, since TIFF readers show that right.
    path : the file; an older one is replaced at the end in one step (temporary file beside it, fsync, rename).
    progress : called with the share done, 0 to 1, after each slice.

    Raises
    ------
    WriteError : a dtype that ImageJ cannot read (the message names the astype), another ending, or a folder that is
        not there or takes no file.
    VolumeError : `volume` does not keep the Volume contract.
    """
    check_volume(volume)
    target = Path(path)
    if not target.name.lower().endswith(ENDINGS):
        raise WriteError(f"cannot tell the format of {target} by its ending; use one of {', '.join(ENDINGS)}")
    with atomic(target) as handle:
        write_tiff(volume, handle, ome=".ome." in target.name.lower(), progress=progress)


def _read(source: Path | list[Path], mmap: bool, sized: bool, progress: Progress | None) -> Stack:
    if isinstance(source, list):
        return read_slices(source, sized, progress)
    if source.is_dir():
        return read_folder(source, sized, progress)
    return read_tiff(source, mmap, progress)


def _given(spacing: tuple[float, float, float] | None, units: Units | None) -> Calibration | None:
    if spacing is None and units is None:
        return None
    if spacing is None or units is None:
        raise ParameterError(
            f"spacing and units belong together, got spacing={spacing} and units={units!r}; "
            "write for instance spacing=(50, 10, 10), units='nm'"
        )
    try:
        # make_volume knows what a good voxel size is; a single voxel asks it before anything is read.
        make_volume([[[0]]], spacing=spacing, units=units)
    except VolumeError as error:
        raise ParameterError(str(error)) from error
    z, y, x = spacing
    return Calibration(float(z), float(y), float(x), units)


def _depth(stack: Stack) -> float:
    """Give the z size where the file does not: that of y for a lone slice; several are not guessed at."""
    known, slices = stack.calibration, stack.data.shape[0]
    if slices == 1:
        return known.y
    raise ReadError(
        f"{stack.name} has {slices} slices of {known.y:.6g} x {known.x:.6g} {known.units} pixels and does not say how "
        f"far apart they are; give spacing=(z, {known.y:.6g}, {known.x:.6g}), units={known.units!r}"
    )
