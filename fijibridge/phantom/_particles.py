"""Rough particles with soft edges on a grid whose slices may lie further apart than its pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Calendered particles press into each other: centres may come this much closer than the sum of the radii.
_OVERLAP = 0.12
_TRIES = 300
#: Depth of the roughness of a particle's surface, as a share of its radius.
_ROUGH = 0.10


def tile(rng: np.random.Generator, sigma: tuple[float, float, float], period: int = 192) -> NDArray[np.float32]:
    """Make smooth noise of unit standard deviation that repeats without a seam after `period` pixels."""
    depth = max(16, int(period * sigma[0] / sigma[1]))
    noise = rng.standard_normal((min(depth, period), period, period), dtype=np.float32)
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap", truncate=3)
    return np.asarray(smooth / smooth.std(), np.float32)


def tile_slice(texture: NDArray[np.float32], z: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Lay a tile over a slice."""
    period = texture.shape[1]
    repeats = (shape[0] // period + 1, shape[1] // period + 1)
    return np.tile(texture[z % len(texture)], repeats)[: shape[0], : shape[1]]


def pack(
    shape: tuple[int, int, int],
    *,
    radius: float,
    spread: float,
    fraction: float,
    depth_ratio: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Give the share (0..255) of each voxel that particles fill.

    `radius` counts in pixels of a slice; a step along z is `depth_ratio` pixels. Edges are soft over one pixel, so that
    a surface lies where it lies and not at the next voxel.
    """
    cover = np.zeros(shape, np.uint8)
    size = np.array(shape) * (depth_ratio, 1, 1)
    surface = tile(rng, (4 / depth_ratio, 4, 4), 96)
    centres = np.empty((0, 3))
    radii = np.empty(0)
    filled, goal = 0.0, fraction * cover.size * 255
    for particle in _radii(size, radius, spread, fraction, rng):
        centre = _free_place(size, particle, centres, radii, rng)
        if centre is None:
            continue
        centres, radii = np.vstack([centres, centre]), np.append(radii, particle)
        filled += _draw(cover, centre, particle, depth_ratio, surface)
        if filled >= goal:
            break
    return cover


def _radii(
    size: NDArray[np.float64], radius: float, spread: float, fraction: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw more than enough log-normal radii in batches that each run large to small, so that they pack densely."""
    mean_volume = 4 / 3 * np.pi * radius**3 * np.exp(4.5 * spread**2)
    count = 8 + int(fraction * np.prod(size + radius) / mean_volume)
    draws = [radius * np.exp(spread * np.clip(rng.standard_normal(k * count), -2, 2)) for k in (1, 2, 6)]
    return np.concatenate([np.sort(batch)[::-1] for batch in draws])


def _free_place(
    size: NDArray[np.float64],
    radius: float,
    centres: NDArray[np.float64],
    radii: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64] | None:
    tries = rng.uniform(-0.5 * radius, size + 0.5 * radius, size=(_TRIES, 3))
    if not len(radii):
        return np.asarray(tries[0])
    gaps = np.linalg.norm(tries[:, None] - centres[None], axis=2) - (1 - _OVERLAP) * (radii + radius)
    free = np.flatnonzero(gaps.min(axis=1) > 0)
    return np.asarray(tries[free[0]]) if len(free) else None


def _draw(
    cover: NDArray[np.uint8],
    centre: NDArray[np.float64],
    radius: float,
    depth_ratio: float,
    surface: NDArray[np.float32],
) -> float:
    """Draw one particle; give by how much the cover grew."""
    scale = np.array([depth_ratio, 1, 1])
    reach = radius * (1 + 3 * _ROUGH) + 1
    start = np.maximum(np.floor((centre - reach) / scale).astype(int), 0)
    stop = np.minimum(np.ceil((centre + reach) / scale).astype(int) + 1, cover.shape)
    if np.any(stop <= start):
        return 0.0
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    z, y, x = np.ogrid[box]
    squared = (z * depth_ratio - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
    relief = surface[np.ix_(*(axis.ravel() % n for axis, n in zip((z, y, x), surface.shape, strict=True)))]
    inside = radius + _ROUGH * radius * relief - np.sqrt(squared)
    drawn = (255 * np.clip(inside + 0.5, 0, 1)).astype(np.uint8)
    before = float(cover[box].sum(dtype=np.int64))
    np.maximum(cover[box], drawn, out=cover[box])
    return float(cover[box].sum(dtype=np.int64)) - before
