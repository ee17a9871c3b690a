"""Global thresholds: a grey value of one's own, or every automatic method that ImageJ has."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..operation import Engine, operation
from ..volume import Volume, check_volume, with_data
from . import _fiji as imagej
from ._autothreshold import find_bin
from ._histogram import Histogram, grey_range, histogram, last_dark, look_at_histogram
from .parts import Place, Survey, blank, by_engine, some_bytes, with_halo

AutoMethod = Literal[
    "default",
    "huang",
    "intermodes",
    "isodata",
    "ij_isodata",
    "li",
    "max_entropy",
    "mean",
    "min_error",
    "minimum",
    "moments",
    "otsu",
    "percentile",
    "renyi_entropy",
    "shanbhag",
    "triangle",
    "yen",
]
Method = Literal["fixed", AutoMethod]

#: What ImageJ calls each method.
IMAGEJ_NAMES: dict[str, str] = {
    "default": "Default",
    "huang": "Huang",
    "intermodes": "Intermodes",
    "isodata": "IsoData",
    "ij_isodata": "IJ_IsoData",
    "li": "Li",
    "max_entropy": "MaxEntropy",
    "mean": "Mean",
    "min_error": "MinError",
    "minimum": "Minimum",
    "moments": "Moments",
    "otsu": "Otsu",
    "percentile": "Percentile",
    "renyi_entropy": "RenyiEntropy",
    "shanbhag": "Shanbhag",
    "triangle": "Triangle",
    "yen": "Yen",
}


@operation(halo=None)  # the histogram is that of the whole volume
def threshold(
    volume: Volume, *, method: Method = "otsu", value: float | None = None, engine: Engine = "native"
) -> Volume:
    """Mark the voxels that are brighter than one grey value.

    Parameters
    ----------
    volume : (z, y, x) grey volume, any real dtype; the engine ``fiji`` takes uint8, uint16 and float32.
    method : ``"fixed"``, or the automatic method that finds the grey value from the histogram of the whole volume;
        default ``"otsu"``.
    value : for ``"fixed"``: voxels above it are bright, those equal to it dark.

    Returns
    -------
    bool Volume on the same grid, True = bright. NaN is dark.

    Raises
    ------
    ParameterError : ``"fixed"`` without `value`, or another method with one; a mask; or an automatic method on a volume
        with one grey value, with infinite ones, or with a histogram in which the method finds no threshold.

    Engines: native - the methods written anew from their papers; fiji - ImageJ's *Auto Threshold* and *Convert to
    Mask* (macros/threshold.ijm, options "dark stack").
    Differences: the masks are equal voxel by voxel, for every method and dtype, until ImageJ's 32-bit sums overflow and
    its threshold is wrong: of ``"min_error"`` where any bin k (0 to 255) holds more than 2^31 / k^2 voxels (33 000 in
    the brightest), of ``"huang"``, ``"isodata"`` and ``"li"`` where the number of voxels times their mean bin passes
    2^31 (256^3 voxels of mean 128). The native engine does not overflow.
    Blocks: histograms merged first; ImageJ only with ``"fixed"``.
    Source: named with each method in fijibridge/ops/_autothreshold.py; the histogram (8-bit by grey value, else 256
    bins from lowest to highest) as in ImageJ 1.54p, ij.process.StackStatistics.
    """


def automatic_threshold(volume: Volume, *, method: AutoMethod = "otsu") -> float:
    """Find the grey value that parts dark from bright: a voxel above it is bright.

    Parameters
    ----------
    volume : (z, y, x) grey volume, any real dtype.
    method : automatic method, default ``"otsu"``; see `threshold`.

    Returns
    -------
    Highest dark grey value that the volume's dtype can hold; ImageJ's lower threshold is the value that follows it.

    Raises
    ------
    ParameterError : as `threshold`.
    VolumeError : `volume` does not keep the Volume contract.
    """
    check_volume(volume)
    threshold.validate({"method": method})
    if str(method) == "fixed":
        raise ParameterError("a fixed threshold is not found but given; name an automatic method, such as 'otsu'")
    _check_grey(volume)
    return _level(method, histogram(volume))


def _level(method: str, found: Histogram) -> float:
    bin_ = find_bin(method, found.counts)
    if bin_ < 0:
        raise _not_found(method)
    return last_dark(bin_, found)


@threshold.check
def _check(volume: Volume, *, method: Method, value: float | None) -> None:
    _check_grey(volume)
    if method == "fixed" and value is None:
        raise ParameterError("threshold by method 'fixed' needs a value; give value=, or name an automatic method")
    if method != "fixed" and value is not None:
        raise ParameterError(f"method {method!r} finds its own value, got value={value}; use method='fixed' with it")


@threshold.engine("native")
def _native(volume: Volume, *, method: Method, value: float | None) -> Volume:
    level = (value or 0.0) if method == "fixed" else automatic_threshold(volume, method=method)
    return with_data(volume, np.asarray(volume.data) > _last_at_most(level, volume.dtype))


@threshold.grid
def _grid(volume: Volume, **_parameters: Any) -> Volume:
    return blank(volume, bool)


@threshold.blocks("native", divide="zyx", working=some_bytes)
def _native_blocks(volume: Volume, *, method: Method, value: float | None) -> Survey:
    """Merge the blocks' histograms first."""
    level = value or 0.0
    if method != "fixed":
        level = _level(method, (yield from look_at_histogram(volume)))
    last = _last_at_most(level, volume.dtype)
    return with_halo(volume, _brighter, {"last": last}, halo=0, dtype=bool)


