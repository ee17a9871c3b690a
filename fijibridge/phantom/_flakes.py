"""Flakes: flat ellipsoids that lie roughly in the plane of the electrode, as graphite does after calendering."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Thickness over width of a flake, and the standard deviation of its tilt in radians.
_FLATNESS, _TILT = 0.32, 0.35
_MOST = 20_000


def lay_flakes(
    shape: tuple[int, int, int], radius: float, fraction: float, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Lay flakes at random until they fill `fraction`; give each voxel the number of its flake (0 = none).

    A flake takes only voxels that are still free, so that later ones wedge in between as real ones do.
    """
    flakes = np.zeros(shape, np.int32)
    goal, filled = int(fraction * flakes.size), 0
    for number in range(1, _MOST):
        if filled >= goal:
            break
        size = radius * np.exp(0.3 * np.clip(rng.standard_normal(), -2, 2))
        centre = rng.uniform(-0.3 * size, np.array(shape) + 0.3 * size)
        filled += _draw(flakes, centre, size, _axes(rng), number)
    return flakes


def _axes(rng: np.random.Generator) -> NDArray[np.float64]:
    """Give the flake's normal and two directions in its plane; the normal points along z but for a tilt."""
    normal = np.array([1.0, *rng.normal(0, _TILT, 2)])
    normal /= np.linalg.norm(normal)
    along = np.cross(normal, rng.standard_normal(3))
    along /= np.linalg.norm(along)
    return np.stack([normal, along, np.cross(normal, along)])


def _draw(
    flakes: NDArray[np.int32], centre: NDArray[np.float64], radius: float, axes: NDArray[np.float64], number: int
) -> int:
    start = np.maximum(np.floor(centre - radius).astype(int), 0)
    stop = np.minimum(np.ceil(centre + radius).astype(int) + 1, flakes.shape)
    if np.any(stop <= start):
        return 0
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    z, y, x = (grid - middle for grid, middle in zip(np.ogrid[box], centre, strict=True))
    squared = sum(
        ((z * axis[0] + y * axis[1] + x * axis[2]) / (radius * scale)) ** 2
        for axis, scale in zip(axes, (_FLATNESS, 1.0, 0.75), strict=True)
    )
    inside = (squared <= 1) & (flakes[box] == 0)
    flakes[box][inside] = number
    return int(inside.sum())
