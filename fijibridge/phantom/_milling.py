"""What milling and imaging add to a slice: curtains, drift, charging, uneven brightness, slices that went wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

Image = NDArray[np.float32]

#: Streaks: width along x (pixels, standard deviation), reach along y (pixels until 1/e), share of the energy.
_STREAKS = ((0.7, 60.0, 0.35), (1.4, 140.0, 0.40), (3.0, 300.0, 0.25))


def drift_path(
    count: int, *, drift: float, jumps: int, jump: float, trend: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Give where the field of view stood at each slice (y, x), in pixels, about a middle of zero."""
    path = np.cumsum(rng.normal(0, 1, (count, 2)), axis=0) * drift
    at = rng.choice(np.arange(2, max(3, count - 1)), size=min(jumps, max(0, count - 3)), replace=False)
    for z in at:
        angle = rng.uniform(0, 2 * np.pi)
        path[z:] += jump * np.array([np.sin(angle), np.cos(angle)])
    time = np.linspace(-0.5, 0.5, count)
    path += trend * np.stack([time, 0.3 * np.sin(2 * np.pi * time)], axis=1)
    return np.asarray(path - (path.max(axis=0) + path.min(axis=0)) / 2)


def move(image: Image, offset: tuple[float, float], blur: float) -> Image:
    """Blur a slice and look at it from `offset` pixels further along y and x (exact for blurred images)."""
    spectrum = fft.rfft2(image)
    ky = fft.fftfreq(image.shape[0])[:, None]
    kx = fft.rfftfreq(image.shape[1])[None]
    spectrum *= np.exp(-2 * (np.pi * blur) ** 2 * (ky**2 + kx**2)) * np.exp(
        2j * np.pi * (ky * offset[0] + kx * offset[1])
    )
    return np.asarray(fft.irfft2(spectrum, image.shape), np.float32)


class Curtains:
    """Streaks along y that start at the surface and under particles, fade, and last for a few slices.

    `next_slice(cover)` must be called slice after slice; it gives streaks of unit standard deviation.
    """

    def __init__(self, persistence: float, angle_deg: float, rng: np.random.Generator) -> None:
        self._persistence = persistence
        self._angle_deg = angle_deg
        self._rng = rng
        self._sources: list[Image] = []

    def next_slice(self, cover: Image) -> Image:
        """Give the streaks of the next slice, whose particles are `cover` (0..1)."""
        # A beam that leaves a hard particle for soft binder mills unevenly: streaks start at lower edges.
        edge = np.maximum(np.diff(cover, axis=0, prepend=cover[:1]) * -1, 0)
        edge[0] = 1.0
        self._renew_sources(cover.shape)
        total = np.zeros(cover.shape, np.float32)
        for source, (width, reach, share) in zip(self._sources, _STREAKS, strict=True):
            fade = float(np.exp(-1 / reach))
            streaks = signal.lfilter([1.0], [1.0, -fade], edge * source, axis=0)
            streaks = ndimage.gaussian_filter1d(streaks, width, axis=1, mode="wrap")
            total += np.sqrt(share) * streaks / (streaks.std() + 1e-9)
        return self._tilt(total / (total.std() + 1e-9))

    def _renew_sources(self, shape: tuple[int, ...]) -> None:
        """Let the sources change a little from slice to slice, at the same places."""
        fresh = [self._rng.standard_normal((1, shape[1]), dtype=np.float32) for _ in _STREAKS]
        if not self._sources:
            self._sources = fresh
            return
        keep = np.float32(self._persistence)
        self._sources = [keep * old + np.sqrt(1 - keep**2) * new for old, new in zip(self._sources, fresh, strict=True)]

    def _tilt(self, streaks: Image) -> Image:
        if self._angle_deg == 0:
            return streaks.astype(np.float32)
        shear = [[1.0, 0.0], [-np.tan(np.deg2rad(self._angle_deg)), 1.0]]
        return np.asarray(ndimage.affine_transform(streaks, shear, order=1, mode="grid-wrap"), np.float32)


def charging(cover: Image, amplitude: float, rng: np.random.Generator) -> Image:
    """Give bright tails along the scan direction behind edges, in some places of the slice only."""
    if amplitude == 0:
        return np.zeros_like(cover)
    edges = np.maximum(np.diff(cover, axis=1, prepend=cover[:, :1]), 0)
    tails = signal.lfilter([1.0], [1.0, -np.exp(-1 / 12)], edges, axis=1)
    knots = np.maximum(rng.standard_normal((5, 5)), 0)
    where = ndimage.zoom(knots, np.array(cover.shape) / 5, order=1)
    return np.asarray(amplitude * tails * where, np.float32)


def shading(count: int, amount: float, rng: np.random.Generator) -> Iterator[tuple[float, float, float]]:
    """Give for each slice its brightness factor and its slope along y and x: jitter, a few jumps, a slow change."""
    jumps = np.zeros(count)
    for z in rng.integers(1, max(2, count), size=1 + count // 64):
        jumps[z:] += rng.normal(0, 1.5)
    level = 1 + amount * (jumps - jumps.mean() + 0.6 * rng.standard_normal(count))
    turn = np.linspace(0, np.pi, count)
    for factor, phase in zip(level, turn, strict=True):
        yield float(factor), amount * float(np.cos(phase)), amount * float(np.sin(phase))


def spoil(image: Image, kind: str, rng: np.random.Generator) -> Image:
    """Spoil one slice the way slices are spoilt: charged over, beam lost, moved amid the scan, out of focus."""
    if kind == "charged":
        blot = ndimage.zoom(rng.uniform(0, 1, (4, 4)), np.array(image.shape) / 4, order=1)
        return np.asarray(0.15 * image + 300 * blot, np.float32)
    if kind == "blank":
        return np.asarray(0.02 * image + 30, np.float32)
    if kind == "unfocused":
        return np.asarray(ndimage.gaussian_filter(image, 14), np.float32)
    torn = image.copy()
    third = len(image) // 3
    torn[third:] = np.roll(image[third:], tuple(rng.integers(12, 40, 2)), axis=(0, 1))
    return torn


SPOILT = ("charged", "blank", "torn", "unfocused")
