"""Labels that were drawn as ImageJ regions: ``.roi`` files and the ROI Manager's ``RoiSet.zip``."""

from __future__ import annotations

import struct
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.draw import line, polygon2mask
from skimage.morphology import disk

from ..errors import EngineMissingError, LabelsError, ReadError
from ._classnames import class_of

_LINES = ("LINE", "POLYLINE", "FREELINE")


#: Bytes of all regions of an archive at most; one of a thousand corners takes four thousand.
_MOST = 64 << 20
#: What damaged archives raise; a flipped bit may also ask for a password or an unknown compression.
_BROKEN = (OSError, ValueError, IndexError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def read_rois(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Read regions as labels; later ones lie over earlier ones.

    The class is the region's group, or is read off its name. Areas hold the pixels whose centres they hold; lines are
    as wide as their stroke. A region without a slice position fits a volume of one slice only.
    """
    labels = np.zeros(shape, np.uint8)
    for roi in _regions(path):
        value = int(roi.group) if 0 < int(roi.group) < 256 else class_of(roi.name)
        if not value:
            raise LabelsError(
                f"region {roi.name!r} in {path} has no class; set its group (Edit > Selection > Properties) or name it "
                "'1 ...' for active material, '2 ...' for pore + binder"
            )
        mask = _mask(roi, shape[1:])
        labels[_slice(roi, shape[0], path)][mask] = value
    return labels


def _check_size(path: Path) -> None:
    """Look at what an archive says of its regions before they are unpacked, which zipfile does to that size at most."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > _MOST:
        raise ReadError(
            f"{path} unpacks to {size / 1e6:.0f} MB, too much for ImageJ regions; save it from the ROI Manager"
        )


def _regions(path: Path) -> list[Any]:
    try:
        import roifile
    except ImportError as error:
        raise EngineMissingError("reading ImageJ regions needs roifile, not installed; pip install roifile") from error
    try:
        _check_size(path)
        found = roifile.roiread(path)
    except (*_BROKEN, struct.error) as error:
        raise ReadError(f"{path} holds no ImageJ regions ({error}); save it from the ROI Manager") from error
    return list(found) if isinstance(found, list) else [found]


def _slice(roi: Any, depth: int, path: Path) -> int:
    position = int(roi.z_position) or int(roi.position)
    if position == 0 and depth == 1:
        return 0
    if not 1 <= position <= depth:
        found = f"slice {position}" if position else "no slice"
        raise LabelsError(f"region {roi.name!r} in {path} has {found}, the volume has 1..{depth}; draw it on its slice")
    return position - 1


def _mask(roi: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, bool)
    parts = roi.coordinates(multi=True)
    for part in parts if isinstance(parts, list) else [parts]:
        points = np.asarray(part, float)
        if roi.roitype.name == "POINT":
            _mark(mask, np.floor(points).astype(int)[:, ::-1])
        elif roi.roitype.name in _LINES:
            _mark(mask, _stroke(points, max(int(roi.stroke_width), 1)))
        else:
            # Holes of a composite are parts of their own: what two parts hold, none holds. ImageJ's corners lie
            # between pixels, pixel centres half a pixel further.
            mask ^= polygon2mask(shape, points[:, ::-1] - 0.5)
    return mask


def _stroke(points: NDArray[np.float64], width: int) -> NDArray[np.intp]:
    """Give (y, x) pixels of a line through the points with a round brush."""
    # Halves go up, as in ImageJ's own drawing of lines between pixels.
    ends = np.floor(points + 0.5).astype(int)[:, ::-1]
    path = [np.stack(line(*a, *b), axis=1) for a, b in pairwise(ends)]
    brush = np.argwhere(disk((width - 1) // 2)) - (width - 1) // 2
    return np.asarray((np.concatenate(path)[:, None] + brush).reshape(-1, 2), np.intp)


def _mark(mask: NDArray[np.bool_], places: NDArray[np.intp]) -> None:
    inside = ((places >= 0) & (places < mask.shape)).all(axis=1)
    mask[tuple(places[inside].T)] = True
