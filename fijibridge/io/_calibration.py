"""Voxel sizes as TIFF, ImageJ and OME write them, turned into ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from ..errors import WriteError
from ..volume import Units, VoxelSize

#: Nanometres per unit, for every spelling met in files.
_NM: dict[str, float] = {
    **dict.fromkeys(("a", "å", "angstrom", "angstroms", "ångström"), 0.1),
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers", "micrometre"), 1e3),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre"), 1e6),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre"), 1e7),
    **dict.fromkeys(("inch", "inches", "in"), 2.54e7),
    **dict.fromkeys(("m", "meter", "meters", "metre"), 1e9),
}
_UNCALIBRATED = ("pixel", "pixels", "voxel", "voxels")
#: Dots per inch that printers, screens and drawing programs set; they say nothing of the sample.
_PRINT_DPI = (72, 90, 96, 100, 120, 144, 150, 180, 200, 220, 240, 250, 300, 350, 360, 400, 600, 720, 1200, 2400)
#: ImageJ before 1.52 reads the two halves of a TIFF fraction as signed 32-bit integers.
_MOST = 2**31 - 1


class Calibration(NamedTuple):
    """Voxel size in `units` and the centre of the first voxel; z is None where the file gives y and x alone."""

    z: float | None
    y: float
    x: float
    units: Units
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)


UNKNOWN = Calibration(1.0, 1.0, 1.0, "voxel")


def from_lengths(
    z: tuple[float, str] | None, y: tuple[float, str], x: tuple[float, str], origin: tuple[float, ...] = (0.0, 0.0, 0.0)
) -> Calibration:
    """Make a calibration of lengths with units; `origin` counts in voxels, as in ImageJ.

    A unit that nobody knows, or a length that is not a positive number, makes the whole uncalibrated.
    """
    lengths = [y if z is None else z, y, x]
    if not all(0 < value < float("inf") for value, _ in lengths):
        return UNKNOWN
    names = [unit.strip().lower() for _, unit in lengths]
    units: Units
    if all(name in _UNCALIBRATED for name in names):
        units, sizes = "voxel", [value for value, _ in lengths]
    elif all(name in _NM for name in names):
        units = "nm" if all(_NM[name] <= 1 for name in names) else "um"
        sizes = [_converted(value, name, units) for (value, _), name in zip(lengths, names, strict=True)]
    else:
        return UNKNOWN
    start = tuple(-first * size or 0.0 for first, size in zip(origin, sizes, strict=True))
    depth = None if z is None and units != "voxel" else sizes[0]
    return Calibration(depth, sizes[1], sizes[2], units, (start[0], start[1], start[2]))


def _converted(value: float, name: str, units: Units) -> float:
    """Convert a length; in its own unit it stays the very same number."""
    factor = Fraction(str(_NM[name])) / Fraction(str(_NM[units]))
    return value if factor == 1 else float(Fraction(repr(value)) * factor)


def from_resolution(x: Fraction | None, y: Fraction | None, unit: int) -> Calibration:
    """Read the plain TIFF tags: pixels per `unit` (2 = inch, 3 = cm); a print setting is no calibration."""
    name = {2: "inch", 3: "cm"}.get(unit)
    if name is None or not x or not y:
        return UNKNOWN
    if _is_print_setting(x, name) and _is_print_setting(y, name):
        return UNKNOWN
    return from_lengths(None, (float(1 / y), name), (float(1 / x), name))


def _is_print_setting(per_unit: Fraction, name: str) -> bool:
    dpi = float(per_unit) * (2.54 if name == "cm" else 1.0)
    # Programs round dots per cm to few digits (28.35 for 72 dpi, 118.1 for 300).
    return any(abs(dpi - usual) <= 1e-3 * usual for usual in _PRINT_DPI)


def description_items(description: str) -> dict[str, str]:
    """Read the key=value lines that ImageJ (and SCIFIO) put into ImageDescription; {} where another wrote it."""
    if not description.startswith(("ImageJ=", "SCIFIO=")):
        return {}
    pairs = (line.split("=", 1) for line in description.splitlines() if "=" in line)
    return {key.strip(): _unescaped(value.strip()) for key, value in pairs}


def _unescaped(value: str) -> str:
    """Turn Java's backslash-u escapes back into characters; ImageJ writes every unit that is not ASCII so."""
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), value)


def from_imagej(items: Mapping[str, str], x: Fraction | None, y: Fraction | None, unit: int) -> Calibration:
    """Read what ImageJ reads: pixel width and height from the resolution tags, the rest from ImageDescription."""
    name = items.get("unit", "")
    width, height = (float(1 / per) if per else 1.0 for per in (x, y))
    if unit == 3 and name == "um":
        # Some programs write the tags in cm beside unit=um; ImageJ (FileOpener) takes them so.
        width, height = width * 1e4, height * 1e4
    return from_lengths(
        _imagej_depth(items, name),
        (height, items.get("yunit", name)),
        (width, name),
        tuple(_number(items, key, 0.0) for key in ("zorigin", "yorigin", "xorigin")),
    )


def _imagej_depth(items: Mapping[str, str], name: str) -> tuple[float, str] | None:
    """Read the depth, which ImageJ leaves out where it is 1, and in single slices (where nobody can know it)."""
    if "spacing" not in items and _number(items, "images", 1) <= 1:
        return None
    # ImageJ takes negative depths by their size.
    return abs(_number(items, "spacing", 1.0)) or 1.0, items.get("zunit", name)


def _number(items: Mapping[str, str], key: str, default: float) -> float:
    try:
        value = float(items.get(key, default))
    except ValueError:
        return default
    return value if abs(value) < float("inf") else default


def imagej_unit(size: VoxelSize) -> str:
    """Name our units as ImageJ does."""
    return {"nm": "nm", "um": "micron", "voxel": "pixel"}[size.units]


def pixels_per_unit(size: float) -> tuple[int, int]:
    """Give 1 / `size` as the fraction of two 31-bit integers that TIFF stores, so near that it reads back the same."""
    exact = 1 / Fraction(repr(size))
    near = exact.limit_denominator(max(1, min(_MOST, int(_MOST / exact))))
    if near == 0 or near.numerator > _MOST or abs(float(1 / near) - size) > 1e-9 * size:
        raise WriteError(f"a voxel size of {size} cannot be stored in TIFF; give the volume other units (nm or um)")
    return near.numerator, near.denominator
