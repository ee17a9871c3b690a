"""The difference maps of a study or a comparison: where two users, or two methods, label voxels otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import napari
import numpy as np
from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit, PushButton, SpinBox

from ..assess import difference_map
from ..errors import ReadError
from ..io import read_volume
from ..study.cells import CellStore
from ..volume import Volume, make_volume
from ._layers import LayerData, to_layer
from ._work import Tell, in_background

#: Only-here blue, neither, only-there red, as in the reports.
DIFFERENCE = {-1: "#d7301f", 0: "transparent", 1: "#2166ac", None: "transparent"}


class _One(NamedTuple):
    """One segmentation: who or what made it, and where its labels are."""

    name: str
    key: str
    file: str


class StudyWidget(Container[Any]):
    """Open the folder of a finished study or comparison, choose a group, see its segmentations subtracted in pairs."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = viewer
        self._groups: dict[str, list[_One]] = {}
        self._folder = FileEdit(mode=FileDialogMode.EXISTING_DIRECTORY, label="Study's folder", value=Path.home())
        self._group = ComboBox(choices=(), label="Segmentations")
        self._value = SpinBox(value=1, min=1, max=255, label="Label")
        self._button = PushButton(text="Show differences")
        super().__init__(widgets=[self._folder, self._group, self._value, self._button], labels=True)
        self._folder.changed.connect(self._look)
        self._button.changed.connect(self.show_differences)

    def show_differences(self) -> Any:
        """Subtract each pair of the chosen group; every difference map becomes a layer."""
        folder, group, label = Path(str(self._folder.value)), self._group.value, int(self._value.value)
        if group is None:
            raise ReadError(f"{folder} is no folder of a finished study; choose the one that holds results.json")
        segmentations = self._groups[group]

        def work(tell: Tell) -> list[LayerData]:
            volumes = {one.name: _labels(folder, one) for one in segmentations}
            pairs, layers = list(combinations(volumes, 2)), []
            for number, (a, b) in enumerate(pairs, 1):
                data, more, _ = to_layer(difference_map(volumes[a], volumes[b], label=label), f"{group}: {a} - {b}")
                shown: LayerData = (np.asarray(data), {**more, "colormap": DIFFERENCE}, "labels")
                layers.append(shown)
                tell(number / len(pairs))
            return layers

        return in_background("Differences", work, self._viewer)

    def _look(self, folder: Path) -> None:
        """List what may be subtracted: the users of a method, or the methods where there is one user."""
        self._groups = {}
        for group, one in _rows(Path(folder)):
            self._groups.setdefault(group, []).append(one)
        self._groups = {name: found for name, found in self._groups.items() if len(found) > 1}
        self._group.choices = tuple(self._groups)


def _rows(folder: Path) -> Iterator[tuple[str, _One]]:
    """Give each segmentation that a results.json lists, with the group that it belongs to."""
    try:
        rows = json.loads((folder / "results.json").read_text(encoding="utf-8"))["rows"]
        users = {row["user"] for row in rows}
        for row in rows:
            kind = "filtered" if row["filtered"] else "raw"
            file = row.get("labels", f"labels/{row['dataset']}-{row['method']}-{kind}-{row['user']}.tif")
            method = f"{row['method']} {row['engine']}"
            if len(users) > 1:
                yield f"{row['dataset']} {method} {kind}", _One(str(row["user"]), str(row.get("key", "")), file)
            else:
                yield f"{row['dataset']} {kind}", _One(method, str(row.get("key", "")), file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return


def _labels(folder: Path, one: _One) -> Volume:
    """Read labels from the TIFF, or from the study's own store, which does not hold the voxel size."""
    file = (folder / one.file).resolve()
    if file.is_relative_to(folder.resolve()) and file.is_file():
        return read_volume(file)
    stored = CellStore(folder / "cells").labels(one.key) if one.key.isalnum() else None
    if stored is None:
        raise ReadError(f"the labels of {one.name} are not in {folder}; run the study again with --labels")
    return make_volume(stored, units="voxel")
