"""Volumes into images for a worker, and a worker's images back into volumes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ..errors import VolumeError
from ..volume import Units, Volume, check_volume, history, make_volume, origin, voxel_size
from ._memory import Segment

#: The key of a volume's attrs that holds what ImageJ knows of an image and a Volume has no other place for.
KEY = "imagej"
_ORDER = ("t", "z", "c", "y", "x")  # the order of an ImageJ stack
_DTYPES = {"uint8": "uint8", "uint16": "uint16", "float32": "float32", "bool": "uint8"}
_KEPT = ("labels", "ranges", "luts", "mode", "overlay", "roi", "info", "frame_interval")
_UNIT_NAMES: dict[Units, str] = {"nm": "nm", "um": "µm", "voxel": "pixel"}
_LENGTHS: dict[str, tuple[Units, float]] = {
    "nm": ("nm", 1.0),
    "nanometer": ("nm", 1.0),
    "µm": ("um", 1.0),
    "μm": ("um", 1.0),
    "um": ("um", 1.0),
    "micron": ("um", 1.0),
    "microns": ("um", 1.0),
    "micrometer": ("um", 1.0),
    "mm": ("um", 1e3),
    "cm": ("um", 1e4),
    "m": ("um", 1e6),
    "inch": ("um", 25400.0),
    "å": ("nm", 0.1),
    "angstrom": ("nm", 0.1),
}
_RGB = ("red", "green", "blue")
_ALIGN = 4096
_WORTH_THREADS = 8 << 20


class Shipment(NamedTuple):
    """Volumes ready to go: their descriptions, the bytes they need, and how to write them."""

    specs: list[dict[str, Any]]
    size: int
    fill: Callable[[Segment], None]


def pack(volumes: Sequence[Volume]) -> Shipment:
    """Describe volumes for a worker.

    Raises
    ------
    VolumeError : no volume, or a dtype or dims that ImageJ cannot hold; the message says what to write instead.
    """
    arrays, specs, end = [], [], 0
    titles = _titles(volumes)
    for volume, title in zip(volumes, titles, strict=True):
        array = _stack_order(volume)
        spec = {**_describe(volume, array), "title": title, "offset": end}
        end += -(-spec["bytes"] // _ALIGN) * _ALIGN
        arrays.append(array)
        specs.append(spec)

    def fill(segment: Segment) -> None:
        for array, spec in zip(arrays, specs, strict=True):
            _write(array, spec, segment)

    return Shipment(specs, end, fill)


def unpack(
    specs: list[dict[str, Any]],
    voxels: np.ndarray[Any, Any] | None,
    sent: list[dict[str, Any]],
    volumes: Sequence[Volume],
) -> list[Volume]:
    """Make volumes of a worker's images; their voxels stay in the shared memory that they came in."""
    if voxels is None:
        return []
    given = list(zip(sent, volumes, strict=True))
    return [_unpack_one(spec, voxels, given) for spec in specs]


def _titles(volumes: Sequence[Volume]) -> list[str]:
    titles: list[str] = []
    for number, volume in enumerate(volumes, start=1):
        name = getattr(volume, "name", None)
        title = str(name) if name else f"volume{number}"
        if title in titles:
            raise VolumeError(f"two volumes are named {title!r}; give each its own name: volume.rename('other')")
        titles.append(title)
    return titles


def _stack_order(volume: Volume) -> Any:
    """Check a volume, with extra dims c and t allowed, and give its array as (t, z, c, y, x)."""
    if not isinstance(volume, xr.DataArray):
        check_volume(volume)
    extra = [dim for dim in volume.dims if dim not in ("z", "y", "x")]
    if not set(extra) <= {"c", "t"}:
        raise VolumeError(f"ImageJ takes dims z, y, x and besides c (channels) and t (frames), got {volume.dims}")
    check_volume(volume.isel(dict.fromkeys(extra, 0)).transpose("z", "y", "x"))
    if volume.dtype.name not in _DTYPES:
        raise VolumeError(
            f"ImageJ holds uint8, uint16, float32 and masks, got {volume.dtype}; "
            f"convert it first: volume.astype({_suggestion(volume.dtype)!r})"
        )
    bare = xr.DataArray(volume.variable)
    return bare.expand_dims([dim for dim in _ORDER if dim not in bare.dims]).transpose(*_ORDER).data


def _suggestion(dtype: np.dtype[Any]) -> str:
    return "float32" if dtype.kind == "f" or dtype.itemsize > 2 else "uint16"


def _describe(volume: Volume, array: Any) -> dict[str, Any]:
    frames, slices, channels, height, width = array.shape
    size = voxel_size(volume)
    known = volume.attrs.get(KEY, {})
    dtype = _DTYPES[volume.dtype.name]
    rgb = known.get("rgb", False) and channels == 3 and dtype == "uint8"
    planes = frames * slices * (1 if rgb else channels)
    kept = {key: known[key] for key in _KEPT if key in known}
    if len(kept.get("labels", ())) != planes:
        kept.pop("labels", None)
    return {
        "dtype": "rgb" if rgb else dtype,
        "mask": volume.dtype == bool,
        "width": width,
        "height": height,
        "channels": 1 if rgb else channels,
        "slices": slices,
        "frames": frames,
        "bytes": planes * height * width * (4 if rgb else np.dtype(dtype).itemsize),
        "spacing": list(size[:3]),
        "origin": [-start / step if start else 0.0 for start, step in zip(origin(volume), size[:3], strict=True)],
        "unit": _UNIT_NAMES[size.units],
        **kept,
    }


