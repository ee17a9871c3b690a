"""OME-XML: the voxel size, and the text where our history stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tifffile

from ..volume import VoxelSize
from ._calibration import UNKNOWN, Calibration, from_lengths


def from_ome(xml: str) -> Calibration:
    """Read PhysicalSizeX, Y and Z with their units (um where none is given) of the first image."""
    pixels = _image(xml).get("Pixels", {})
    x, y, z = (_length(pixels, axis) for axis in "XYZ")
    return UNKNOWN if x is None or y is None else from_lengths(z, y, x)


def ome_description(xml: str) -> str:
    """Give the description of the first image, "" if it has none."""
    return str(_image(xml).get("Description", ""))


def ome_metadata(size: VoxelSize, text: str) -> dict[str, Any]:
    """Say in tifffile's terms what goes into the OME-XML of a volume."""
    unit = {"nm": "nm", "um": "µm", "voxel": "pixel"}[size.units]
    sizes: dict[str, Any] = {}
    for axis, length in (("X", size.x), ("Y", size.y), ("Z", size.z)):
        sizes |= {f"PhysicalSize{axis}": length, f"PhysicalSize{axis}Unit": unit}
    return {"axes": "ZYX", "Description": text, **sizes}


def _image(xml: str) -> Mapping[str, Any]:
    content = tifffile.xml2dict(xml).get("OME", {})
    image = content.get("Image", {}) if isinstance(content, dict) else {}
    first = image[0] if isinstance(image, list) else image
    return first if isinstance(first, dict) else {}


def _length(pixels: Mapping[str, Any], axis: str) -> tuple[float, str] | None:
    try:
        return float(pixels[f"PhysicalSize{axis}"]), str(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    except (KeyError, TypeError, ValueError):
        return None
