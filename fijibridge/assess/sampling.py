"""The sampling error of a volume fraction: how far a finite volume may lie from the material it was cut from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..errors import ParameterError
from ..volume import Volume, voxel_size

#: Lags are summed up to this multiple of the first distance at which the correlation has gone. Packed particles
#: correlate negatively beyond it; a cut at 1 would leave that out and call the error too large by half.
_REACH = 1.5


class SamplingError(NamedTuple):
    """Sampling error of a volume fraction."""

    #: Standard error of the volume fraction.
    std: float
    #: Distance up to which the correlation was summed, in the units of the volume.
    reach: float
    #: Integral range: the volume that behaves as one independent draw, in cubed units of the volume.
    integral_range: float


def sampling_error(labels: Volume, *, label: int = 1) -> SamplingError:
    """Give the standard error of a class's volume fraction that comes from the finite size of the volume.

    The variance of the mean is the two-point correlation of the class, less the squared fraction, summed over all
    pairs of voxels (Matheron's integral range). Taking the measured for the true fraction makes that sum too small by
    just the variance that is looked for, so the equation is solved for it: with C(r) the measured covariance and n(r)
    the pairs at lag r of N voxels, variance = sum n C / N^2 / (1 - sum n / N^2), both sums over lags up to the
    distance where the correlation has gone.

    Parameters
    ----------
    labels : (z, y, x) label volume; a structure without a trend is assumed.
    label : class whose fraction is meant.

    Returns
    -------
    SamplingError; zero where the class fills all or nothing.

    Raises
    ------
    ParameterError : an axis shorter than 4 voxels, over which no correlation can be seen.

    Source: Dahari et al. 2025, Adv. Sci., "Prediction of microstructural representativity from a single image"
    (ImageRep: the integral range from one image's two-point correlation); Lantuejoul 1991, J. Microsc. 161, 387.
    """
    mask = np.asarray(labels.data) == label
    if min(mask.shape) < 4:
        raise ParameterError(f"a sampling error needs at least 4 voxels along each axis, got {mask.shape}")
    fraction = float(mask.mean())
    size = np.array(voxel_size(labels)[:3])
    if fraction in (0.0, 1.0):
        return SamplingError(0.0, 0.0, 0.0)
    distance, products, pairs = _correlation(mask, fraction, size)
    covariance = products / np.maximum(pairs, 1)
    gone = int(np.argmax(covariance <= 0)) if (covariance <= 0).any() else len(covariance) - 1
    last = min(round(_REACH * gone), len(covariance) - 1)
    squared = float(mask.size) ** 2
    seen = min(float(pairs[: last + 1].sum()) / squared, 0.9)
    variance = max(float(products[: last + 1].sum()) / squared / (1 - seen), 0.0)
    volume = mask.size * float(size.prod())
    independent = variance * volume / (fraction * (1 - fraction))
    return SamplingError(float(np.sqrt(variance)), float(distance[last]), independent)


def block_bootstrap(labels: Volume, *, label: int = 1, blocks: int = 4, draws: int = 500, seed: int = 0) -> float:
    """Give the standard error of a volume fraction by drawing blocks of the volume anew, with replacement.

    Stands beside `sampling_error` as a check that shares none of its assumptions but needs many blocks, each larger
    than the structure.

    Parameters
    ----------
    labels : (z, y, x) label volume.
    label : class whose fraction is meant.
    blocks : blocks along each axis, at least 2.
    draws : bootstrap samples.
    seed : of the draws.

    Raises
    ------
    ParameterError : fewer than 2 blocks, or more than an axis has voxels.
    """
    mask = np.asarray(labels.data) == label
    if not 2 <= blocks <= min(mask.shape):
        raise ParameterError(f"blocks along an axis must lie in 2..{min(mask.shape)}, got {blocks}")
    trimmed = mask[tuple(slice(0, count // blocks * blocks) for count in mask.shape)]
    depth, height, width = (count // blocks for count in trimmed.shape)
    parted = trimmed.reshape(blocks, depth, blocks, height, blocks, width).mean(axis=(1, 3, 5)).ravel()
    rng = np.random.default_rng(seed)
    means = parted[rng.integers(0, parted.size, (draws, parted.size))].mean(axis=1)
    return float(means.std(ddof=1))


def _correlation(
    mask: NDArray[np.bool_], fraction: float, size: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give distance, summed products of deviations, and pairs, by shells of distance up to half the shortest edge."""
    shape = np.array(mask.shape)
    half = np.minimum(shape // 2, np.ceil((shape * size).min() / 2 / size).astype(int))
    padded = [fft.next_fast_len(int(count + lag), real=True) for count, lag in zip(shape, half, strict=True)]
    spectrum = fft.rfftn(mask.astype(np.float32) - np.float32(fraction), padded)
    power = fft.irfftn((spectrum * spectrum.conj()).real.astype(np.float32), padded)
    lags = [np.arange(-lag, lag + 1) for lag in half]
    where = np.ix_(*(lag % count for lag, count in zip(lags, padded, strict=True)))
    products = np.asarray(power[where], np.float64)
    pairs = np.einsum("i,j,k->ijk", *(count - np.abs(lag) for count, lag in zip(shape, lags, strict=True)))
    squares = [(lag * edge) ** 2 for lag, edge in zip(lags, size, strict=True)]
    distance = np.sqrt(squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :])
    shell = np.rint(distance / size.max()).astype(np.intp)
    count = int((shape * size).min() / 2 / size.max()) + 1
    inside = shell < count
    summed = np.bincount(shell[inside], products[inside], minlength=count).astype(np.float64)
    counted = np.bincount(shell[inside], pairs[inside].astype(np.float64), minlength=count).astype(np.float64)
    return np.asarray(np.arange(count) * size.max(), np.float64), summed, counted
