"""From cells to what the paper tabulates: spread over users, image subtraction, distance to a base truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from ..assess import Uncertainty, combine, sample_std, subtraction
from .cells import Cell
from .run import NOBODY, Study

#: Methods of a kind, as the paper groups them.
SIMPLE, WATERSHED = ("S1", "S2", "S3"), ("gWS", "cWS")


class Group(NamedTuple):
    """One method on one input, over its users; shares of 1, None where there is no answer."""

    dataset: str
    method: str
    filtered: bool
    cells: tuple[Cell, ...]
    #: Volume fraction of active material by user.
    fractions: dict[str, float]
    mean: float
    #: Sample standard deviation over the users.
    std: float | None
    #: Share of voxels that differ, by pair of users, and its mean.
    pairs: dict[tuple[str, str], float]
    disagreement: float | None
    #: Mean distance of the users' fractions to the exact truth.
    distance: float | None
    #: The same to the base truth of a better instrument.
    base_distance: float | None = None

    @property
    def input(self) -> str:
        """``raw`` or ``filtered``."""
        return "filtered" if self.filtered else "raw"

    def mean_of(self, name: str) -> float | None:
        """Give the mean over users of one number of the cells, None where none has it."""
        held = [cell.numbers[name] for cell in self.cells if cell.numbers.get(name) is not None]
        return sum(held) / len(held) if held else None


def summarise(study: Study, *, progress: Callable[[float], None] | None = None) -> list[Group]:
    """Group a study's cells by data set, input and method, and compare their users."""
    names = list(dict.fromkeys((cell.dataset, cell.filtered, cell.method) for cell in study.cells))
    groups = []
    for done, (dataset, filtered, method) in enumerate(names):
        cells = [c for c in study.cells if (c.dataset, c.filtered, c.method) == (dataset, filtered, method)]
        groups.append(_group(study, cells))
        if progress is not None:
            progress((done + 1) / len(names))
    return groups


def fraction_of(cell: Cell) -> float:
    """Give the volume fraction of active material."""
    return float(cell.numbers["fractions"]["1"])


def true_fraction(study: Study, dataset: str) -> float | None:
    """Give the fraction in the exact labels, where they are known for every voxel."""
    truth = study.datasets[dataset].truth
    if truth is None or not bool((truth.data > 0).all()):
        return None
    return float((truth.data == 1).mean())


def _group(study: Study, cells: Sequence[Cell]) -> Group:
    first = cells[0]
    fractions = {cell.user: fraction_of(cell) for cell in cells}
    spread = sample_std(list(fractions.values()))
    found = subtraction({cell.user: study.labels(cell) for cell in cells}) if len(cells) > 1 else None
    exact, base = true_fraction(study, first.dataset), study.datasets[first.dataset].base
    return Group(
        first.dataset,
        first.method,
        first.filtered,
        tuple(cells),
        fractions,
        sum(fractions.values()) / len(fractions),
        None if math.isnan(spread) else spread,
        {} if found is None else found.pairs,
        None if found is None else found.mean,
        None if exact is None else _distance(fractions.values(), exact),
        None if base is None else _distance(fractions.values(), base.fraction),
    )


def _distance(values: Collection[float], base: float) -> float:
    return sum(abs(value - base) for value in values) / len(values)


def plus_minus(study: Study, groups: Iterable[Group], dataset: str, methods: Sequence[str]) -> Uncertainty | None:
    """Combine users, methods and the finite volume into one plus-minus, over the methods that every user has."""
    mine = [g for g in groups if g.dataset == dataset and g.method in methods and NOBODY not in g.fractions]
    if not mine:
        return None
    users = {user for group in mine for user in group.fractions}
    whole = [group for group in mine if set(group.fractions) == users]
    readings = {
        (user, f"{group.method} {group.input}"): value for group in whole for user, value in group.fractions.items()
    }
    return combine(readings, sampling=study.datasets[dataset].sampling) if readings else None


def kind_of(method: str) -> str:
    """Give the paper's group of a method."""
    if method in SIMPLE:
        return "simple"
    if method in WATERSHED:
        return "watershed"
    if method in ("weka", "given"):
        return method
    return "forest" if method.startswith("ML") or method == "forest" else "automatic"


def without_other_automatic(groups: Iterable[Group]) -> list[Group]:
    """Leave out the automatic thresholds but Otsu's: seventeen would hide the rest."""
    return [group for group in groups if group.method == "otsu" or kind_of(group.method) != "automatic"]


def mean_where(groups: Iterable[Group], wanted: Callable[[Group], bool], value: str) -> float | None:
    """Give the mean of one number of a `Group`, such as `std`, over the groups wanted, None where there is none."""
    held = [getattr(group, value) for group in groups if wanted(group) and getattr(group, value) is not None]
    return sum(held) / len(held) if held else None
