"""Make brightness and contrast the same from slice to slice and across a slice, and leave the phases apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import ParameterError, VolumeError
from ..io.spill import new_array
from ..operation import Engine, operation
from ..volume import Volume, check_volume, with_data
from . import _fiji as imagej
from ._running import Progress, told
from .parts import Local, Look, Place, Survey, blank, same_box, some_bytes

Image = NDArray[np.float32]
Reference = Literal["stack", "first", "middle"]

#: Quantiles that stand for a slice's histogram: its ends are noise and charging.
_QUANTILES = np.linspace(0.05, 0.95, 19)
#: The slow part of a slice is measured on a grid of about this many points.
_GRID = 12


class _Line(NamedTuple):
    """Grey levels become ``scale * grey + offset``."""

    scale: float
    offset: float


_AS_IT_IS = _Line(1.0, 0.0)


@operation(halo=None)
def even_out(
    volume: Volume,
    *,
    between_slices: bool = True,
    gradient_share: Annotated[float, Ge(0)] = 0.0,
    reference: Reference = "stack",
    engine: Engine = "native",
) -> Volume:
    """Even out brightness: jumps and drift from slice to slice, and slow gradients within slices.

    From slice to slice, a straight line maps the quantiles of each slice onto those of the reference (fitted robustly,
    so that a slice with more of one phase than others keeps it). Within slices, what is smooth over more than
    `gradient_share` of the slice is taken out of the level of the common phase, measured where neighbouring slices
    agree, so that phases keep their contrast.

    Parameters
    ----------
    volume : (z, y, x) grey volume.
    between_slices : map each slice's histogram onto the reference.
    gradient_share : length over which brightness may vary within a slice, as a share of its shorter side (for instance
        0.5); 0 = gradients stay. Phases that fill a larger part than this would be flattened.
    reference : ``"stack"``: the median of all slices; ``"first"`` or ``"middle"``: that slice.

    Returns
    -------
    Volume on the same grid, same dtype; integers are rounded half to even and clipped to the dtype.

    Raises
    ------
    VolumeError : voxels that are no numbers.
    ParameterError : nothing to do, or a share above 2.

    Engines: native - NumPy; fiji - macros/even_out.ijm.  Differences: the Fiji engine maps mean and standard deviation
    instead of quantiles, which charged slices and outliers move more.
    Blocks: natively; the quantiles of all slices first, then each slice by itself.
    """


@even_out.check
def _check(volume: Volume, *, between_slices: bool, gradient_share: float, reference: Reference) -> None:
    check_volume(volume)
    if not between_slices and gradient_share == 0:
        raise ParameterError("even_out has nothing to do: set between_slices=True or gradient_share above 0")
    if gradient_share > 2:
        raise ParameterError(f"gradient_share is a share of the slice, 0..2, got {gradient_share}")
    if volume.dtype.kind == "b":
        raise ParameterError("even_out needs grey levels, got a mask; use the grey volume")


@even_out.engine("native")
def _native(volume: Volume, *, between_slices: bool, gradient_share: float, reference: Reference) -> Volume:
    lines = _lines(_quantiles(volume), reference) if between_slices else [_AS_IT_IS] * volume.shape[0]
    return with_data(volume, _evened(volume, lines, gradient_share, told(0.4 if between_slices else 0.0, 1.0)))


def _evened(volume: Volume, lines: Sequence[_Line], gradient_share: float, tell: Progress) -> NDArray[Any]:
    result = new_array(volume.shape, volume.dtype)
    for z, line in enumerate(lines):
        image = _read(volume, z) * np.float32(line.scale) + np.float32(line.offset)
        if gradient_share > 0:
            image = image / _light(image, gradient_share)
        result[z] = _in_dtype(image, volume.dtype)
        tell((z + 1) / len(lines))
    return result


@even_out.blocks("native", divide="z", working=partial(some_bytes, pixel=128))
def _blocks(volume: Volume, *, between_slices: bool, gradient_share: float, reference: Reference) -> Survey:
    """Measure all slices first; then each is evened out by itself."""
    lines = [_AS_IT_IS] * volume.shape[0]
    if between_slices:
        quantiles = np.empty((volume.shape[0], len(_QUANTILES)))

        def merge(place: Place, found: NDArray[np.float64]) -> None:
            quantiles[place.inner[0]] = found

        yield Look(_part_quantiles, merge, divide="z")
        lines = _lines(quantiles, reference)
    given = {"lines": lines, "gradient_share": gradient_share}
    return Local(blank(volume, volume.dtype), _even_part, given, same_box)


def _part_quantiles(part: Volume, place: Place) -> NDArray[np.float64]:
    return _quantiles(part, first=place.inner[0].start)


def _even_part(part: Volume, place: Place, *, lines: Sequence[_Line], gradient_share: float) -> NDArray[Any]:
    return _evened(part, lines[place.inner[0]], gradient_share, told())


@even_out.engine("fiji", version=imagej.imagej_version)
def _in_imagej(volume: Volume, *, between_slices: bool, gradient_share: float, reference: Reference) -> Volume:
    if gradient_share > 0:
        raise ParameterError("even_out in ImageJ has no gradient_share; use engine='native'")
    return with_data(volume, np.asarray(imagej.run("even_out.ijm", volume, reference=reference).image.data))


def _quantiles(volume: Volume, *, first: int = 0) -> NDArray[np.float64]:
    count, tell = volume.shape[0], told(0.0, 0.4)
    found = []
    for z in range(count):
        found.append(np.quantile(_read(volume, z, first)[::2, ::2], _QUANTILES))
        tell((z + 1) / count)
    return np.array(found)


def _lines(quantiles: NDArray[np.float64], reference: Reference) -> list[_Line]:
    """Find for each slice the straight line that maps its quantiles onto the reference."""
    target = {
        "stack": np.median(quantiles, axis=0),
        "first": quantiles[0],
        "middle": quantiles[len(quantiles) // 2],
    }[reference]
    return [_robust_line(own, target) for own in quantiles]


def _robust_line(own: NDArray[np.float64], target: NDArray[np.float64]) -> _Line:
    """Fit a line; quantiles in between two phases move with the phases' shares and count little."""
    if np.ptp(own) < 1e-9 or np.ptp(target) < 1e-9:
        return _Line(1.0, float(np.median(target - own)))
    # Where the histogram is dense, quantiles lie close together: that is where a phase is.
    weight = 1 / (np.gradient(own) / np.ptp(own) + 0.01) ** 2
    scale, offset = 1.0, 0.0
    for _ in range(10):
        scale, offset = np.polyfit(own, target, 1, w=np.sqrt(weight))
        off = np.abs(scale * own + offset - target)
        spread = max(1.48 * float(np.median(off)), 1e-3 * float(np.ptp(target)))
        weight = 1 / (np.gradient(own) / np.ptp(own) + 0.01) ** 2 / (1 + (off / (2 * spread)) ** 2)
    return _Line(float(scale), float(offset)) if scale > 0.05 else _Line(1.0, float(np.median(target - own)))


