"""Find the rigid transform between two images: correlation over all translations, then mutual information.

Everything here is in x, y, z and nm, as SimpleITK has it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.spatial.transform import Rotation

#: Voxels along the longest side of the grid on which all translations are tried.
_COARSE = 48
#: Share of the volume that must overlap the reference for a translation to count.
_OVERLAP = 0.5
_BINS = 32
#: Samples that mutual information is computed on; more are slower and hardly better.
_SAMPLES = 100_000


class Rigid(NamedTuple):
    """A point p of the volume lies at ``rotation.apply(p - centre) + centre + translation`` in the reference."""

    rotation: Rotation
    translation: NDArray[np.float64]
    centre: NDArray[np.float64]
    #: Correlation ratio after registering, 0..1.
    agreement: float


def find_rigid(
    sitk: Any, fixed: Any, moving: Any, turns: list[Rotation], *, search: bool, side: int, seed: int
) -> Rigid:
    """Begin from each of `turns`, go on from the one that correlates best, and refine it from coarse to fine."""
    edge = _longest(fixed, moving)
    coarse = (_even(sitk, fixed, edge / _COARSE), _even(sitk, moving, edge / _COARSE))
    centre = _centre(moving)
    if search:
        tried = [_best_translation(sitk, *coarse, turn, centre) for turn in turns]
        turn, start = max(zip(tried, turns, strict=True), key=lambda pair: pair[0][1])[::-1]
        translation = start[0]
    else:
        turn, translation = _nearest_turn(sitk, coarse, turns, centre), np.zeros(3)
    found = Rigid(turn, translation, centre, 0.0)
    sizes = [edge / count for count in (_COARSE, side) if count <= side or count == _COARSE]
    # The volume's own voxels may be coarser than the finest grid: there is nothing to see below them.
    finest = max(min(max(image.GetSpacing()) for image in (fixed, moving)), sizes[-1])
    for step in dict.fromkeys(max(step, finest) for step in sizes):
        found = _refined(sitk, _even(sitk, fixed, step), _even(sitk, moving, step), found, step=step, seed=seed)
    step = max(edge / side, finest)
    return found._replace(agreement=_agreement(sitk, _even(sitk, fixed, step), _even(sitk, moving, step), found))


def moved_onto(sitk: Any, fixed: Any, moving: Any, found: Rigid, *, nearest: bool) -> NDArray[Any]:
    """Give the volume on the grid of the reference, 0 where it does not reach."""
    if not nearest:
        moving = _blurred(sitk, sitk.Cast(moving, sitk.sitkFloat32), fixed.GetSpacing())
    kind = sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear
    return np.asarray(sitk.GetArrayFromImage(sitk.Resample(moving, fixed, _backwards(sitk, found), kind, 0.0)))


def _longest(fixed: Any, moving: Any) -> float:
    """Give the longest edge of the smaller volume: the reference may show far more than the volume."""
    edges = [
        max(n * step for n, step in zip(image.GetSize(), image.GetSpacing(), strict=True)) for image in (fixed, moving)
    ]
    return float(min(edges))


def _centre(image: Any) -> NDArray[np.float64]:
    return np.array(image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]))


def _blurred(sitk: Any, image: Any, wanted: Any) -> Any:
    """Average over the coarser voxels before they are sampled; nothing where they are not coarser."""
    own = image.GetSpacing()
    sigma = [0.5 * np.sqrt(max(new**2 - old**2, 0.0)) for new, old in zip(wanted, own, strict=True)]
    if max(s / step for s, step in zip(sigma, own, strict=True)) < 0.3:
        return image
    # A kernel of less than a tenth of a voxel changes nothing, and zero is refused.
    least = [0.1 * step for step in own]
    return sitk.SmoothingRecursiveGaussian(image, [float(max(pair)) for pair in zip(sigma, least, strict=True)])


def _even(sitk: Any, image: Any, step: float) -> Any:
    """Resample to cubic voxels of `step`, the outer faces where they were; never finer than the image is itself."""
    spacing = [max(step, own) for own in image.GetSpacing()]
    if np.allclose(spacing, image.GetSpacing(), rtol=1e-3):
        return image
    extent = [n * own for n, own in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    size = [max(4, round(length / new)) for length, new in zip(extent, spacing, strict=True)]
    start = [
        first + (length - new * n) / 2 + (new - own) / 2
        for first, length, n, new, own in zip(image.GetOrigin(), extent, size, spacing, image.GetSpacing(), strict=True)
    ]
    return sitk.Resample(
        _blurred(sitk, image, spacing), size, sitk.Transform(), sitk.sitkLinear, start, spacing,
        [1, 0, 0, 0, 1, 0, 0, 0, 1], _mean(sitk, image),
    )  # fmt: skip


def _mean(sitk: Any, image: Any) -> float:
    return float(np.mean(sitk.GetArrayViewFromImage(image)))


def _backwards(sitk: Any, found: Rigid) -> Any:
    """Give the transform that SimpleITK resamples by: from points of the reference to points of the volume."""
    inverse = found.rotation.inv()
    back = sitk.AffineTransform(3)
    back.SetMatrix([float(value) for value in inverse.as_matrix().ravel()])
    back.SetTranslation([float(v) for v in found.centre - inverse.apply(found.centre + found.translation)])
    return back


def _best_translation(
    sitk: Any, fixed: Any, moving: Any, turn: Rotation, centre: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Try all translations at once (masked correlation by Fourier transform); give the best and its correlation."""
    step = max(moving.GetSpacing())
    grid = _even_grid(sitk, fixed, step)
    turned, inside = _turned(sitk, moving, turn, centre, step)
    surface, offset = _masked_correlation(np.asarray(sitk.GetArrayFromImage(grid), np.float64), turned, inside)
    peak = np.unravel_index(int(surface.argmax()), surface.shape)
    # Corner of the turned volume in the reference, less where it lies now.
    now = centre - step * (np.array(turned.shape[::-1]) - 1) / 2
    there = np.array(grid.GetOrigin()) + step * (np.array(peak[::-1]) - np.array(offset[::-1]))
    return there - now, float(surface[peak])