def _write(array: Any, spec: dict[str, Any], segment: Segment) -> None:
    target = _voxels(spec, np.frombuffer(segment.mapping, np.uint8))
    if spec["dtype"] == "rgb":
        parts = np.asarray(array).astype(np.uint32)
        target[...] = (parts[:, :, :1] << 16) | (parts[:, :, 1:2] << 8) | parts[:, :, 2:]
    elif spec["mask"]:
        np.multiply(np.asarray(array).view(np.uint8), 255, out=target)
    else:
        _copy(array, target)


def _copy(array: Any, target: np.ndarray[Any, Any]) -> None:
    """Copy (t, z, c, y, x) voxels; large ones in several threads, since one alone does not fill the memory's width."""
    threads = min(4, os.cpu_count() or 1, target.shape[1])
    source = np.asarray(array)
    if target.nbytes < _WORTH_THREADS or threads == 1:
        np.copyto(target, source)
        return
    parts = np.array_split(np.arange(target.shape[1]), threads)
    with ThreadPoolExecutor(threads) as pool:
        list(
            pool.map(
                lambda part: np.copyto(target[:, part[0] : part[-1] + 1], source[:, part[0] : part[-1] + 1]), parts
            )
        )


def _voxels(spec: dict[str, Any], voxels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    shape = (spec["frames"], spec["slices"], spec["channels"], spec["height"], spec["width"])
    dtype = np.dtype(np.uint32 if spec["dtype"] == "rgb" else spec["dtype"])
    size = int(np.prod(shape)) * dtype.itemsize
    return np.asarray(voxels)[spec["offset"] : spec["offset"] + size].view(dtype).reshape(shape)


def _unpack_one(
    spec: dict[str, Any], voxels: np.ndarray[Any, Any], given: list[tuple[dict[str, Any], Volume]]
) -> Volume:
    array = _voxels(spec, voxels)
    if spec["dtype"] == "rgb":
        array = array.view(np.uint8).reshape(*array.shape, 4)[:, :, 0, :, :, 2::-1].transpose(0, 1, 4, 2, 3)
    source = next(((sent, volume) for sent, volume in given if sent["title"] == spec["title"]), None)
    if source and source[0]["mask"] and spec["dtype"] == "uint8" and _is_mask(array):
        array = array.view(bool) if array.max(initial=0) <= 1 else array == 255
    base = _grid(spec, array, given)
    return _with_extra_dims(array, base, spec, source[1] if source else (given[0][1] if given else None))


def _is_mask(array: np.ndarray[Any, Any]) -> bool:
    return bool(((array == 0) | (array == 255)).all())


def _grid(spec: dict[str, Any], array: np.ndarray[Any, Any], given: list[tuple[dict[str, Any], Volume]]) -> Volume:
    """Give a (z, y, x) volume on the image's grid: the very coordinates of a volume that went in, where they fit."""
    plane = array[0, :, 0]
    for sent, volume in given:
        if volume.sizes["z"] == plane.shape[0] and _same_place(sent, spec) and _same_size(volume, plane):
            extra = {dim: 0 for dim in volume.dims if dim not in ("z", "y", "x")}
            coords = volume.isel(extra, drop=True).coords
            return xr.DataArray(plane, dims=("z", "y", "x"), coords={dim: coords[dim] for dim in ("z", "y", "x")})
    units, factors = _units(spec)
    z, y, x = (step * factor for step, factor in zip(spec["spacing"], factors, strict=True))
    starts = [-pixels * step if pixels else 0.0 for pixels, step in zip(spec["origin"], (z, y, x), strict=True)]
    return make_volume(plane, spacing=(z, y, x), units=units, origin=(starts[0], starts[1], starts[2]))


def _same_size(volume: Volume, plane: np.ndarray[Any, Any]) -> bool:
    return bool((volume.sizes["y"], volume.sizes["x"]) == plane.shape[1:])


def _same_place(sent: dict[str, Any], spec: dict[str, Any]) -> bool:
    units = {_LENGTHS.get(unit.lower(), (unit, 1.0)) for unit in (sent["unit"], *spec["units"])}
    return len(units) == 1 and sent["spacing"] == spec["spacing"] and sent["origin"] == spec["origin"]


def _units(spec: dict[str, Any]) -> tuple[Units, list[float]]:
    """Give the units of a volume and the factors from ImageJ's numbers along z, y, x."""
    found = [_LENGTHS.get(unit.lower()) for unit in spec["units"]]
    if None in found:
        return "voxel", [1.0, 1.0, 1.0]
    lengths = [length for length in found if length is not None]
    if all(unit == "nm" for unit, _ in lengths):
        return "nm", [factor for _, factor in lengths]
    return "um", [factor / 1000 if unit == "nm" else factor for unit, factor in lengths]


def _with_extra_dims(array: np.ndarray[Any, Any], base: Volume, spec: dict[str, Any], source: Volume | None) -> Volume:
    full = xr.DataArray(array, dims=_ORDER, coords={dim: base.coords[dim] for dim in ("z", "y", "x")})
    if spec["dtype"] == "rgb":
        full = full.assign_coords(c=list(_RGB))
    full = full.isel({dim: 0 for dim in ("t", "c") if full.sizes[dim] == 1})
    image = full.transpose(*(dim for dim in ("t", "c", "z", "y", "x") if dim in full.dims))
    known = {key: spec[key] for key in _KEPT if spec[key]}
    if spec["dtype"] == "rgb":
        known["rgb"] = True
    image.attrs = {"history": history(source) if source is not None else (), KEY: known}
    image.name = spec["title"]
    return image