def _brighter(part: Volume, _place: Place, *, last: float | int) -> NDArray[np.bool_]:
    return np.asarray(part.data) > last


@threshold.engine("fiji", version=imagej.imagej_version)
def _in_imagej(volume: Volume, *, method: Method, value: float | None) -> Volume:
    if method == "fixed":
        first = _following(_last_at_most(value or 0, volume.dtype), volume.dtype)
        if first is None:
            return with_data(volume, np.zeros(volume.shape, bool))
        done = imagej.run("threshold.ijm", volume, method="fixed", lower=first)
    else:
        grey_range(np.asarray(volume.data))
        done = imagej.run("threshold.ijm", volume, method=IMAGEJ_NAMES[method])
        # ImageJ logs "... Threshold not found" and goes on with a threshold of 0.
        if "not found" in done.log:
            raise _not_found(method)
    return imagej.mask(volume, done.image)


def _fiji_axes(_volume: Volume, *, method: Method, value: float | None) -> str:
    if method == "fixed":
        return "zyx"
    raise ParameterError(
        f"ImageJ finds a threshold by {method!r} from a whole stack in memory only; use engine='native', which gives "
        "the same mask block by block, or method='fixed'"
    )


@threshold.blocks("fiji", divide=_fiji_axes, working=some_bytes)
def _fiji_blocks(volume: Volume, *, method: Method, value: float | None) -> Survey:
    yield from ()
    return by_engine(volume, "threshold", "fiji", {"method": method, "value": value}, halo=0, dtype=bool)


def _check_grey(volume: Volume) -> None:
    if volume.dtype.kind == "b":
        raise ParameterError("threshold works on grey values and got a mask, which is the result of a threshold")


def _not_found(method: str) -> ParameterError:
    return ParameterError(
        f"method {method!r} finds no threshold in the histogram of this volume; smooth the volume or use another method"
    )


def _last_at_most(value: float, dtype: np.dtype[Any]) -> float | int:
    """Give the highest number of a dtype that is not above `value`: comparing with it is exact and needs no cast."""
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        return int(min(max(np.floor(value), limits.min - 1), limits.max))
    nearest = dtype.type(value)
    # As Python floats: NumPy would round `value` to the dtype before it compares.
    return float(nearest if float(nearest) <= value else np.nextafter(nearest, dtype.type(-np.inf)))


def _following(level: float | int, dtype: np.dtype[Any]) -> float | int | None:
    """Give the number of a dtype that follows `level`, None where there is none."""
    if dtype.kind != "f":
        return int(level) + 1 if level < np.iinfo(dtype).max else None
    after = np.nextafter(dtype.type(level), dtype.type(np.inf))
    return float(after) if np.isfinite(after) else None
