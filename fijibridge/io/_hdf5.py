"""HDF5 (.h5, .hdf5): ilastik with its axistags, BigDataViewer with its cells, and what `write_volume` writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import ReadError
from ..volume import DIMS, Volume, history, origin, voxel_size
from ._calibration import UNKNOWN, Calibration, from_lengths
from ._history import Note, from_value, to_value
from ._lazy import OnDisk, voxels
from ._outside import package, reading
from ._pieces import by_planes, pieces
from ._stack import Stack

#: ilastik and Fiji's HDF5 plugin keep the voxel size (z, y, x) under this name, in micrometres.
_SIZE_UM = "element_size_um"
#: Ours, beside it: as many digits and the same unit as in the volume.
_SIZE = "voxel_size"
_NOTE = "fijibridge"
_NAME = "data"
#: BigDataViewer's full resolution of the first time point and view, which is one of many data sets of its files.
_BDV = "t00000/s00/0/cells"
_CHUNK = (16, 128, 128)
#: Bytes of one part of a lazy array, made of whole chunks.
_MOST_PIECE = 16 << 20


def read_hdf5(path: Path, inside: str, mmap: bool) -> Stack:
    """Read one data set of an HDF5 file.

    Parameters
    ----------
    path : the file.
    inside : the data set's name in it; empty where there is only one volume.

    Raises
    ------
    ReadError : no HDF5, broken, no such data set, or several and none named.
    EngineMissingError : h5py is not installed.
    """
    h5py = package("h5py", path)
    with reading(path, "HDF5"), h5py.File(path, "r") as file:
        found = _pick(path, file, h5py, inside)
        _check_home(path, found)
        _check_size(path, found)
        data = _volume_axes(path, found, _read(path, found, mmap))
        note = from_value(found.attrs.get(_NOTE))
        return Stack(str(path), data, _calibration(found, note), note.history)


class _Dataset(OnDisk):
    """One data set, in the order of its own axes."""

    kind = "HDF5"

    def __init__(self, path: Path, dataset: Any) -> None:
        super().__init__(path, dataset.shape, dataset.dtype)
        self._name = dataset.name

    def open(self) -> Any:
        """Open the data set; the file stays open with it."""
        return package("h5py", self.path).File(self.path, "r")[self._name]

    def take(self, opened: Any, key: tuple[slice, ...]) -> Any:
        """Read a part."""
        return opened[key]


def _read(path: Path, dataset: Any, mmap: bool) -> Any:
    """Read in boxes of chunks: each is unpacked once."""
    shape, itemsize = dataset.shape, dataset.dtype.itemsize
    chunks = dataset.chunks or (*[1] * (len(shape) - 2), *shape[-2:])
    first = pieces(shape, chunks, itemsize, most=_MOST_PIECE)[0]
    return voxels(_Dataset(path, dataset), [part.stop for part in first], mmap=mmap)


def write_hdf5(volume: Volume, file: BinaryIO, progress: Callable[[float], None] | None) -> None:
    """Write a volume to the data set ``data`` of an open file, in compressed chunks, with ilastik's axis tags."""
    h5py = package("h5py", Path("HDF5"))
    with h5py.File(file, "w") as made:
        chunk = tuple(min(most, count) for most, count in zip(_CHUNK, volume.shape, strict=True))
        dataset = made.create_dataset(
            _NAME, volume.shape, volume.dtype, chunks=chunk, compression="gzip", compression_opts=1, shuffle=True
        )
        size = voxel_size(volume)
        if size.units != "voxel":
            dataset.attrs[_SIZE_UM] = [float(f"{step:.12g}") for step in size.to("um")[:3]]
        dataset.attrs[_SIZE], dataset.attrs["units"] = [float(f"{step:.12g}") for step in size[:3]], size.units
        dataset.attrs["axistags"] = json.dumps({"axes": [{"key": dim, "typeFlags": 2} for dim in DIMS]})
        dataset.attrs[_NOTE] = to_value(history(volume), origin(volume))
        source, boxes = by_planes(volume.data), pieces(volume.shape, chunk, volume.dtype.itemsize)
        for number, box in enumerate(boxes, 1):
            dataset[box] = np.asarray(source[box])
            if progress is not None:
                progress(number / len(boxes))


