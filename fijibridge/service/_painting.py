"""A painting session, inside its own worker: one volume, its features, and the forest of the last strokes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ServiceError
from ..forest import Forest, Trainer, save_forest
from ..forest.preview import SlicePreview
from ..io import read_volume, write_volume
from ..study.users import read_labels
from ..volume import Volume

#: Labelled slices, by their number.
Planes: TypeAlias = Mapping[int, NDArray[Any]]

#: The one session of this process, by the name "session"; a worker that serves jobs has none.
OPEN: dict[str, Session] = {}


class Session:
    """One volume with what is known of it."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.trainer = Trainer(volume)
        self.slices = SlicePreview(self.trainer)

    def labelled(self, order: Mapping[str, Any]) -> Planes:
        """Read the labels as they are now: the slices that have any."""
        labels = np.asarray(read_labels(Path(order["labels"]), self.volume).data)
        return {z: plane for z, plane in enumerate(labels) if plane.any()}

    def fit(self, planes: Planes, order: Mapping[str, Any]) -> Forest:
        """Train on labels; only voxels that were not labelled before need features."""
        return self.trainer.fit(planes, **order["forest"])


def _session() -> Session:
    if not OPEN:
        raise ServiceError("the session has lost its volume; open it again", status=404)
    return OPEN["session"]


def open_session(order: Mapping[str, Any]) -> dict[str, Any]:
    """Open the volume that will be painted on; a session that is open keeps what it knows."""
    if not OPEN:
        OPEN["session"] = Session(_read(order))
    session = OPEN["session"]
    return {"shape": list(session.volume.shape), "kept_voxels": session.trainer.kept}


def _read(order: Mapping[str, Any]) -> Volume:
    return read_volume(order["volume"], spacing=order.get("spacing"), units=order.get("units"), mmap=True)


def preview(order: Mapping[str, Any]) -> dict[str, Any]:
    """Train on the labels as they are now, and label one slice; tell how many voxels were trained on."""
    start = time.perf_counter()
    session = _session()
    planes = session.labelled(order)
    forest = session.fit(planes, order)
    write_volume(session.slices.predict(forest, order["slice"]), order["output"])
    return {
        "labels": order["output"],
        "seconds": round(time.perf_counter() - start, 3),
        "classes": list(forest.classes),
        "labelled": _counts(planes),
        "trained": dict(forest.provenance["voxels_per_class"]),
    }


def model(order: Mapping[str, Any]) -> dict[str, Any]:
    """Train on the labels as they are now, and save the forest."""
    session = _session()
    forest = session.fit(session.labelled(order), order)
    save_forest(forest, order["output"])
    return {"model": order["output"], "classes": list(forest.classes)}


def _counts(planes: Planes) -> dict[str, int]:
    """Count the labelled voxels of each class."""
    found = sum((np.bincount(plane.ravel(), minlength=256) for plane in planes.values()), np.zeros(256, np.int64))
    return {str(label): int(count) for label, count in enumerate(found) if label and count}
