"""The watershed of a stack that is larger than memory: gradient and seeds by blocks, the flood over files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..io.spill import file_array, folder_for_files
from ..volume import Volume
from ._flood import WALL, flood_walled, gradient, in_levels
from ._running import told
from .parts import Box, Local, Look, Place, Survey, blank

BRIGHT = np.uint8(2)
_AROUND = (1, 1, 1)
_LABELS = "flood.labels"


def seeds_of(grey: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Give 1 for dark seeds, 2 for bright ones, 0 for what lies between."""
    seeds = (grey < low).astype(np.uint8)
    seeds[grey > high] = BRIGHT
    return seeds


def stack_survey(volume: Volume, *, low: float, high: float) -> Survey:
    """Measure the steepest edge, then gradient and seeds, and flood; what is left is to cut out the blocks.

    Where fronts meet is decided by the order of a queue over the whole volume, so that the flood is not divided. Its
    arrays lie in files instead (levels 2 bytes, labels 1, queue 8 for each voxel), of which the system holds in memory
    what it has room for.
    """
    tops: list[float] = []
    yield Look(_steepest, lambda _place, top: tops.append(top), before=_AROUND, after=_AROUND)
    site, given = _Site.made(volume.shape), {"low": low, "high": high, "top": max(tops)}
    yield Look(_levels_and_seeds, site.take, given, before=_AROUND, after=_AROUND)
    flood_walled(site.levels, site.labels, site.queue, told())
    labels = {"labels": str((folder_for_files() / _LABELS).resolve()), "shape": site.labels.shape}
    return Local(blank(volume, bool), _cut_out, labels, _one_voxel)


class _Site(NamedTuple):
    """What a flood runs over, walls included."""

    levels: NDArray[np.uint16]
    labels: NDArray[np.uint8]
    queue: NDArray[np.int64]

    @classmethod
    def made(cls, shape: tuple[int, ...]) -> _Site:
        folder, walled = folder_for_files(), [size + 2 for size in shape]
        labels = file_array(walled, np.uint8, folder, _LABELS)
        for axis in range(3):
            sides = np.moveaxis(labels, axis, 0)
            sides[0] = sides[-1] = WALL
        levels, queue = file_array(walled, np.uint16, folder), file_array([labels.size], np.int64, folder)
        return cls(levels, labels, queue)

    def take(self, place: Place, measured: tuple[NDArray[np.uint16], NDArray[np.uint8]]) -> None:
        """Put in what was measured in a block."""
        box = _walled(place.inner)
        self.levels[box], self.labels[box] = measured


def _steepest(part: Volume, place: Place) -> float:
    return float(gradient(np.asarray(part.data))[place.within].max())


def _levels_and_seeds(
    part: Volume, place: Place, *, low: float, high: float, top: float
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    grey = np.asarray(part.data)
    steepness = np.ascontiguousarray(gradient(grey)[place.within])
    return in_levels(steepness, top), seeds_of(grey[place.within], low, high)


def _cut_out(_part: Volume, place: Place, *, labels: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    flooded = np.memmap(Path(labels), np.uint8, "r", shape=shape)
    return np.asarray(flooded[_walled(place.inner)] == BRIGHT)


def _walled(box: Box) -> Box:
    z, y, x = (slice(side.start + 1, side.stop + 1) for side in box)
    return z, y, x


def _one_voxel(box: Box) -> Box:
    """Say that nothing of the volume is needed any more; one voxel is read for its grid."""
    z, y, x = (slice(side.start, side.start + 1) for side in box)
    return z, y, x
