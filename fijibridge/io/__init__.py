"""Volumes in and out of files: TIFF as ImageJ, OME and everyone else writes it, folders of slices, OME-Zarr, others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from ..errors import ParameterError, ReadError, VolumeError
from ..volume import Units, Volume, check_volume, make_volume
from ._calibration import Calibration
from ._check import check_written
from ._files import make_folder, put_folder, write_text
from ._folder import read_folder, read_slices
from ._formats import WRITABLE, read_file, write_file
from ._stack import Stack
from ._zarr import check_zarr_place, is_zarr, is_zarr_name, read_zarr, stored_voxels
from ._zarr_write import SHARD, begin_zarr, end_zarr, finest_level, has_many, write_zarr
from ._zarr_write import Version as ZarrVersion

__all__ = [
    "SHARD",
    "WRITABLE",
    "ZarrVersion",
    "begin_zarr",
    "check_zarr_place",
    "convert_volume",
    "end_zarr",
    "finest_level",
    "has_many",
    "is_zarr",
    "is_zarr_name",
    "make_folder",
    "put_folder",
    "read_volume",
    "stored_voxels",
    "write_text",
    "write_volume",
]

PathLike: TypeAlias = str | os.PathLike[str]
Progress: TypeAlias = Callable[[float], None]


def read_volume(
    path: PathLike | Sequence[PathLike],
    *,
    spacing: tuple[float, float, float] | None = None,
    units: Units | None = None,
    mmap: bool = False,
    channel: int | None = None,
    progress: Progress | None = None,
) -> Volume:
    """Read a volume from a file, a folder of TIFF slices, or slices named one by one.

    Reads plain multi-page TIFF, ImageJ stacks (also those over 4 GB), OME-TIFF and BigTIFF, uncompressed or compressed
    (LZW, zlib, zstd, PackBits and what else imagecodecs knows). Files of a folder are taken in natural order (slice2
    before slice10); those that do not end in .tif or .tiff, and hidden ones, are passed over.

    By their endings also (with ``pip install 'fijibridge[formats]'``): HDF5 of ilastik, BigDataViewer and others
    (``.h5``; a data set inside is named as ``file.h5/volumes/raw``), NRRD, MetaImage, MRC, binary AmiraMesh, Zeiss
    Xradia (``.txm``, ``.txrm``, ``.xrm``), and raw voxels (``.raw``, ``.bin``, ``.dat``, ``.vol``) by what lies beside
    them: ``.mhd``, ``.nhdr``, a synchrotron's ``.info``, or ``.json`` with ``shape``, ``dtype``, ``voxel_size`` and
    ``units``.

    OME-Zarr folders (0.4, 0.5; the full resolution) and plain Zarr arrays of three axes.

    Parameters
    ----------
    path : a file, a folder, or a sequence of files with one slice each, in order.
    spacing : voxel size (z, y, x) in `units`, in place of what the file says.
    units : ``"nm"``, ``"um"`` or ``"voxel"``; needed with `spacing`.
    mmap : leave the voxels in the file. They are mapped (read-only) where the file allows it: one file, uncompressed,
        contiguous, in this machine's byte order (TIFF, NRRD, MetaImage, MRC, AmiraMesh, raw); of all others a dask
        array is made, which reads slices or chunks when they are asked for and goes to other processes by the file's
        name. One compressed stream (gzip and bzip2 in NRRD, MetaImage, MRC; AmiraMesh's) is best read forward.
    channel : which channel (sample of a pixel, from 0) of one TIFF file in colour; None refuses what is in colour.
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
    - NRRD, MetaImage, AmiraMesh: the spacing or bounding box where its unit stands beside it; MRC: the cell; HDF5:
      ``element_size_um``; Xradia: PixelSize, which is the distance of slices in ``.txm`` only.
    - Nothing in the file: spacing 1 and units ``"voxel"``.

    A single slice that does not say how thick it is takes its y size for z.

    Raises
    ------
    ReadError : there is no such file, or it is broken, truncated or no grey volume; or it holds several slices with a
        size for y and x and none for z, which is then asked for (`spacing`) rather than guessed.
    ParameterError : `spacing` without `units` or the other way round, or a size that is not a positive number; a
        `channel` that is not there, or of something else than one TIFF file.

    Source: TIFF 6.0 (Adobe 1992); ImageJ 1.54p's TIFF; OME-TIFF specification 6; NRRD0005; MRC2014; AmiraMesh 3D 2.1.
    """
    given = _given(spacing, units)
    source = [Path(part) for part in path] if not isinstance(path, str | os.PathLike) else Path(path)
    stack = _read(source, mmap, given is not None, progress, channel)
    known = given or stack.calibration
    size = (known.z or _depth(stack), known.y, known.x)
    return make_volume(stack.data, spacing=size, units=known.units, origin=known.origin, history=stack.history)


def write_volume(
    volume: Volume,
    path: PathLike,
    *,
    ome_zarr: ZarrVersion = "0.5",
    sharded: bool | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a volume with its voxel size, origin and history to a TIFF file, whole or not at all.

    ``.tif`` and ``.tiff`` make an ImageJ stack: ImageJ shows the same pixel width, height, depth and unit (``um`` is
    ImageJ's ``micron``). ``.ome.tif`` and ``.ome.tiff`` make an OME-TIFF, a BigTIFF where it needs more than 4 GB. An
    ImageJ stack of more than 4 GB is written as ImageJ writes it: voxels of all slices behind one header, which ImageJ
    and `read_volume` read and most other programs do not; choose OME-TIFF there for those. ``.zarr`` makes an OME-Zarr
    folder, compressed, in chunks and at several resolutions, of any size and dtype. ``.nrrd``, ``.h5`` (data set
    ``data``, compressed) and ``.mrc`` (no history, no origin; uint8 and masks become uint16) go slice by slice as well.

    Parameters
    ----------
    volume : bool, uint8, uint16 or float32 (NRRD and HDF5: any dtype); a mask is stored as 0 and 255 in uint8 in TIFF,
        since TIFF readers show that right. OME-Zarr takes any dtype; its coarser levels are means, of masks and of
        integers with no more than 8 different values the nearest voxel.
    path : the file; an older one is replaced at the end in one step (temporary file beside it, fsync, rename).
    ome_zarr : version of OME-Zarr, ``"0.5"`` (on Zarr 3) or ``"0.4"`` (on Zarr 2, which more programs read).
    sharded : whether an OME-Zarr 0.5 keeps 16 of its chunks (32 x 256 x 256 voxels) in one file; None does so where
        there are more than 2000 chunks, since file systems take few large files better than many small ones.
    progress : called with the share done, 0 to 1, after each slice.

    Raises
    ------
    WriteError : a dtype that the format cannot hold (the message names the astype), another ending, or a folder that is
        not there or takes no file.
    ParameterError : `sharded` with OME-Zarr 0.4, which has no shards.
    VolumeError : `volume` does not keep the Volume contract.
    """
    check_volume(volume)
    if is_zarr_name(Path(path)):
        write_zarr(volume, Path(path), version=ome_zarr, sharded=sharded, progress=progress)
        return
    write_file(volume, Path(path), progress)


def convert_volume(
    source: PathLike | Sequence[PathLike],
    target: PathLike,
    *,
    spacing: tuple[float, float, float] | None = None,
    units: Units | None = None,
    channel: int | None = None,
    ome_zarr: ZarrVersion = "0.5",
    sharded: bool | None = None,
    progress: Progress | None = None,
) -> Volume:
    """Write a volume in another format, then read it back and compare every voxel.

    Between any two formats some 128 MB of voxels are in memory at a time, whatever the size of the volume.

    Parameters
    ----------
    source : whatever `read_volume` reads.
    target : a file of whatever format `write_volume` writes; an older one is replaced.
    spacing, units : voxel size (z, y, x) in place of what the source says.
    channel : see `read_volume`.
    ome_zarr, sharded : see `write_volume`.
    progress : called with the share done, 0 to 1.

    Returns
    -------
    The Volume as it is in the new file, mapped where that is possible.

    Raises
    ------
    ReadError, WriteError : one of the files cannot be read or written, or what was written is not what was read.
    """

    def part(start: float) -> Progress | None:
        return None if progress is None else lambda share: progress(start + share / 2)

    volume = read_volume(source, spacing=spacing, units=units, mmap=True, channel=channel)
    write_volume(volume, target, ome_zarr=ome_zarr, sharded=sharded, progress=part(0))
    back = read_volume(target, mmap=True)
    check_written(volume, back, Path(target), part(0.5))
    return back


def _read(source: Path | list[Path], mmap: bool, sized: bool, progress: Progress | None, channel: int | None) -> Stack:
    if channel is not None and (isinstance(source, list) or source.is_dir()):
        raise ParameterError(f"channel names one of a TIFF file in colour, and {source} is none; leave it out")
    if isinstance(source, list):
        return read_slices(source, sized, mmap, progress)
    if is_zarr(source):
        return read_zarr(source, mmap, progress)
    if source.is_dir():
        return read_folder(source, sized, mmap, progress)
    return read_file(source, mmap, progress, channel)


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
        f"far apart they are; give the voxel size: spacing=(z, {known.y:.6g}, {known.x:.6g}), units={known.units!r} in "
        f"Python, --voxel-size z,{known.y:.6g},{known.x:.6g} on the command line"
    )