def _light(image: Image, share: float) -> Image:
    """Estimate how the light falls off over a slice (1 = as on average), from the level of each phase in tiles.

    Each tile's pixels are compared with the slice's own phases, dark and bright apart, so that a tile with more of one
    phase is not taken for one with more light.
    """
    low, high = np.quantile(image[::3, ::3], (0.02, 0.98))
    limit = _between(image[::3, ::3], low, high)
    dark, bright = image < limit, image >= limit
    light = np.ones_like(image)
    sigma = share * min(image.shape) / 2
    for _ in range(3):
        flat = image / light
        level = np.where(bright, _middle(flat[bright]), _middle(flat[dark]))
        ratio = np.clip(image / np.maximum(level, 1e-6), 0.2, 5).astype(np.float32)
        # Far from the phase's level lies something else (an edge, a third phase): leave it out.
        trust = (np.abs(np.log(ratio / light)) < 0.25).astype(np.float32)
        light = _smooth(ratio, trust, sigma)
    return light / float(light.mean())


def _between(values: Image, low: float, high: float) -> float:
    """Give the level that parts dark from bright (the mean of the two means, repeated)."""
    limit = 0.5 * (low + high)
    for _ in range(8):
        dark, bright = values[values < limit], values[values >= limit]
        if not len(dark) or not len(bright):
            break
        limit = 0.5 * float(dark.mean() + bright.mean())
    return limit


def _middle(values: Image) -> float:
    return float(np.median(values[::7])) if len(values) else 1.0


def _smooth(ratio: Image, trust: Image, sigma: float) -> Image:
    """Smooth the trusted part on a coarse grid and interpolate it back."""
    step = max(1, min(ratio.shape) // (_GRID * 4))
    coarse = ndimage.gaussian_filter((ratio * trust)[::step, ::step], sigma / step, mode="nearest")
    share = ndimage.gaussian_filter(trust[::step, ::step], sigma / step, mode="nearest")
    small = coarse / np.maximum(share, 1e-3)
    place = np.meshgrid(*(np.arange(n) / step for n in ratio.shape), indexing="ij")
    return np.asarray(ndimage.map_coordinates(small, place, order=1, mode="nearest"), np.float32)


def _read(volume: Volume, z: int, first: int = 0) -> Image:
    """Read slice z of a part that begins with slice `first`."""
    image = np.asarray(volume.data[z], np.float32)
    if not np.isfinite(image).all():
        raise VolumeError(
            f"even_out needs numbers everywhere, but slice {first + z} has voxels that are none; fill them first"
        )
    return image


def _in_dtype(image: Image, dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        image = np.clip(np.rint(image), limits.min, limits.max)
    return image.astype(dtype)
