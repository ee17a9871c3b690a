"""Images between shared memory and ImageJ, with everything that ImageJ knows of them."""

from __future__ import annotations

import base64
from typing import Any

import jpype

from ._java import java
from ._planes import ITEM_SIZE, planes_in, planes_out

_BIT_DEPTH = {8: "uint8", 16: "uint16", 32: "float32", 24: "rgb"}
_ALIGN = 4096


def open_image(spec: dict[str, Any], memory: memoryview) -> Any:
    """Make an ImagePlus of a description and its voxels, and open it (without a window)."""
    stack = java("ij.ImageStack")(spec["width"], spec["height"])
    labels = spec.get("labels") or [None] * _plane_count(spec)
    voxels = memory[spec["offset"] : spec["offset"] + _byte_size(spec)]
    for label, plane in zip(labels, planes_in(voxels, spec["dtype"], _plane_count(spec)), strict=True):
        stack.addSlice(label, plane)
    image = java("ij.ImagePlus")(spec["title"], stack)
    image.setDimensions(spec["channels"], spec["slices"], spec["frames"])
    image.setOpenAsHyperStack(spec["channels"] > 1 or spec["frames"] > 1)
    if spec["channels"] > 1:
        mode = getattr(java("ij.CompositeImage"), spec.get("mode", "composite").upper())
        image = java("ij.CompositeImage")(image, mode)
    _calibrate(image, spec)
    _dress(image, spec)
    image.show()
    return image


def describe_image(image: Any) -> dict[str, Any]:
    """Describe an ImagePlus in plain terms; the voxels are not in it."""
    calibration = image.getCalibration()
    return {
        "title": str(image.getTitle()),
        "dtype": _BIT_DEPTH[int(image.getBitDepth())],
        "width": int(image.getWidth()),
        "height": int(image.getHeight()),
        "channels": int(image.getNChannels()),
        "slices": int(image.getNSlices()),
        "frames": int(image.getNFrames()),
        "spacing": [float(calibration.pixelDepth), float(calibration.pixelHeight), float(calibration.pixelWidth)],
        "units": [str(calibration.getZUnit()), str(calibration.getYUnit()), str(calibration.getXUnit())],
        "origin": [float(calibration.zOrigin), float(calibration.yOrigin), float(calibration.xOrigin)],
        "frame_interval": float(calibration.frameInterval),
        "labels": _labels(image),
        "ranges": _ranges(image),
        "luts": _luts(image),
        "mode": str(image.getModeAsString()) if image.isComposite() else "",
        "overlay": [roi_out(roi) for roi in image.getOverlay().toArray()] if image.getOverlay() else [],
        "roi": roi_out(image.getRoi()) if image.getRoi() else None,
        "info": _text(image.getInfoProperty()),
    }


def plan_images(images: list[Any]) -> tuple[list[dict[str, Any]], int]:
    """Describe images and give each its place in a block of shared memory; give the size of the block as well."""
    specs, end = [], 0
    for image in images:
        spec = describe_image(image)
        spec["offset"] = end
        end += -(-_byte_size(spec) // _ALIGN) * _ALIGN
        specs.append(spec)
    return specs, end


def ship_images(images: list[Any], specs: list[dict[str, Any]], memory: memoryview) -> None:
    """Copy the voxels of images to their places."""
    for image, spec in zip(images, specs, strict=True):
        stack = image.getStack()
        planes = [stack.getPixels(number) for number in range(1, stack.getSize() + 1)]
        planes_out(planes, memory[spec["offset"] : spec["offset"] + _byte_size(spec)], spec["dtype"])


def roi_out(roi: Any) -> dict[str, Any]:
    """Describe a ROI; ``data`` is ImageJ's own file format and holds all of it."""
    bounds = roi.getFloatBounds()
    encoded = java("ij.io.RoiEncoder").saveAsByteArray(roi)
    return {
        "name": _text(roi.getName()),
        "type": str(roi.getTypeAsString()),
        "bounds": [float(bounds.x), float(bounds.y), float(bounds.width), float(bounds.height)],
        "position": [int(roi.getCPosition()), int(roi.getZPosition()), int(roi.getTPosition()), int(roi.getPosition())],
        "data": base64.b64encode(bytes(encoded)).decode(),
    }


def roi_in(entry: dict[str, Any]) -> Any:
    """Make the ROI again that `roi_out` described."""
    data = jpype.JArray(jpype.JByte)(base64.b64decode(entry["data"]))
    return java("ij.io.RoiDecoder").openFromByteArray(data)


def _plane_count(spec: dict[str, Any]) -> int:
    return int(spec["channels"] * spec["slices"] * spec["frames"])


def _byte_size(spec: dict[str, Any]) -> int:
    return int(_plane_count(spec) * spec["width"] * spec["height"] * ITEM_SIZE[spec["dtype"]])


def _calibrate(image: Any, spec: dict[str, Any]) -> None:
    calibration = image.getCalibration()
    calibration.pixelDepth, calibration.pixelHeight, calibration.pixelWidth = spec["spacing"]
    calibration.zOrigin, calibration.yOrigin, calibration.xOrigin = spec["origin"]
    calibration.setUnit(spec["unit"])
    calibration.frameInterval = spec.get("frame_interval", 0.0)


def _dress(image: Any, spec: dict[str, Any]) -> None:
    """Give the image its colours, display range, overlay and text."""
    for channel, lut in enumerate(spec.get("luts") or [], start=1):
        _set_lut(image, channel, base64.b64decode(lut))
    ranges = spec.get("ranges") or []
    for channel, (low, high) in enumerate(ranges, start=1):
        if len(ranges) > 1:
            image.setPositionWithoutUpdate(channel, 1, 1)
        image.setDisplayRange(low, high)
    if len(ranges) > 1:
        image.setPositionWithoutUpdate(1, 1, 1)
    if spec.get("overlay"):
        overlay = java("ij.gui.Overlay")()
        for entry in spec["overlay"]:
            overlay.add(roi_in(entry))
        image.setOverlay(overlay)
    if spec.get("roi"):
        image.setRoi(roi_in(spec["roi"]))
    if spec.get("info"):
        image.setProperty("Info", spec["info"])


def _set_lut(image: Any, channel: int, table: bytes) -> None:
    parts = [jpype.JArray(jpype.JByte)(table[start : start + 256]) for start in (0, 256, 512)]
    lut = java("ij.process.LUT")(*parts)
    if image.isComposite():
        image.setChannelLut(lut, channel)
    else:
        image.setLut(lut)


def _labels(image: Any) -> list[str | None]:
    stack = image.getStack()
    labels = [_text(stack.getSliceLabel(index + 1)) for index in range(stack.getSize())]
    return labels if any(labels) else []


def _ranges(image: Any) -> list[list[float]]:
    if int(image.getBitDepth()) == 24:
        return []
    if image.isComposite():
        return [[float(lut.min), float(lut.max)] for lut in image.getLuts()]
    return [[float(image.getDisplayRangeMin()), float(image.getDisplayRangeMax())]]


def _luts(image: Any) -> list[str]:
    if int(image.getBitDepth()) == 24:
        return []
    tables = [bytes(lut.getBytes()) for lut in image.getLuts() if lut.getBytes() is not None]
    grey = bytes(range(256)) * 3
    return [] if all(table == grey for table in tables) else [base64.b64encode(table).decode() for table in tables]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
