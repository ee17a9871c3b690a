"""Volumes as napari layers and back; scale and translation carry voxel size and origin."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from ..errors import VolumeError
from ..volume import Units, Volume, history, make_volume, origin, voxel_size

Kind = Literal["image", "labels"]
LayerData: TypeAlias = tuple[Any, dict[str, Any], Kind]

#: napari's names (pint's) for ours, and where it says nothing of a unit.
_UNITS: dict[str, Units] = {"nanometer": "nm", "micrometer": "um", "micron": "um"}


def to_layer(volume: Volume, name: str, *, kind: Kind | None = None) -> LayerData:
    """Make what napari adds as a layer; masks become labels, unless `kind` says otherwise."""
    size = voxel_size(volume)
    chosen: Kind = kind or ("labels" if volume.dtype.kind == "b" else "image")
    data = volume.data.astype(np.uint8) if volume.dtype.kind == "b" else volume.data
    more: dict[str, Any] = {
        "name": name,
        "scale": size[:3],
        "translate": origin(volume),
        "metadata": {"history": history(volume)},
        "units": ("pixel" if size.units == "voxel" else size.units,) * 3,
        "axis_labels": ("z", "y", "x"),
    }
    return data, more, chosen


def to_volume(layer: Any) -> Volume:
    """Make a Volume of a layer that shows one stack.

    Raises
    ------
    VolumeError : the layer is no grey or label stack of three axes, or is turned or sheared.
    """
    data = layer.data
    if getattr(layer, "multiscale", False):
        data = data[0]
    if data.ndim == 2:
        data = data[None]
    if data.ndim != 3 or getattr(layer, "rgb", False):
        raise VolumeError(
            f"the layer {layer.name!r} has the shape {data.shape}; choose a grey stack with the axes z, y, x"
        )
    if not np.allclose(layer.rotate, np.eye(layer.ndim)) or np.any(layer.shear):
        raise VolumeError(f"the layer {layer.name!r} is turned or sheared; reset its transform first")
    scale, start = (_three(values, fill) for values, fill in ((layer.scale, 1.0), (layer.translate, 0.0)))
    past = layer.metadata.get("history", ())
    return make_volume(data, spacing=scale, units=_unit(layer), origin=start, history=tuple(past))


def _three(values: Any, fill: float) -> tuple[float, float, float]:
    """Put a plane's missing z in front."""
    z, y, x = [fill] * (3 - len(values)) + [float(value) for value in values]
    return z, y, x


def _unit(layer: Any) -> Units:
    """Give the unit of a layer's axes; napari without units, or with unlike ones, is not calibrated."""
    names = {str(unit) for unit in getattr(layer, "units", ())}
    return _UNITS.get(names.pop(), "voxel") if len(names) == 1 else "voxel"
