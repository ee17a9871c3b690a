"""Simulated people: how each of them sees grey levels, chooses thresholds and windows, and paints.

None of this is measured on people. The biases of A, B and C are set so that the standard deviation of the simple
thresholds over the three lies where Bailey et al. 2023 saw it (up to about 0.13 on noisy, low-contrast data); nothing
else is tuned, and no other number of theirs was looked at. Every use says *simulated*.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import ParameterError
from ..ops import automatic_threshold
from ..volume import Volume
from .annotators import paint_class
from .classes import Window, range_means, window_around

#: Standard deviation, in voxels, of the blur through which an eye sees a noisy slice.
_EYE = 1.0
#: Wavelength of a shaky hand, in voxels.
_SHAKE_LENGTH = 4.0


@dataclass(frozen=True)
class Person:
    """A simulated user.

    Attributes
    ----------
    name : in tables.
    bias : where the grey boundary seems to be, as a share of the contrast between the two classes' mean grey levels;
        positive = brighter, so that less is called active material.
    hand : standard deviation of a single choice about that bias, same unit.
    generous, conservative : share of the way from the threshold to either class's mean that the windows of gWS and
        cWS leave without a seed.
    brush : radius of the brush in voxels.
    shake : standard deviation, in voxels, of where a painted boundary lies.
    wrong : share of the strokes that carry the wrong class.
    """

    name: str
    bias: float
    hand: float = 0.03
    generous: float = 0.25
    conservative: float = 0.75
    brush: int = 2
    shake: float = 0.7
    wrong: float = 0.01


#: Three who differ as colleagues do: A calls much active material, C little, B paints coarsely and errs most.
PEOPLE: dict[str, Person] = {
    "A": Person("A", bias=-0.18, generous=0.20, conservative=0.70, shake=0.5, wrong=0.005),
    "B": Person("B", bias=0.01, generous=0.30, conservative=0.80, brush=4, shake=1.2, wrong=0.03),
    "C": Person("C", bias=0.20, generous=0.25, conservative=0.85, brush=3, shake=0.8, wrong=0.01),
}


def make_person(name: str, changes: dict[str, Any] | None = None) -> Person:
    """Give one of A, B, C, with some of the parameters changed.

    Raises
    ------
    ParameterError : an unknown person or parameter, or a parameter out of its range.
    """
    if name not in PEOPLE:
        raise ParameterError(f"simulated users are {', '.join(PEOPLE)}, got {name!r}")
    known = asdict(PEOPLE[name])
    for key in changes or {}:
        if key not in known:
            raise ParameterError(f"a simulated user has no {key!r}; there are {', '.join(known)}")
    person = replace(PEOPLE[name], **(changes or {}))
    fits = 0 < person.generous < person.conservative < 1 and 0 <= person.wrong < 0.5 and abs(person.bias) < 1
    if not fits or person.brush < 0 or person.shake < 0 or person.hand < 0:
        raise ParameterError(
            "a simulated user needs 0 < generous < conservative < 1, wrong in 0..0.5, bias in -1..1 and brush, shake "
            f"and hand of 0 or more, got {person}"
        )
    return person


@dataclass(frozen=True)
class Choices:
    """What someone chose by looking at a histogram: S2, and the windows of gWS and cWS."""

    threshold: float
    generous: Window
    conservative: Window


def choose(volume: Volume, person: Person, rng: np.random.Generator) -> Choices:
    """Choose S2 and both windows from the histogram, as this person would.

    The middle is Otsu's threshold; the person's bias and the chance of the moment move it by a share of the contrast.
    """
    middle = float(automatic_threshold(volume, method="otsu"))
    dark, bright = range_means(volume, (middle,))

    def level() -> float:
        moved = middle + (person.bias + person.hand * rng.standard_normal()) * (bright - dark)
        return float(np.clip(moved, dark + 0.02 * (bright - dark), bright - 0.02 * (bright - dark)))

    threshold = level()
    return Choices(
        threshold,
        window_around(level(), dark, bright, person.generous),
        window_around(level(), dark, bright, person.conservative),
    )


def perceive(
    grey: NDArray[Any],
    person: Person,
    rng: np.random.Generator,
    *,
    levels: tuple[float, float],
    truth: NDArray[np.integer] | None = None,
) -> NDArray[np.uint8]:
    """Give the class that a person would call each voxel of a slice: 1 or 2, and 0 where the truth is not known.

    Parameters
    ----------
    grey : (y, x) grey slice.
    person : who looks.
    rng : of the shaky boundary.
    levels : mean grey levels of the dark and of the bright class.
    truth : (y, x) labels; a person recognises particles by more than grey levels, so where the truth is known it is
        what they see, blurred by the eye. Left out: the blurred grey levels.
    """
    dark, bright = levels
    if truth is None:
        share = ndimage.gaussian_filter((grey.astype(np.float32) - dark) / (bright - dark), _EYE)
    else:
        share = ndimage.gaussian_filter((truth == 1).astype(np.float32), _EYE)
    slope = np.hypot(*np.gradient(share))
    field = ndimage.gaussian_filter(rng.standard_normal(grey.shape).astype(np.float32), _SHAKE_LENGTH)
    moved = share + person.shake * slope * field / max(float(field.std()), 1e-9)
    seen = np.where(moved > 0.5 + person.bias, np.uint8(1), np.uint8(2))
    return seen if truth is None else np.where(truth > 0, seen, np.uint8(0))


def paint(
    seen: NDArray[np.uint8],
    coverage: float,
    person: Person,
    rng: np.random.Generator,
    *,
    found: NDArray[np.integer] | None = None,
) -> NDArray[np.uint8]:
    """Paint strokes on a slice until they cover the share asked for.

    Parameters
    ----------
    seen : (y, x) classes that the person sees, 0 = cannot tell.
    coverage : share of the slice to cover, 0..1; each class gets half of it, or less where it has too few voxels, and
        the other class then the rest.
    found : (y, x) current segmentation: most strokes begin where it differs from what the person sees.

    Returns
    -------
    (y, x) labels, 0 = unlabelled.
    """
    goals = _goals(seen, coverage)
    mistakes = None if found is None else (seen > 0) & (found != seen)
    labels = np.zeros_like(seen)
    for value, goal in goals.items():
        wrong = int(rng.binomial(1000, person.wrong) / 1000 * goal)
        right = paint_class(seen == value, goal - wrong, person.brush, rng, first=mistakes)
        slipped = paint_class((seen == value) & ~right, wrong, person.brush, rng)
        labels[right], labels[slipped] = value, 3 - value
    return labels


def _goals(seen: NDArray[np.uint8], coverage: float) -> dict[int, int]:
    """Share the voxels to paint between the classes."""
    total = round(coverage * seen.size)
    there = {value: int(np.count_nonzero(seen == value)) for value in (1, 2)}
    goals = {value: min(total // 2, there[value]) for value in (1, 2)}
    for value in (1, 2):
        goals[value] = min(total - goals[3 - value], there[value])
    return goals
