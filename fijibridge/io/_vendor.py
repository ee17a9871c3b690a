"""What microscopes write into the tags of their TIFF files: pixel size and how the sample was held.

FEI and Thermo Fisher write tags 34682 and 34680, Zeiss 34118 (tifffile reads these), Tescan 50431 (an INI text).
"""

from __future__ import annotations

import configparser
import logging
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import tifffile

from ..volume import Step
from ._calibration import UNKNOWN, Calibration, from_lengths

_log = logging.getLogger(__name__)
_TESCAN = 50431
#: Angle between the electron and the ion column of each maker's instruments with two columns, and the models that have
#: two (Zeiss and Tescan do not say so otherwise).
_COLUMNS_DEG = {"FEI": 52.0, "Zeiss": 54.0, "Tescan": 55.0}
_TWO_COLUMNS = re.compile(
    r"dualbeam|auriga|crossbeam|nvision|neon|lyra|gaia|xeia|fera|vela|amber|solaris|s[89]000[gx]", re.IGNORECASE
)
#: A stage tilted by just this much looks at the ion column.
_SAME_DEG = 0.5


class Tags(NamedTuple):
    """What the tags say: lengths in m, angles in degrees; NaN where they do not."""

    maker: str
    instrument: str
    pixel_y: float
    pixel_x: float
    stage_tilt_deg: float
    #: Whether the scan made up for a tilted sample, so that its y pixels are right as they are.
    tilt_corrected: bool


def read_vendor(tiff: tifffile.TiffFile) -> Tags | None:
    """Read a microscope's tags; None where there are none, or none that we can make sense of."""
    page = tiff.pages.first
    try:
        if tiff.is_fei:
            return _fei(tiff.fei_metadata or {})
        if tiff.is_sem:
            return _zeiss(tiff.sem_metadata or {})
        if _TESCAN in page.tags:
            return _tescan(page.tags[_TESCAN].value)
    except (configparser.Error, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        _log.warning("the microscope's tags cannot be read and are left out: %s", error)
    return None


def calibrated(tags: Tags) -> Calibration:
    """Give the voxel size; the distance of slices stands in no tag."""
    if not (tags.pixel_y > 0 and tags.pixel_x > 0):
        return UNKNOWN
    # The instruments write some 6 digits: nm are what they mean, not 8.99306e-09 with a rounding error.
    y, x = ((float(f"{1e9 * length:.7g}"), "nm") for length in (tags.pixel_y, tags.pixel_x))
    return from_lengths(None, y, x)


def acquisition(tags: Tags) -> Step:
    """Give the first step of a history: taken by this instrument, held at that tilt."""
    columns = _COLUMNS_DEG[tags.maker]
    tilt = None if math.isnan(tags.stage_tilt_deg) else round(tags.stage_tilt_deg, 3)
    two = bool(_TWO_COLUMNS.search(tags.instrument)) or (tilt is not None and abs(tilt - columns) < _SAME_DEG)
    return {
        "operation": "acquire",
        "engine": "microscope",
        "version": tags.instrument,
        "parameters": {
            "maker": tags.maker,
            "stage_tilt_deg": tilt,
            "columns_deg": columns if two else None,
            "tilt_corrected": tags.tilt_corrected,
        },
    }


def _fei(meta: Mapping[str, Mapping[str, Any]]) -> Tags:
    scan, beam = meta.get("Scan", {}), meta.get("EBeam", {})
    system, stage = meta.get("System", {}), meta.get("Stage", {})
    # "On" with an angle of 0 corrects nothing.
    corrected = str(beam.get("TiltCorrectionIsOn", "no")).lower() == "yes" and _set(beam.get("TiltCorrectionAngle"))
    name = f"FEI {system.get('SystemType', '')} {system.get('Type', '')}".strip()
    tilt = math.degrees(_number(stage.get("StageT")))
    return Tags("FEI", name, _number(scan.get("PixelHeight")), _number(scan.get("PixelWidth")), tilt, corrected)


def _zeiss(meta: Mapping[str, Any]) -> Tags:
    pixel = _number(_entry(meta, "ap_image_pixel_size", "ap_pixel_size"))
    unit = str((meta.get("ap_image_pixel_size") or meta.get("ap_pixel_size") or ("", "", "m"))[-1])
    scale = {"pm": 1e-12, "nm": 1e-9, "µm": 1e-6, "um": 1e-6, "mm": 1e-3, "m": 1.0}.get(unit, math.nan)
    labels = {str(entry[0]).strip(): entry[1] for entry in meta.values() if isinstance(entry, tuple) and len(entry) > 1}
    name = f"Zeiss {_entry(meta, 'sv_serial_number') or ''}".strip()
    # tifffile turns On and Off into truth values.
    corrected = str(labels.get("Tilt Corrn.")).strip().lower() in ("true", "on")
    return Tags("Zeiss", name, pixel * scale, pixel * scale, _number(_entry(meta, "ap_stage_at_t")), corrected)


def _tescan(text: bytes | str) -> Tags:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text[text.index("[") :].replace("\0", ""))
    main, sem = parser["MAIN"], parser["SEM"] if parser.has_section("SEM") else {}
    name = f"Tescan {main.get('DeviceModel', main.get('Device', ''))}".strip()
    corrected = _set(sem.get("TiltCorrection", 0))
    size_y, size_x = _number(main.get("PixelSizeY")), _number(main.get("PixelSizeX"))
    return Tags("Tescan", name, size_y, size_x, _number(sem.get("StageTilt")), corrected)


def _entry(meta: Mapping[str, Any], *names: str) -> Any:
    """Give the value of the first entry that is there: entries are (label, value, unit)."""
    found = next((meta[name] for name in names if name in meta), (None, None))
    return found[1]


def _set(angle: Any) -> bool:
    return abs(_number(angle)) > 0


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