def _pick(path: Path, file: Any, h5py: Any, inside: str) -> Any:
    if inside:
        _check_links(path, file, h5py, inside)
        found = file.get(inside)
        if not isinstance(found, h5py.Dataset):
            raise ReadError(f"{path} has no data set {inside}; it has {_listed(_datasets(file, h5py)) or 'none'}")
        return found
    names = _datasets(file, h5py)
    if _BDV in names:
        return file[_BDV]
    if len(names) != 1:
        said = f"several volumes ({_listed(names)}): name one, as in {path.name}/{names[0]}" if names else "no volume"
        raise ReadError(f"{path} holds {said}")
    return file[names[0]]


def _check_links(path: Path, file: Any, h5py: Any, inside: str) -> None:
    """Follow no link into another file: what a path names is what is read."""
    parts = inside.strip("/").split("/")
    for name in ("/".join(parts[: n + 1]) for n in range(len(parts))):
        if isinstance(file.get(name, getlink=True), h5py.ExternalLink):
            raise ReadError(f"{path} keeps {name} in another file; name that file itself")


def _check_home(path: Path, dataset: Any) -> None:
    """Refuse voxels that a file says to be in others: they may be any file of the user's."""
    others = [dataset.external] if dataset.external else dataset.virtual_sources() if dataset.is_virtual else ()
    if any(getattr(other, "file_name", "") != "." for other in others):
        raise ReadError(f"{path} keeps the voxels of {dataset.name} in other files; name the file that has them")


def _datasets(file: Any, h5py: Any) -> list[str]:
    names: list[str] = []

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim >= 3 and item.dtype.kind in "buif":
            names.append(name)

    file.visititems(look)
    return names


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _check_size(path: Path, dataset: Any) -> None:
    """A few bytes may promise any number of voxels, since empty chunks are not stored; deflate makes 1032 of one."""
    promised = int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize
    if promised > 1032 * max(dataset.id.get_storage_size(), 1) + (1 << 20):
        raise ReadError(
            f"{path} promises {promised} bytes of voxels in {dataset.name} and stores "
            f"{dataset.id.get_storage_size()}; save it anew"
        )


def _volume_axes(path: Path, dataset: Any, data: Any) -> Any:
    """Bring the voxels into the order z, y, x; axes of length 1 (time, channels) fall away."""
    names = _axes(dataset)
    kept = [axis for axis, name in enumerate(names) if dataset.shape[axis] > 1 or name in DIMS]
    kept_names = [names[axis] for axis in kept]
    if not set(kept_names) <= set(DIMS) or len(set(kept_names)) != len(kept_names):
        shape = " x ".join(map(str, dataset.shape))
        raise ReadError(
            f"{path} holds an image of {shape} ({''.join(names)}) in {dataset.name}; save one channel and time point"
        )
    data = data[tuple(slice(None) if axis in kept else 0 for axis in range(len(names)))]
    data = np.transpose(data, [kept_names.index(dim) for dim in DIMS if dim in kept_names])
    for place, dim in enumerate(DIMS):
        if dim not in kept_names:
            data = np.expand_dims(data, place)
    return data


def _axes(dataset: Any) -> list[str]:
    """Give the names of the axes, from ilastik's tags where they are; else the usual order of that many."""
    tags = dataset.attrs.get("axistags")
    if tags is not None:
        return [str(axis["key"]) for axis in json.loads(tags)["axes"]]
    return list({3: "zyx", 4: "zyxc", 5: "tzyxc"}.get(dataset.ndim, "?" * dataset.ndim))


def _calibration(dataset: Any, note: Note) -> Calibration:
    sizes, unit = dataset.attrs.get(_SIZE), str(dataset.attrs.get("units", ""))
    if sizes is None or not unit:
        sizes, unit = dataset.attrs.get(_SIZE_UM), "um"
    if sizes is None or len(sizes) != 3:
        return UNKNOWN
    z, y, x = ((float(size), unit) for size in sizes)
    calibration = from_lengths(z, y, x)
    return calibration if note.origin is None else calibration._replace(origin=note.origin)
