"""The features against ITK, which has the same filters as derivatives of a Gaussian proper instead of differences."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from fijibridge.forest import FeatureSet, compute_features
from fijibridge.volume import make_volume

sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
NOISE = np.random.default_rng(1).integers(0, 256, (48, 48, 48), np.uint8)
#: ITK sees the image going on beyond its faces in another way than we do.
INNER = (slice(16, 32),) * 3


@lru_cache
def _itk(kind: str, sigma: float) -> np.ndarray:
    image = sitk.GetImageFromArray(NOISE.astype(np.float32))
    if kind != "hessian":
        run = {
            "gaussian": sitk.SmoothingRecursiveGaussian,
            "laplacian": sitk.LaplacianRecursiveGaussian,
            "gradient_magnitude": sitk.GradientMagnitudeRecursiveGaussian,
        }[kind]
        return sitk.GetArrayFromImage(run(image, sigma))[INNER][None]
    matrix = [[_second(image, sigma, a, b) for b in range(3)] for a in range(3)]
    return np.moveaxis(np.linalg.eigvalsh(np.moveaxis(np.array(matrix), (0, 1), (-2, -1)))[..., ::-1], -1, 0)


def _second(image, sigma: float, a: int, b: int) -> np.ndarray:
    for axis in range(3):
        image = sitk.RecursiveGaussian(image, sigma, False, (a, b).count(axis), axis)
    return sitk.GetArrayFromImage(image)[INNER]


@pytest.mark.parametrize("sigma", [1.6, 3.5, 5.0])
@pytest.mark.parametrize(
    ("kind", "least"), [("gaussian", 0.9995), ("laplacian", 0.998), ("gradient_magnitude", 0.98), ("hessian", 0.985)]
)
def test_features_follow_those_of_itk(kind, least, sigma):
    """White noise is the worst case, for differences as for grids of every second voxel: smooth images agree better."""
    found = compute_features(make_volume(NOISE), FeatureSet((f"{kind}({sigma:g})",))).data
    for mine, theirs in zip(found, _itk(kind, sigma), strict=True):
        assert np.corrcoef(mine[INNER].ravel(), theirs.ravel())[0, 1] > least
