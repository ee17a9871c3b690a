"""What the report says in numbers of a stack before and after: grey levels by slice, stripes, shifts, what is left."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..pipeline import Finished
from ..volume import Volume, voxel_size

#: Pixels of a slice that go into its histogram, and slices that go into the stripes: samples, so that a report on a
#: stack of 100 GB does not read it all.
_PIXELS = 65536
_SLICES = 16
#: Stripes run along y, so their power lies at frequencies within this angle of the x axis ...
_WEDGE_DEG = 4.0
#: ... and what a picture without stripes has is seen at these oblique angles, where no defect of milling shows.
_REFERENCE_DEG = (25.0, 65.0)
#: Share of each side, about the middle, that stripes are looked for in: the rim may be empty after aligning; and voxels
#: at most, since a spectrum takes some 60 bytes for each.
_MIDDLE, _MOST = 0.75, 2048
_BANDS = 40


class Spectrum(NamedTuple):
    """Power against spatial frequency, of stripes along y and of other directions.

    Attributes
    ----------
    frequency : (n,) cycles per unit of length.
    stripes, reference : (n,) mean power at frequencies across vertical stripes, and at oblique ones.
    """

    frequency: NDArray[np.float64]
    stripes: NDArray[np.float64]
    reference: NDArray[np.float64]

    @property
    def ratio(self) -> float:
        """Power of vertical stripes as a multiple of what other directions have: 1 = none.

        All frequencies weigh alike (geometric mean): in a plain sum, the shapes of a few large particles would count
        for more than all stripes.
        """
        tiny = max(self.reference.max(initial=0) * 1e-12, 1e-30)
        return float(np.exp(np.mean(np.log((self.stripes + tiny) / (self.reference + tiny)))))


def grey_window(*volumes: Volume) -> tuple[float, float]:
    """Give the grey levels between which nearly all voxels of all volumes lie."""
    ends = [np.percentile(_finite(_sampled(volume, z)), (0.2, 99.8)) for volume in volumes for z in _some(volume)]
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    if all(volume.dtype.kind in "iu" for volume in volumes):
        return float(np.floor(low)) - 0.5, float(np.ceil(high)) + 0.5
    return (low, high) if high > low else (low, low + 1)


def slice_histograms(volume: Volume, window: tuple[float, float]) -> NDArray[np.float64]:
    """Give the share of each slice's voxels in each step of grey level within the window: (slices, steps)."""
    span = round(window[1] - window[0])
    # One step for each grey level where they are whole and few: other steps would hold now one level, now two.
    bins = span if volume.dtype.kind in "iu" and span <= 256 else 128
    counts = [np.histogram(_finite(_sampled(volume, z)), bins=bins, range=window)[0] for z in range(volume.shape[0])]
    table = np.asarray(counts, float)
    return np.asarray(table / np.maximum(table.sum(axis=1, keepdims=True), 1))


def stripe_spectrum(volume: Volume) -> Spectrum:
    """Measure the power of vertical stripes against frequency, on some slices' middles."""
    size = voxel_size(volume)
    power, (rows, columns) = _mean_power(volume)
    fy, fx = np.fft.fftfreq(rows, size.y)[:, None], np.fft.rfftfreq(columns, size.x)[None]
    radius, angle = np.hypot(fy, fx), np.degrees(np.arctan2(np.abs(fy), fx))
    # The wedge has no width at low frequencies: there the row fy = 0 stands for it.
    stripes = (angle <= _WEDGE_DEG) | (fy == 0)
    reference = (angle >= _REFERENCE_DEG[0]) & (angle <= _REFERENCE_DEG[1])
    lowest, highest = 4 / (columns * size.x), 0.5 / max(size.x, size.y)
    edges = np.linspace(lowest, highest, min(_BANDS, max(2, columns // 8)) + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    found = [[_mean(power, where & (radius >= a) & (radius < b)) for a, b in pairwise(edges)]
             for where in (stripes, reference)]  # fmt: skip
    filled = np.isfinite(found).all(axis=0)
    return Spectrum(centres[filled], np.asarray(found[0])[filled], np.asarray(found[1])[filled])


def shifts_in(step: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """Give the shifts (n, 2) in voxels (y, x) that a step of a history moved the slices by, where it recorded any."""
    for part in (step, *step.get("within", ())):
        shifts = part.get("parameters", {}).get("shifts")
        if shifts is not None and np.ndim(shifts) == 2 and np.shape(shifts)[1] == 2:
            return np.asarray(shifts, float)
    return None


def emptied(shifts: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """Give the share of a stack's voxels whose place lay outside their slice before it was moved."""
    rows, columns = (np.clip(1 - np.ceil(np.abs(shifts[:, n])) / shape[n + 1], 0, 1) for n in (0, 1))
    return float(1 - (rows * columns).mean())


def kept(before: Volume, step: Finished) -> float | None:
    """Give the size of a step's output as a share of the input's (in physical volume), where it is known."""
    if step.output is None:
        return None
    whole = np.prod(before.shape) * np.prod(voxel_size(before)[:3])
    return float(np.prod(step.output.shape) * np.prod(step.output.spacing) / whole)


def _some(volume: Volume) -> list[int]:
    count = volume.shape[0]
    return sorted({int(z) for z in np.linspace(0, count - 1, min(count, _SLICES))})


def _sampled(volume: Volume, z: int) -> NDArray[Any]:
    step = max(1, int(np.ceil(np.sqrt(volume.shape[1] * volume.shape[2] / _PIXELS))))
    return np.asarray(volume.data[z, ::step, ::step])


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    found = values[np.isfinite(values)].astype(float)
    return found if found.size else np.zeros(1)


def _mean_power(volume: Volume) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Give the mean power spectrum of some slices' middles, one slice after the other, and their shape."""
    slices = _some(volume)
    plane = _middle(volume, slices[0])
    total = _power(plane)
    for z in slices[1:]:
        total += _power(_middle(volume, z))
    return total / len(slices), plane.shape


def _middle(volume: Volume, z: int) -> NDArray[np.float64]:
    rims = [max(int(size * (1 - _MIDDLE) / 2), (size - _MOST) // 2) for size in volume.shape[1:]]
    (y, x), (_, rows, columns) = rims, volume.shape
    plane = np.array(volume.data[z, y : rows - y, x : columns - x], float)
    plane[~np.isfinite(plane)] = 0
    return plane


def _power(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the power spectrum of a plane, its edges faded out so that they are no stripes."""
    window = np.hanning(plane.shape[0] + 2)[1:-1, None] * np.hanning(plane.shape[1] + 2)[None, 1:-1]
    return np.asarray(np.abs(np.fft.rfft2((plane - plane.mean()) * window)) ** 2 / (window**2).sum())


def _mean(power: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    return float(power[where].mean()) if where.any() else float("nan")