def _even_grid(sitk: Any, image: Any, step: float) -> Any:
    """Resample to voxels of exactly `step` along each axis, be they finer than the image's own or not."""
    extent = [(n - 1) * own for n, own in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    size = [int(length / step) + 1 for length in extent]
    return sitk.Resample(
        image, size, sitk.Transform(), sitk.sitkLinear, image.GetOrigin(), [step] * 3,
        [1, 0, 0, 0, 1, 0, 0, 0, 1], _mean(sitk, image),
    )  # fmt: skip


def _turned(
    sitk: Any, moving: Any, turn: Rotation, centre: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the volume turned about its centre on cubic voxels, and where it has voxels."""
    extent = np.array(moving.GetSize()) * np.array(moving.GetSpacing())
    reach = np.abs(turn.as_matrix()) @ extent
    size = [int(n) for n in np.ceil(reach / step)]
    start = [float(v) for v in centre - step * (np.array(size) - 1) / 2]
    back = _backwards(sitk, Rigid(turn, np.zeros(3), centre, 0.0))
    ones = sitk.Image(moving.GetSize(), sitk.sitkFloat32) + 1.0
    ones.CopyInformation(moving)
    frame = (size, back, sitk.sitkLinear, start, [step] * 3, [1, 0, 0, 0, 1, 0, 0, 0, 1], 0.0)
    inside = np.asarray(sitk.GetArrayFromImage(sitk.Resample(ones, *frame)), np.float64) > 0.99
    grey = np.asarray(sitk.GetArrayFromImage(sitk.Resample(moving, *frame)), np.float64)
    return grey, inside.astype(np.float64)


def _masked_correlation(
    fixed: NDArray[np.float64], moving: NDArray[np.float64], inside: NDArray[np.float64]
) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Correlate over every translation, counting only what both have there.

    Returns the correlation and how many voxels of translation its first element stands for (negative).
    """
    full = tuple(a + b - 1 for a, b in zip(fixed.shape, moving.shape, strict=True))
    fast = [fft.next_fast_len(n, real=True) for n in full]

    def seen(array: NDArray[np.float64]) -> NDArray[np.complex128]:
        return np.asarray(fft.rfftn(array, fast, workers=-1))

    def met(a: NDArray[np.complex128], b: NDArray[np.complex128]) -> NDArray[np.float64]:
        surface = fft.irfftn(a * np.conj(b), fast, workers=-1)
        shifted = np.roll(surface, [n - 1 for n in moving.shape], axis=(0, 1, 2))
        return np.asarray(shifted[tuple(slice(n) for n in full)])

    fixed = fixed - fixed.mean()
    moving = (moving - moving[inside > 0].mean()) * inside
    there, f1, f2 = seen(np.ones_like(fixed)), seen(fixed), seen(fixed**2)
    here, m1, m2 = seen(inside), seen(moving), seen(moving**2)
    count = np.maximum(met(there, here), 1.0)
    sum_f, sum_m = met(f1, here), met(there, m1)
    cross = met(f1, m1) - sum_f * sum_m / count
    spread_f = np.maximum(met(f2, here) - sum_f**2 / count, 0)
    spread_m = np.maximum(met(there, m2) - sum_m**2 / count, 0)
    norm = np.sqrt(spread_f * spread_m)
    enough = (count >= _OVERLAP * min(inside.sum(), fixed.size)) & (norm > 1e-9 * norm.max())
    # Grey levels may run the other way round in another kind of image.
    surface = np.where(enough, np.abs(cross) / np.where(enough, norm, 1), 0)
    return surface, tuple(n - 1 for n in moving.shape)


def _nearest_turn(sitk: Any, coarse: tuple[Any, Any], turns: list[Rotation], centre: NDArray[np.float64]) -> Rotation:
    """Give the turn that agrees best where the volumes' origins put them."""
    return max(turns, key=lambda turn: _agreement(sitk, *coarse, Rigid(turn, np.zeros(3), centre, 0.0)))


def _refined(sitk: Any, fixed: Any, moving: Any, found: Rigid, *, step: float, seed: int) -> Rigid:
    """Refine by mutual information, sampled at random places of the volume itself: all of them lie in it."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    share = min(1.0, _SAMPLES / float(np.prod(moving.GetSize())))
    method.SetMetricSamplingPercentage(share, max(seed, 0) + 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=step, minStep=step / 500, numberOfIterations=200, relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-9,
    )  # fmt: skip
    method.SetOptimizerScalesFromPhysicalShift()
    start = sitk.VersorRigid3DTransform()
    start.SetCenter([float(v) for v in found.centre])
    start.SetMatrix([float(v) for v in found.rotation.as_matrix().ravel()])
    start.SetTranslation([float(v) for v in found.translation])
    method.SetInitialTransform(start, inPlace=True)
    # The volume is the fixed one here, so that samples are drawn from it and the transform runs our way.
    method.Execute(moving, fixed)
    rotation = Rotation.from_matrix(np.array(start.GetMatrix()).reshape(3, 3))
    return found._replace(rotation=rotation, translation=np.array(start.GetTranslation()))


def _agreement(sitk: Any, fixed: Any, moving: Any, found: Rigid) -> float:
    """Give which share of the volume's variance the reference's grey levels explain (correlation ratio)."""
    there = sitk.AffineTransform(3)
    matrix = found.rotation.as_matrix()
    there.SetMatrix([float(value) for value in matrix.ravel()])
    there.SetTranslation([float(v) for v in found.centre + found.translation - matrix @ found.centre])
    outside = _mean(sitk, fixed) - 1e9
    met = np.asarray(sitk.GetArrayFromImage(sitk.Resample(fixed, moving, there, sitk.sitkLinear, outside))).ravel()
    own = np.asarray(sitk.GetArrayFromImage(moving)).ravel()
    inside = met > outside / 2
    if inside.sum() < 64 or own[inside].var() == 0:
        return 0.0
    own, met = own[inside], met[inside]
    edges = np.quantile(met, np.linspace(0, 1, _BINS + 1))
    explained = 0.0
    for low, high in pairwise(np.unique(edges)):
        chosen = own[(met >= low) & (met < high)]
        explained += chosen.size * float((chosen.mean() - own.mean()) ** 2) if chosen.size else 0.0
    return explained / (own.size * float(own.var()))
