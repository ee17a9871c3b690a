"""The segmentations of the comparison by name; each turns a grey volume into labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from .. import ops
from ..forest import FeatureSet
from ..operation import Engine
from ..volume import Volume, history, record, with_data
from .classes import Window, multi_otsu, windows

MethodName = Literal["otsu", "gWS", "cWS", "forest"]
Progress: TypeAlias = Callable[[float], None]


class Method(NamedTuple):
    """A segmentation and the engine that runs it."""

    name: MethodName
    engine: Engine


#: ImageJ thresholds and floods as its users know it; the native watershed stands beside it because it floods in 3-D.
METHODS: tuple[Method, ...] = (
    Method("otsu", "fiji"),
    Method("gWS", "fiji"),
    Method("cWS", "fiji"),
    Method("gWS", "native"),
    Method("cWS", "native"),
    Method("forest", "native"),
)


class Segmentation(NamedTuple):
    """Labels, and the grey levels that were used on the way (empty for the forest)."""

    labels: Volume
    thresholds: tuple[float, ...] = ()
    windows: tuple[Window, ...] = ()


def smooth_input(volume: Volume, *, slicewise: bool, engine: Engine = "native") -> Volume:
    """Filter the volume as the study does: Gaussian, sigma 1.1 voxels, kernel half-width factor 2."""
    return _by_slice(lambda part: ops.smooth(part, sigma=1.1, truncate=2.0, engine=engine), volume, slicewise)


def segment(
    volume: Volume,
    method: Method,
    *,
    labels: Volume,
    classes: Sequence[int],
    slicewise: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Segmentation:
    """Segment a grey volume by one method.

    Parameters
    ----------
    volume : (z, y, x) grey volume.
    method : name and engine.
    labels : (z, y, x) painted labels on the same grid (only the forest learns from them).
    classes : label values from the darkest to the brightest.
    slicewise : treat each slice as an image of its own (slices that are not neighbours).
    seed : of the forest.
    progress : is told the share done, where the method can say.

    Returns
    -------
    Segmentation on the grid of the volume, labels uint8.
    """
    if method.name == "forest":
        from ..forest import train  # with scikit-learn: slow to import

        forest = train(volume, labels, features=FeatureSet.of(flat=slicewise), seed=seed)
        return Segmentation(forest.predict(volume, progress=progress))
    if len(classes) == 2 and method.name == "otsu":
        return _otsu(volume, method.engine, classes)
    thresholds = _thresholds(volume, len(classes) - 1)
    if method.name == "otsu":
        masks = [ops.threshold(volume, method="fixed", value=value, engine=method.engine) for value in thresholds]
        return Segmentation(labels_from_masks(masks, classes), thresholds)
    around = windows(volume, thresholds, method.name)
    masks = [_flood(volume, window, method.engine, slicewise) for window in around]
    return Segmentation(labels_from_masks(masks, classes), thresholds, around)


def _otsu(volume: Volume, engine: Engine, classes: Sequence[int]) -> Segmentation:
    mask = ops.threshold(volume, method="otsu", engine=engine)
    return Segmentation(labels_from_masks([mask], classes), _thresholds(volume, 1))


def _thresholds(volume: Volume, count: int) -> tuple[float, ...]:
    return (ops.automatic_threshold(volume, method="otsu"),) if count == 1 else multi_otsu(volume, count)


def _flood(volume: Volume, window: Window, engine: Engine, slicewise: bool) -> Volume:
    return _by_slice(
        lambda part: ops.watershed(part, low=window.low, high=window.high, engine=engine), volume, slicewise
    )


def labels_from_masks(masks: Sequence[Volume], classes: Sequence[int]) -> Volume:
    """Count in how many masks ("brighter than threshold k") a voxel lies: that is its place from dark to bright."""
    place = np.sum([np.asarray(mask.data) for mask in masks], axis=0, dtype=np.intp)
    lookup = np.asarray(classes, dtype=np.uint8)
    step = {"operation": "label", "engine": "native", "version": "1", "parameters": {"classes": list(classes)}}
    earlier = tuple(entry for mask in masks for entry in history(mask)[-1:])
    return record(with_data(masks[0], lookup[place]), step, after=(*history(masks[0])[:-1], *earlier))


def _by_slice(function: Callable[[Volume], Volume], volume: Volume, slicewise: bool) -> Volume:
    if not slicewise:
        return function(volume)
    parts = [function(volume[z : z + 1]) for z in range(volume.shape[0])]
    stacked = with_data(volume, np.concatenate([np.asarray(part.data) for part in parts]))
    return record(stacked, {**history(parts[0])[-1], "slicewise": True}, after=history(volume))
