"""A simulated X-ray CT volume of a battery cathode: spheres of active material, carbon-binder, pore; truth known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import ParameterError
from ..volume import Volume, make_volume, record, with_data

#: Phases of the geometry.
PORE, ACTIVE, BINDER = 0, 1, 2
#: Grey levels of a phase without noise (8 bit): NMC absorbs far more than carbon, carbon a little more than air.
_GREY = {PORE: 62.0, BINDER: 84.0, ACTIVE: 152.0}
#: Calendered particles press into each other: centres may come this much closer than the sum of the radii.
_OVERLAP = 0.10
_TRIES = 400


class Electrode(NamedTuple):
    """A simulated scan and what it is made of, all on one grid."""

    #: uint8 grey levels, as a scanner would give them.
    grey: Volume
    #: uint8 labels: 1 = active material, 2 = pore + carbon-binder.
    truth: Volume
    #: uint8 phases: 0 = pore, 1 = active material, 2 = carbon-binder.
    phases: Volume


def make_electrode(
    shape: tuple[int, int, int] = (144, 144, 144),
    *,
    voxel_nm: float = 397.0,
    diameter_um: float = 9.0,
    diameter_spread: float = 0.35,
    active: float = 0.5,
    binder: float = 0.14,
    blur: float = 1.2,
    noise: float = 24.0,
    rings: float = 4.0,
    seed: int = 0,
) -> Electrode:
    """Simulate the X-ray CT scan of an NMC-like cathode whose every voxel is known.

    Parameters
    ----------
    shape : voxels along z, y, x.
    voxel_nm : voxel edge in nm (397 nm as for the cathodes of Bailey et al. 2023).
    diameter_um, diameter_spread : median particle diameter in um and the standard deviation of its logarithm.
    active, binder : volume fractions asked for; the active one is reached to within about a particle, or as far as the
        particles pack.
    blur : standard deviation of the scanner's point spread, in voxels.
    noise : standard deviation of the noise in grey levels before the point spread's share of correlation.
    rings : amplitude of ring artefacts in grey levels, about the z axis.
    seed : of every random choice.

    Returns
    -------
    Electrode with the grey volume, the two-phase truth and the three phases.

    Raises
    ------
    ParameterError : a fraction outside 0..0.6, or a volume smaller than 8 voxels along an axis.
    """
    if not (0 < active <= 0.6 and 0 <= binder <= 0.6 and active + binder < 1):
        raise ParameterError(
            f"volume fractions must lie in 0..0.6 and leave room for pores, got {active=} and {binder=}"
        )
    if min(shape) < 8:
        raise ParameterError(f"an electrode needs at least 8 voxels along each axis, got {shape}")
    rng = np.random.default_rng(seed)
    radius = diameter_um * 1000 / 2 / voxel_nm
    particles = pack_spheres(shape, radius, diameter_spread, active, rng)
    phases = np.where(particles > 0, np.uint8(ACTIVE), np.uint8(PORE))
    add_binder(phases, binder, rng)
    step = {
        "operation": "make_electrode", "engine": "native", "version": "simulated",
        "parameters": {
            "shape": list(shape), "voxel_nm": voxel_nm, "diameter_um": diameter_um, "diameter_spread": diameter_spread,
            "active": active, "binder": binder, "seed": seed,
        },
    }  # fmt: skip
    geometry = make_volume(phases, spacing=(voxel_nm,) * 3, history=(step,))
    grey = simulate_scan(geometry, particles=particles, blur=blur, noise=noise, rings=rings, seed=seed)
    truth = with_data(geometry, np.where(phases == ACTIVE, np.uint8(1), np.uint8(2)))
    return Electrode(grey, truth, geometry)


def pack_spheres(
    shape: tuple[int, int, int], radius: float, spread: float, active: float, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Give each voxel the number of the sphere that holds it (0 = none): spheres laid at random, large ones first."""
    particles = np.zeros(shape, np.int32)
    centres = np.empty((0, 3))
    radii = np.empty(0)
    filled, goal = 0, int(active * particles.size)
    for sphere_radius in _radii(shape, radius, spread, active, rng):
        centre = _free_place(shape, sphere_radius, centres, radii, rng)
        if centre is None:
            continue
        centres, radii = np.vstack([centres, centre]), np.append(radii, sphere_radius)
        filled += _draw_sphere(particles, centre, sphere_radius, len(radii))
        if filled >= goal:
            break
    return particles


