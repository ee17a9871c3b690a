"""Look at a few slices and decide for the whole stack: are there streaks, at which angle, how strong, of which kind.

The test is against directions in which no streak runs: the same fit on slices that are transposed or sheared by 45
degrees finds what structure and noise alone would give. Only what goes beyond that is called a streak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ._decurtain_angle import estimate_angle, shear
from ._decurtain_fit import Image, fit_streaks, pixel_noise
from ._decurtain_kind import find_kind

#: Slices looked at.
_LOOKED_AT = 6
#: Ratio of streak energy to that of other directions: below the first nothing is removed, above the second all.
_NONE, _ALL = 2.0, 3.2
#: The same for each width of streak, once it is clear that there are streaks.
_NONE_HERE, _ALL_HERE = 0.8, 1.3
#: Widths of streaks (wavelengths in pixels) by which it is decided whether there are any.
_WIDTHS = (4.0, 80.0)


@dataclass(frozen=True)
class Plan:
    """What is to be removed from every slice, and what was found on the slices looked at.

    Attributes
    ----------
    strength : 0..1, share of the streaks that is removed (0 = there are none).
    angle_deg : angle of the streaks to the y axis; positive: they run to the right on their way down.
    kind : ``"gain"``: streaks grow with the brightness beneath; ``"offset"``: they do not.
    noise : standard deviation of the difference of two pixels, grey levels.
    removed : grey levels (root mean square) of the streaks that are removed.
    structure_lost : grey levels (root mean square) that the same removal takes in directions without streaks.
    gate : share removed at each frequency along x (0..0.5 cycles per pixel, evenly spaced).
    """

    strength: float
    angle_deg: float
    kind: Literal["gain", "offset"]
    noise: float
    removed: float
    structure_lost: float
    gate: NDArray[np.float64] = field(repr=False)


def make_plan(
    read: Callable[[int], Image], count: int, *, angle_deg: float | None, kind: Literal["auto", "gain", "offset"]
) -> Plan:
    """Decide from a few slices spread over the stack."""
    looked_at = np.unique(np.linspace(0, count - 1, _LOOKED_AT + 2)[1:-1].round().astype(int))
    slices = [read(int(z)) for z in looked_at]
    noise = float(np.median([pixel_noise(image) for image in slices]))
    angle = estimate_angle(slices, noise) if angle_deg is None else angle_deg
    slices = [shear(image, angle) for image in slices]
    fits = [fit_streaks(image, noise, gain=kind != "offset") for image in slices]
    chosen = find_kind(slices, fits, noise) if kind == "auto" else kind
    if kind == "auto" and chosen == "offset":
        fits = [fit_streaks(image, noise, gain=False) for image in slices]
    found = _spectrum([fit.strips for fit in fits])
    other = _elsewhere(slices, noise, chosen == "gain")
    strength = _strength(found, other)
    gate = strength * np.clip((found / other - _NONE_HERE) / (_ALL_HERE - _NONE_HERE), 0, 1)
    removed, lost = (float(np.sqrt(np.mean(power * gate**2))) for power in (found, other))
    return Plan(strength, float(angle), chosen, noise, removed, lost, gate)


def _elsewhere(slices: list[Image], noise: float, gain: bool) -> NDArray[np.float64]:
    """Give the spectrum that the same fit finds where no streaks run, the middle of three directions."""
    every = slices[::2]
    turns: tuple[Callable[[Image], Image], ...] = (
        lambda image: np.ascontiguousarray(image.T),
        lambda image: shear(image, 45.0),
        lambda image: shear(image, -45.0),
    )
    size = slices[0].shape[1]
    spectra = [
        _spectrum([fit_streaks(turn(image), noise, gain=gain).strips for image in every[k % 2 :: 2] or every], size)
        for k, turn in enumerate(turns)
    ]
    return np.asarray(np.median(spectra, axis=0))


def _spectrum(streaks: list[Image], size: int | None = None) -> NDArray[np.float64]:
    """Give the mean power per frequency along x, smoothed over a third of an octave to each side."""
    columns = streaks[0].shape[1]
    power = np.mean([np.mean(np.abs(fft.rfft(each, axis=1)) ** 2, axis=0) / columns for each in streaks], axis=0)
    wanted = (size or columns) // 2 + 1
    power = np.interp(np.linspace(0, 1, wanted), np.linspace(0, 1, len(power)), power)
    sums = np.concatenate([[0.0], np.cumsum(power)])
    index = np.arange(wanted)
    low, high = (index * 0.75).astype(int), np.minimum((index * 1.33).astype(int) + 2, wanted)
    return np.asarray((sums[high] - sums[low]) / (high - low)) + 1e-12


def _strength(found: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    frequency = np.linspace(0, 0.5, len(found))
    chosen = (frequency > 1 / _WIDTHS[1]) & (frequency < 1 / _WIDTHS[0])
    ratio = float(found[chosen].sum() / other[chosen].sum())
    return float(np.clip((ratio - _NONE) / (_ALL - _NONE), 0, 1))
