"""Cells of the study on disk: each segmentation with its numbers, written whole or not at all, found again by key."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..io import make_folder
from ..io._files import atomic
from ..volume import Volume, hash_voxels

#: What computes a cell; the rest of this room draws and reports.
_ROOMS = ("assess", "forest", "ops", "phantom")
_HERE = ("annotators", "classes", "matrix", "measure", "methods", "people", "specks", "users", "_rois",
         "_labkit", "_classnames")  # fmt: skip


class Cell(NamedTuple):
    """One segmentation of the study: which it is, and its numbers (None = not measured or not a number)."""

    key: str
    dataset: str
    method: str
    engine: str
    user: str
    filtered: bool
    simulated: bool
    #: Everything measured, in plain JSON terms.
    numbers: dict[str, Any]


class CellStore:
    """A folder of cells; a run that was killed finds there what it had finished."""

    def __init__(self, folder: Path) -> None:
        self._folder = make_folder(folder)

    def find(self, key: str) -> Cell | None:
        """Give a finished cell, or None where it has to be made; what cannot be read is made anew."""
        try:
            document = json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))
            return Cell(**document) if (self._folder / f"{key}.npz").is_file() else None
        except (OSError, ValueError, TypeError):
            return None

    def labels(self, key: str) -> NDArray[np.uint8] | None:
        """Give a finished cell's labels."""
        try:
            with np.load(self._folder / f"{key}.npz", allow_pickle=False) as held:
                return np.asarray(held["labels"], np.uint8)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def write(self, cell: Cell, labels: NDArray[np.uint8]) -> None:
        """Write a cell: the labels first, so that the numbers say that all is there."""
        with atomic(self._folder / f"{cell.key}.npz") as file:
            np.savez_compressed(file, labels=labels)
        with atomic(self._folder / f"{cell.key}.json") as file:
            file.write(json.dumps(cell._asdict(), allow_nan=False).encode())


def key_of(parts: Mapping[str, Any]) -> str:
    """Give the key of a cell: a hash of all that it depends on, the code included."""
    text = json.dumps({**parts, "code": code_version()}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def fingerprint(volume: Volume) -> str:
    """Give a hash of a volume's voxels and their size."""
    spacing = [float(volume.coords[dim].attrs["spacing"]) for dim in volume.dims]
    return hash_voxels(volume, before=repr((volume.shape, str(volume.dtype), spacing)))


@cache
def code_version() -> str:
    """Give a hash of the sources that compute a cell: after a change of the code, old cells do not count."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    files = [path for room in _ROOMS for path in sorted((root / room).glob("*.py"))]
    for path in (*files, *(root / "study" / f"{name}.py" for name in _HERE)):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def plain(value: float) -> float | None:
    """Give a number as JSON has it: without nan and infinity."""
    return float(value) if math.isfinite(value) else None
