"""Segment one stack by every method, raw and filtered, and score all against each other and a truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..assess import Agreement, agreement, disagreement, volume_fractions
from ..errors import LabelsError
from ..volume import Volume, check_same_grid, check_volume
from .classes import classes_by_brightness
from .methods import METHODS, Method, Segmentation, segment, smooth_input

#: Is told what runs now and the share of the whole done.
Report = Callable[[str, float], None]


class Row(NamedTuple):
    """One segmentation of the comparison and its numbers."""

    dataset: str
    method: str
    engine: str
    user: str
    filtered: bool
    fractions: dict[int, float]
    #: Overlap with the truth; None where there is none.
    agreement: Agreement | None
    seconds: float

    @property
    def fraction_errors(self) -> dict[int, float] | None:
        """Share found less true share of each class, both over the voxels that were scored; None without a truth."""
        if self.agreement is None:
            return None
        table, total = self.agreement.confusion, self.agreement.voxels
        errors = (table.sum(axis=0)[:-1] - table.sum(axis=1)) / total
        return dict(zip(self.agreement.classes, errors.tolist(), strict=True))

    @property
    def key(self) -> str:
        """Name of the segmentation in file names and captions, such as ``gWS-fiji-filtered``."""
        return f"{self.method}-{self.engine}-{self.input}"

    @property
    def title(self) -> str:
        """Name of the segmentation in words, such as ``gWS ImageJ filtered``."""
        return f"{self.method} {self.engine_name} {self.input}"

    @property
    def input(self) -> str:
        """``filtered`` or ``raw``."""
        return "filtered" if self.filtered else "raw"

    @property
    def engine_name(self) -> str:
        """The program that ran it, as its users call it."""
        return engine_name(self.engine)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found; every volume lies on the grid of `volume`."""

    dataset: str
    volume: Volume
    filtered: Volume
    labels: Volume
    truth: Volume | None
    #: Label values from the darkest to the brightest class.
    classes: tuple[int, ...]
    slicewise: bool
    rows: list[Row] = field(default_factory=list)
    #: By the rows' keys.
    segmentations: dict[str, Segmentation] = field(default_factory=dict)

    @property
    def truth_is_whole(self) -> bool:
        """Whether every voxel's truth is known, so that fractions of the whole volume can stand beside it."""
        return self.truth is not None and bool(np.isin(np.asarray(self.truth.data), self.classes).all())

    @property
    def class_names(self) -> dict[int, str]:
        """Name the two classes of the study; other numbers of classes keep their numbers."""
        if sorted(self.classes) == [1, 2]:
            return {1: "active material", 2: "pore + binder"}
        return {value: f"class {value}" for value in self.classes}

    def disagreements(self) -> dict[tuple[str, str], float]:
        """Share of voxels that differ, for each pair of segmentations."""
        return {
            (a, b): disagreement(self.segmentations[a].labels, self.segmentations[b].labels)
            for a, b in combinations(self.segmentations, 2)
        }


def compare(
    volume: Volume,
    labels: Volume,
    *,
    truth: Volume | None = None,
    dataset: str = "stack",
    user: str = "A",
    methods: Sequence[Method] = METHODS,
    slicewise: bool = False,
    seed: int = 0,
    progress: Report | None = None,
) -> Comparison:
    """Segment a grey volume by threshold, watershed and forest, raw and filtered, and compare them all.

    Parameters
    ----------
    volume : (z, y, x) grey volume, uint8, uint16 or float32.
    labels : (z, y, x) painted labels on the same grid: 1 = active material, 2 = pore + carbon-binder (or any classes
        numbered from 1), 0 = unlabelled.
    truth : (z, y, x) labels of known truth on the same grid, 0 = not known. Painted voxels are not scored.
    dataset, user : names for the tables.
    methods : segmentations to run, each with its engine.
    slicewise : treat each slice as an image of its own; for slices that are not neighbours.
    seed : of the forest.
    progress : is told what runs now and the share of the whole done.

    Returns
    -------
    Comparison with a row and a segmentation for each method, raw and filtered.

    Raises
    ------
    VolumeError : labels or truth do not lie on the grid of the volume.
    LabelsError : fewer than two classes are labelled, or more than 255, or the truth holds none of them.
    EngineFailedError : ImageJ failed; the message says in which method.
    """
    classes = _check(volume, labels, truth)
    tell = progress or (lambda _text, _share: None)
    tell("filter in ImageJ", 0.0)
    filtered = smooth_input(volume, slicewise=slicewise)
    result = Comparison(dataset, volume, filtered, labels, truth, classes, slicewise)
    runs = [(method, is_filtered) for is_filtered in (False, True) for method in methods]
    for index, (method, is_filtered) in enumerate(runs):
        text = f"{method.name} in {engine_name(method.engine)}, {'filtered' if is_filtered else 'raw'}"
        begin, width = (index + 0.5) / (len(runs) + 0.5), 1 / (len(runs) + 0.5)
        tell(text, begin)
        start = time.perf_counter()
        found = segment(
            filtered if is_filtered else volume,
            method,
            labels=labels,
            classes=classes,
            slicewise=slicewise,
            seed=seed,
            progress=_part_of(tell, text, begin, width),
        )
        seconds = time.perf_counter() - start
        row = Row(
            dataset=dataset,
            method=method.name,
            engine=method.engine,
            user=user,
            filtered=is_filtered,
            fractions=volume_fractions(found.labels, classes=sorted(classes)),
            agreement=_score(result, found),
            seconds=seconds,
        )
        result.rows.append(row)
        result.segmentations[row.key] = found
    tell("done", 1.0)
    return result


def _check(volume: Volume, labels: Volume, truth: Volume | None) -> tuple[int, ...]:
    check_volume(volume)
    for name, other in (("labels", labels), ("truth", truth)):
        if other is None:
            continue
        check_volume(other)
        if other.dtype.kind not in "ui":
            raise LabelsError(f"{name} must be integers, got {other.dtype}; convert them with astype('uint8')")
        check_same_grid(volume, other, names=("the volume", f"the {name}"))
    classes = classes_by_brightness(volume, labels)
    if max(classes) > 255:
        raise LabelsError(f"label values must lie in 1..255, got {max(classes)}; number the classes from 1")
    return classes


def _score(result: Comparison, found: Segmentation) -> Agreement | None:
    """Overlap with the truth where nothing was painted: a voxel that the forest was told cannot test it."""
    if result.truth is None:
        return None
    unpainted = np.asarray(result.labels.data) == 0
    return agreement(found.labels, result.truth, classes=sorted(result.classes), where=unpainted)


def engine_name(engine: str) -> str:
    """Name an engine as its users call it."""
    return "ImageJ" if engine == "fiji" else "Python"


def _part_of(tell: Report, text: str, begin: float, width: float) -> Callable[[float], None]:
    return lambda share: tell(text, begin + share * width)
