"""Which file is read and written by what, told by its ending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import ParameterError, WriteError
from ..volume import Volume
from ._amira import read_amira
from ._files import atomic
from ._hdf5 import read_hdf5, write_hdf5
from ._metaimage import read_metaimage
from ._mrc import read_mrc, write_mrc
from ._nrrd import read_nrrd, write_nrrd
from ._sidecar import ENDINGS as RAW
from ._sidecar import read_sidecar
from ._stack import Stack
from ._tiff import read_tiff
from ._write import ENDINGS as TIFF_ENDINGS
from ._write import write_tiff
from ._xradia import read_xradia

Progress = Callable[[float], None]

_HDF5 = (".h5", ".hdf5", ".hdf")
_MRC = (".mrc", ".map", ".rec", ".st")
_READERS: dict[str, Callable[[Path, bool], Stack]] = {
    **dict.fromkeys((".nrrd", ".nhdr"), read_nrrd),
    **dict.fromkeys((".mhd", ".mha"), read_metaimage),
    **dict.fromkeys((*_MRC, ".map.gz", ".mrc.gz", ".map.bz2", ".mrc.bz2"), read_mrc),
    **dict.fromkeys((".am",), read_amira),
    **dict.fromkeys((".txm", ".txrm", ".xrm"), read_xradia),
}
WRITABLE = (*TIFF_ENDINGS, ".nrrd", ".h5", ".mrc")


def read_file(path: Path, mmap: bool, progress: Progress | None, channel: int | None) -> Stack:
    """Read one file of any format that we know; what has no known ending is taken for TIFF.

    Raises
    ------
    ParameterError : `channel` with another format than TIFF.
    """
    name = path.name.lower()
    container, inside = _container(path)
    if channel is not None and (container is not None or name.endswith((*RAW, *_READERS))):
        raise ParameterError(f"channel names one of a TIFF in colour, and {path} is another format; leave it out")
    if container is not None:
        return read_hdf5(container, inside, mmap)
    if name.endswith(RAW):
        return read_sidecar(path, mmap)
    for ending, read in _READERS.items():
        if name.endswith(ending):
            return read(path, mmap)
    return read_tiff(path, mmap, progress, channel)


def write_file(volume: Volume, path: Path, progress: Progress | None) -> None:
    """Write a volume in the format that the ending asks for, whole or not at all.

    Raises
    ------
    WriteError : an ending that no writer has, or a dtype that the format does not.
    """
    name = path.name.lower()
    if not name.endswith(WRITABLE):
        raise WriteError(f"cannot tell the format of {path} by its ending; use one of {', '.join(WRITABLE)}")
    with atomic(path) as handle:
        _writer(name)(volume, handle, progress)


def _writer(name: str) -> Callable[[Volume, BinaryIO, Progress | None], None]:
    if name.endswith(".nrrd"):
        return write_nrrd
    if name.endswith(".h5"):
        return write_hdf5
    if name.endswith(".mrc"):
        # mrcfile maps a file by its name; the open handle keeps the place.
        return lambda volume, handle, progress: write_mrc(volume, Path(handle.name), progress)
    return lambda volume, handle, progress: write_tiff(volume, handle, ome=".ome." in name, progress=progress)


def _container(path: Path) -> tuple[Path | None, str]:
    """Part ``folder/file.h5/volumes/raw`` into the file and the name inside of it."""
    for parent in (path, *path.parents):
        if parent.suffix.lower() in _HDF5 and not parent.is_dir():
            return parent, path.relative_to(parent).as_posix() if parent != path else ""
    return None, ""
