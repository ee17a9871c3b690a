"""The segmentations of the study by name, each as one user would make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from .. import ops
from ..errors import LabelsError, ParameterError
from ..fiji import segment_by_weka
from ..forest import Forest, Trainer
from ..forest._grow import grow
from ..forest._labels import Painted, painted_voxels, thinned
from ..operation import Engine
from ..volume import Volume, with_data
from .classes import Window, range_means
from .methods import Segmentation, labels_from_masks
from .people import Choices, Person, choose, paint, perceive

Threshold = Literal["S1", "S2", "S3"]
#: The thirteen of the paper.
PAPER_METHODS = ("S1", "S2", "S3", "gWS", "cWS", "ML1", "ML2", "ML3", "MLX10", "MLX25", "MLX35", "MLX50", "MLX65")
#: Automatic thresholds need no user.
AUTOMATIC: tuple[str, ...] = tuple(name for name in get_args(ops.AutoMethod))
#: S1 and S3 lie this far from S2, in grey levels of 8 bit.
_STEP = 10
#: Voxels of each class that a forest learns from at most.
MOST = 6_000
#: Trees and the fewest voxels of a leaf. The default of `train`, 60 full-grown trees, is there for rare classes; of two
#: classes on noisy scans leaves of ten average the noise, at half the cost: `python benchmarks/study.py --forests`.
TREES, LEAF = 30, 10
#: The same while somebody still paints.
_MOST_WHILE_PAINTING, _TREES_WHILE_PAINTING = 1_000, 8
#: What simulated people paint for Weka is what they paint for MLX25.
_WEKA_COVERAGE = 0.25
#: Labels 1 and 2 of the study from dark to bright.
_CLASSES = (2, 1)


@dataclass
class Bench:
    """One volume as all users segment it: the features that one of them needed are there for the next.

    Attributes
    ----------
    volume : (z, y, x) grey volume, raw or filtered.
    truth : what simulated people see, where it is known.
    engine : of thresholds and watersheds.
    seed : of every random choice.
    most : voxels of each class that a forest learns from at most.
    """

    volume: Volume
    truth: Volume | None = None
    engine: Engine = "native"
    seed: int = 0
    most: int = MOST
    _trainer: list[Trainer] = field(default_factory=list)
    _known: list[bool] = field(default_factory=list)

    @property
    def trainer(self) -> Trainer:
        """The trainer of this volume, made when first asked for."""
        if not self._trainer:
            self._trainer.append(Trainer(self.volume))
        return self._trainer[0]

    def forest(self, labels: Volume | Mapping[int, Any]) -> Forest:
        """Train on labels of this volume."""
        return self.trainer.fit(labels, most=self.most, trees=TREES, min_leaf=LEAF, seed=self.seed)

    def look(self, labels: Mapping[int, NDArray[np.uint8]], z: int) -> NDArray[np.uint8]:
        """Give what a small forest makes of slice `z`, for the one who paints.

        The features of painted slices are kept, so that nothing but the trees is computed; a pool of threads for so
        few of them would take longer than they do.
        """
        painted = thinned(painted_voxels(self.volume, labels), min(self.most, _MOST_WHILE_PAINTING), self.seed)
        grown = grow(
            self.trainer.table(painted), painted.value,
            trees=_TREES_WHILE_PAINTING, min_leaf=LEAF, seed=self.seed, threads=1,
        )  # fmt: skip
        found = grown.predict(self.trainer.table(self._whole((z,))))
        return found.reshape(self.volume.shape[1:])

    def know_slices(self, slices: Sequence[int]) -> None:
        """Compute the features of whole slices once: every user and every coverage paints on the same ones."""
        if not self._known:
            self.trainer.table(self._whole(sorted(slices)))
            self._known.append(True)

    def _whole(self, slices: Sequence[int]) -> Painted:
        """Ask for every voxel of some slices."""
        _, height, width = self.volume.shape
        index = np.concatenate([np.arange(height * width, dtype=np.int64) + z * height * width for z in slices])
        return Painted(index, np.ones(index.size, np.uint8))


def forest_words(most: int) -> str:
    """Say what the forests of a study are."""
    return (
        f"{TREES} trees with leaves of {LEAF} voxels or more, at most {most} voxels of a class; while somebody paints "
        f"{_TREES_WHILE_PAINTING} trees and {min(most, _MOST_WHILE_PAINTING)} voxels"
    )


def is_automatic(method: str) -> bool:
    """Tell whether a method needs no user."""
    return method in AUTOMATIC


def learns(method: str) -> bool:
    """Tell whether a method learns from labels: our forests, and Trainable Weka Segmentation."""
    return method in ("forest", "weka") or method.startswith("ML")


def check_method(method: str) -> None:
    """Raise ParameterError for a name that is no method."""
    if method in PAPER_METHODS or is_automatic(method) or method in ("forest", "weka", "given"):
        return
    if method.startswith("MLX") and method[3:].isdigit() and 0 < int(method[3:]) <= 95:
        return
    raise ParameterError(
        f"there is no method {method!r}; there are {', '.join(PAPER_METHODS)}, forest (labels as given), "
        "weka (the same labels, in Fiji), given (a finished segmentation), "
        f"and the automatic thresholds {', '.join(AUTOMATIC)}"
    )


def segment_automatically(bench: Bench, method: str) -> Segmentation:
    """Segment by an automatic threshold of ImageJ."""
    known = cast(ops.AutoMethod, method)
    mask = ops.threshold(bench.volume, method=known, engine=bench.engine)
    level = ops.automatic_threshold(bench.volume, method=known)
    return Segmentation(labels_from_masks([mask], _CLASSES), (float(level),))


def segment_by_choices(bench: Bench, method: str, choices: Choices) -> Segmentation:
    """Segment by S1, S2, S3, gWS or cWS with the grey levels that a user chose."""
    if method in get_args(Threshold):
        level = choices.threshold + {"S1": -1, "S2": 0, "S3": 1}[method] * grey_step(bench.volume)
        mask = ops.threshold(bench.volume, method="fixed", value=level, engine=bench.engine)
        return Segmentation(labels_from_masks([mask], _CLASSES), (level,))
    window = choices.generous if method == "gWS" else choices.conservative
    mask = ops.watershed(bench.volume, low=window.low, high=window.high, engine=bench.engine)
    return Segmentation(labels_from_masks([mask], _CLASSES), (), (window,))


def segment_by_labels(bench: Bench, labels: Volume | Mapping[int, Any]) -> Segmentation:
    """Segment by a forest trained on given labels."""
    return Segmentation(bench.forest(labels).predict(bench.volume))


def segment_in_weka(bench: Bench, labels: Volume | Mapping[int, Any]) -> Segmentation:
    """Segment by Trainable Weka Segmentation, trained on the very voxels that our forest would learn from."""
    painted = thinned(painted_voxels(bench.volume, labels), bench.most, bench.seed)
    examples = np.zeros(bench.volume.size, np.uint8)
    examples[painted.voxels] = painted.value
    on_grid = with_data(bench.volume, examples.reshape(bench.volume.shape))
    return Segmentation(segment_by_weka(bench.volume, on_grid, seed=bench.seed))


def segment_by_person(bench: Bench, method: str, person: Person) -> Segmentation:
    """Segment by any method of the paper as a simulated person does."""
    if is_automatic(method):
        return segment_automatically(bench, method)
    if method == "weka":
        return segment_in_weka(bench, paint_iteratively(bench, _WEKA_COVERAGE, person))
    if method.startswith("MLX"):
        return segment_by_labels(bench, paint_iteratively(bench, int(method[3:]) / 100, person))
    rng = np.random.default_rng([bench.seed, *person.name.encode()])
    choices = choose(bench.volume, person, rng)
    if method in ("ML1", "ML2", "ML3"):
        return segment_by_windows(bench, method, _windows_of(bench, method, person, choices, rng))
    return segment_by_choices(bench, method, choices)


def segment_by_windows(bench: Bench, method: str, windows: Mapping[int, Window]) -> Segmentation:
    """Segment by a forest trained on thresholded seeds.

    Parameters
    ----------
    bench : the volume.
    method : ML1, ML2 or ML3, for messages.
    windows : grey window by slice; below it is class 2, above it class 1, inside it is not trained on.

    Raises
    ------
    LabelsError : the seeds of these slices hold fewer than two classes.
    """
    grey = np.asarray(bench.volume.data)
    seeds = {z: _seeds(grey[z], window) for z, window in windows.items()}
    if len({int(value) for plane in seeds.values() for value in np.unique(plane) if value}) < 2:
        raise LabelsError(f"the windows of {method} leave seeds of one class only; move them towards the middle")
    return Segmentation(bench.forest(seeds).predict(bench.volume), (), tuple(dict.fromkeys(windows.values())))


def paint_iteratively(bench: Bench, coverage: float, person: Person) -> dict[int, NDArray[np.uint8]]:
    """Paint as the paper's users did: look where the forest is wrong, paint there, train again.

    The central slice is painted in two rounds, then six more equally spaced slices one by one, each to the share asked
    for, each after a look at what the forest trained so far makes of it. Gives labels by slice.
    """
    rng = np.random.default_rng([bench.seed, round(1000 * coverage), *person.name.encode()])
    levels = _levels(bench.volume)
    labels: dict[int, NDArray[np.uint8]] = {}
    slices = painted_slices(bench.volume.shape[0])
    bench.know_slices(slices)
    for z in slices:
        truth = None if bench.truth is None else np.asarray(bench.truth.data[z])
        seen = perceive(np.asarray(bench.volume.data[z]), person, rng, levels=levels, truth=truth)
        if not labels:
            labels[z] = paint(seen, coverage / 2, person, rng)
            rest = np.where(labels[z] > 0, np.uint8(0), seen)
            labels[z] = labels[z] + paint(rest, coverage / 2, person, rng, found=_look(bench, labels, z))
        else:
            labels[z] = paint(seen, coverage, person, rng, found=_look(bench, labels, z))
    return labels


def _look(bench: Bench, labels: dict[int, NDArray[np.uint8]], z: int) -> NDArray[np.uint8] | None:
    """Give what the forest makes of a slice so far; nothing while only one class is painted."""
    if len({int(value) for plane in labels.values() for value in np.unique(plane) if value}) < 2:
        return None
    return bench.look(labels, z)


def painted_slices(depth: int) -> tuple[int, ...]:
    """Give the slices that are painted: the central one first, then six more, equally spaced (25, 50, ... of 200)."""
    equally = [round(depth * k / 8) for k in range(1, 8)]
    centre = equally.pop(3)
    return tuple(dict.fromkeys(min(z, depth - 1) for z in (centre, *equally)))


def seed_slices(method: str, depth: int) -> tuple[int, ...]:
    """Give the slices whose thresholded seeds ML1, ML2 and ML3 learn from: the first, six equally spaced, all."""
    if method == "ML1":
        return (0,)
    if method == "ML2":
        return tuple(dict.fromkeys(round((depth - 1) * (k + 0.5) / 6) for k in range(6)))
    return tuple(range(depth))


def grey_step(volume: Volume) -> float:
    """Give ten grey levels of 8 bit in the grey levels of the volume (its range is the 8 bits of other types)."""
    if volume.dtype == np.uint8:
        return float(_STEP)
    grey = np.asarray(volume.data)
    return _STEP * (float(grey.max()) - float(grey.min())) / 255


def _windows_of(
    bench: Bench, method: str, person: Person, choices: Choices, rng: np.random.Generator
) -> dict[int, Window]:
    """Give the conservative window for each slice; for ML2 each slice has its own, chosen from its own histogram."""
    slices = seed_slices(method, bench.volume.shape[0])
    if method != "ML2":
        return dict.fromkeys(slices, choices.conservative)
    return {z: choose(bench.volume[z : z + 1], person, rng).conservative for z in slices}


def _seeds(grey: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    seeds = np.zeros(grey.shape, np.uint8)
    seeds[grey < window.low], seeds[grey > window.high] = 2, 1
    return seeds


def _levels(volume: Volume) -> tuple[float, float]:
    middle = float(ops.automatic_threshold(volume, method="otsu"))
    dark, bright = range_means(volume, (middle,))
    return dark, bright