def _radii(
    shape: tuple[int, int, int], radius: float, spread: float, active: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw more than enough log-normal radii, cut at 2.5 standard deviations, in batches that each run large to small.

    Large ones first lets dense packings come about; a second and third batch fill what is left.
    """
    mean_volume = 4 / 3 * np.pi * radius**3 * np.exp(4.5 * spread**2)
    count = 8 + int(1.2 * active * np.prod(np.array(shape) + 2 * radius) / mean_volume)
    batches = [
        np.sort(radius * np.exp(spread * np.clip(rng.standard_normal(size), -2.5, 2.5)))[::-1]
        for size in (count, 2 * count, 8 * count)
    ]
    return np.concatenate(batches)


def _free_place(
    shape: tuple[int, int, int],
    radius: float,
    centres: NDArray[np.float64],
    radii: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64] | None:
    """Find a centre where the sphere meets no other beyond the allowed overlap; it may be cut by the border."""
    low, high = -0.5 * radius, np.array(shape) + 0.5 * radius
    tries = rng.uniform(low, high, size=(_TRIES, 3))
    if not len(radii):
        return np.asarray(tries[0])
    gaps = np.linalg.norm(tries[:, None] - centres[None], axis=2) - (1 - _OVERLAP) * (radii + radius)
    free = np.flatnonzero(gaps.min(axis=1) > 0)
    return np.asarray(tries[free[0]]) if len(free) else None


def _draw_sphere(particles: NDArray[np.int32], centre: NDArray[np.float64], radius: float, number: int) -> int:
    """Draw one sphere into the empty voxels of its box; give how many voxels it took."""
    start = np.maximum(np.floor(centre - radius).astype(int), 0)
    stop = np.minimum(np.ceil(centre + radius).astype(int) + 1, particles.shape)
    if np.any(stop <= start):
        return 0
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    axes = np.ogrid[box]
    squared = sum((axis - middle) ** 2 for axis, middle in zip(axes, centre, strict=True))
    inside = (squared <= radius**2) & (particles[box] == 0)
    particles[box][inside] = number
    return int(inside.sum())


def add_binder(phases: NDArray[np.uint8], fraction: float, rng: np.random.Generator) -> None:
    """Turn pore into carbon-binder near the particles, in patches: binder gathers at surfaces and in necks."""
    if fraction == 0:
        return
    distance = ndimage.distance_transform_edt(phases != ACTIVE).astype(np.float32)
    patches = ndimage.gaussian_filter(rng.standard_normal(phases.shape, dtype=np.float32), 3.0, truncate=3)
    score = patches / patches.std() - 0.35 * distance
    score[phases == ACTIVE] = -np.inf
    count = min(int(fraction * phases.size), int((phases != ACTIVE).sum()))
    level = np.partition(score.ravel(), -count)[-count]
    phases[score >= level] = BINDER


def simulate_scan(
    phases: Volume,
    *,
    particles: NDArray[np.integer] | None = None,
    blur: float = 1.2,
    noise: float = 24.0,
    rings: float = 4.0,
    fringes: float = 0.0,
    levels: tuple[float, float, float] = (_GREY[PORE], _GREY[ACTIVE], _GREY[BINDER]),
    seed: int = 0,
) -> Volume:
    """Give the grey levels that an X-ray CT scanner would make of a known geometry.

    Absorption, point spread, phase-contrast fringes, rings about the z axis, and noise that neighbours share a little.

    Parameters
    ----------
    phases : (z, y, x) integer volume: 0 = pore, 1 = active material, 2 = carbon-binder.
    particles : (z, y, x) particle numbers, 0 = none; particles differ a little in density. Left out: one density.
    blur, noise, rings, seed : as in `make_electrode`.
    fringes : strength of the bright and dark seams that phase contrast draws along edges; 1 doubles an edge's contrast.
    levels : grey levels of pore, active material and carbon-binder, 0..255.

    Returns
    -------
    uint8 Volume on the same grid.

    Raises
    ------
    ParameterError : phases other than 0, 1, 2.
    """
    data = np.asarray(phases.data)
    if data.min() < 0 or data.max() > 2:
        raise ParameterError(f"phases are 0 = pore, 1 = active material, 2 = binder; got {data.min()} to {data.max()}")
    rng = np.random.default_rng(seed)
    image = np.array(levels, np.float32)[data]
    if particles is not None:
        # Density and lithiation differ from particle to particle, which widens the bright peak of the histogram.
        density = rng.normal(0, 4, particles.max() + 1).astype(np.float32)
        density[0] = 0
        image += density[particles]
    image = ndimage.gaussian_filter(image, blur, truncate=3)
    if fringes:
        # To first order, propagation adds the Laplacian of the projected density (transport of intensity).
        image -= fringes * 4 * ndimage.gaussian_laplace(image, 1.0, truncate=3)
    image += _ring_pattern(data.shape, rings, rng)
    grain = rng.standard_normal(data.shape, dtype=np.float32)
    image += noise * (0.8 * grain + 1.4 * ndimage.gaussian_filter(grain, 0.8, truncate=3))
    grey = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    parameters = {
        "blur": blur,
        "noise": noise,
        "rings": rings,
        "fringes": fringes,
        "levels": list(levels),
        "seed": seed,
    }
    step = {"operation": "simulate_scan", "engine": "native", "version": "simulated", "parameters": parameters}
    return record(with_data(phases, grey), step)


def _ring_pattern(shape: tuple[int, ...], amplitude: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Make rings about the z axis: detector pixels that answer a little wrong; the same in every slice."""
    y, x = np.ogrid[: shape[1], : shape[2]]
    radius = np.hypot(y - shape[1] / 2, x - shape[2] / 2)
    profile = rng.standard_normal(int(radius.max()) + 2)
    pattern = amplitude * np.interp(radius, np.arange(len(profile)), profile)
    return np.asarray(pattern, np.float32)[None]
