"""A painting session, inside its own worker: one volume, its features, and the forest of the last strokes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ServiceError
from ..forest import Forest, Trainer, save_forest
from ..forest.preview import SlicePreview
from ..io import read_volume, write_volume
from ..study.users import read_labels
from ..volume import Volume

#: The one session of this process, by the name "session"; a worker that serves jobs has none.
OPEN: dict[str, Session] = {}


class Session:
    """One volume with what is known of it."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.trainer = Trainer(volume)
        self.slices = SlicePreview(self.trainer)

    def fit(self, order: Mapping[str, Any]) -> Forest:
        """Train on labels as they are now; only voxels that were not labelled before need features."""
        labels = np.asarray(read_labels(Path(order["labels"]), self.volume).data)
        return self.trainer.fit({z: plane for z, plane in enumerate(labels) if plane.any()}, **order["forest"])


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
    """Train on the labels as they are now, and label one slice."""
    start = time.perf_counter()
    session = _session()
    forest = session.fit(order)
    write_volume(session.slices.predict(forest, order["slice"]), order["output"])
    return {
        "labels": order["output"],
        "seconds": round(time.perf_counter() - start, 3),
        "classes": list(forest.classes),
    }


def model(order: Mapping[str, Any]) -> dict[str, Any]:
    """Train on the labels as they are now, and save the forest."""
    forest = _session().fit(order)
    save_forest(forest, order["output"])
    return {"model": order["output"], "classes": list(forest.classes)}
