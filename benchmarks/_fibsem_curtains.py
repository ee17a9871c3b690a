"""The decurtaining half of the FIB-SEM benchmark: ours, the peers at their best settings, and an oracle."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import numpy as np
from _fibsem_common import installed, measured, report, rms
from scipy import ndimage
from skimage.metrics import structural_similarity

from fijibridge.ops._decurtain import decurtain
from fijibridge.phantom.fibsem import Defects, make_fibsem
from fijibridge.volume import make_volume

STILL = Defects(drift=0, jumps=0, brightness=0, charging=0, outliers=0, missing=0)


def decurtain_peers(*, quick: bool) -> dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Give each peer at each of its settings."""
    made: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {}
    for wavelet, level, sigma in itertools.product(("db10",) if quick else ("db10", "coif3"), (3, 4), (0.7, 1, 2)):
        made[f"pystack3d wavelets {wavelet} level {level} sigma {sigma}"] = (
            "pystack3d", lambda image, w=wavelet, n=level, s=sigma: _pystack3d(image, w, n, s),
        )  # fmt: skip
    for sigma, level in itertools.product((16,) if quick else (8, 16, 32), (0,) if quick else (0, 4)):
        made[f"pystripe db10 level {level} sigma {sigma}"] = (
            "pystripe", lambda image, s=sigma, n=level: _pystripe(image, s, n),
        )  # fmt: skip
    levels, reaches = ((2,), (100,)) if quick else ((1, 2, 4), (60, 120, 240))
    for level, reach in itertools.product(levels, reaches):
        made[f"pyvsnr level {level} reach {reach}"] = (
            "pyvsnr", lambda image, n=level, r=reach: _pyvsnr(image, n, ((1, r),)),
        )  # fmt: skip
    if not quick:
        made["pyvsnr two widths"] = ("pyvsnr", lambda image: _pyvsnr(image, 1, ((1, 80), (3, 200))))
    return made


def _pystack3d(image: np.ndarray, wavelet: str, level: int, sigma: float) -> np.ndarray:
    from pystack3d.destriping import destriping_from_wavelets

    return destriping_from_wavelets(image, wavelet, level, sigma)[: image.shape[0], : image.shape[1]]


def _pystripe(image: np.ndarray, sigma: float, level: int) -> np.ndarray:
    from pystripe.core import filter_streaks

    return np.asarray(filter_streaks(image.T, sigma=[sigma, sigma], level=level, wavelet="db10")).T


def _pyvsnr(image: np.ndarray, level: float, widths: tuple[tuple[int, int], ...]) -> np.ndarray:
    from pyvsnr import vsnr2d

    filters = [{"name": "Gabor", "noise_level": level, "sigma": width, "theta": 0} for width in widths]
    with contextlib.redirect_stdout(io.StringIO()):
        return vsnr2d(image, filters, maxit=30, algo="numpy", norm=False)


def bench_curtains(shape: tuple[int, int, int], kind: str, *, quick: bool, seed: int = 2) -> None:
    streaky = make_fibsem(shape, seed=seed, defects=replace(STILL, curtain_on=kind))
    free = make_fibsem(shape, seed=seed, defects=replace(STILL, curtain=0.0)).volume.data
    noise = rms(free - streaky.clean.data)
    size = "x".join(map(str, shape)) + f", 8 % curtains ({kind})" + (f", seed {seed}" if seed != 2 else "")
    print(f"\nDecurtaining, {size}; noise {noise:.3f}")
    sample = np.arange(0, shape[0], max(1, shape[0] // 8))
    before, clean, free = (
        np.asarray(each[sample], np.float32) for each in (streaky.volume.data, streaky.clean.data, free)
    )
    decurtain(streaky.volume[:1])
    report("nothing done", size, **quality(before, before, clean, free, noise))
    for label, options in {"fijibridge decurtain": {}, "fijibridge wavelet_fft": {"method": "wavelet_fft"}}.items():
        done, seconds = measured(lambda options=options: decurtain(streaky.volume, **options).data[sample])
        untouched = decurtain(make_volume(free.astype(np.uint8)), **options).data
        report(label, size, **quality(done, before, clean, free, noise), changed=(rms(untouched - free), "grey"),
               cpu=(seconds / streaky.volume.size * 1e6, "s/Mvoxel"))  # fmt: skip
    for name, (label, run) in best_peers(before, clean, quick=quick).items():
        done, seconds = measured(lambda run=run: np.stack([run(image) for image in before]))
        untouched = np.stack([run(image) for image in free])
        report(
            f"{name}: {label}", size, **quality(done, before, clean, free, noise),
            changed=(rms(untouched - free), "grey"), cpu=(seconds / done.size * 1e6, "s/Mvoxel"),
        )  # fmt: skip
    with patch("fijibridge.phantom.fibsem._TEXTURE", 0.0):
        ground = make_fibsem(shape, seed=seed, defects=replace(STILL, curtain=0.0)).clean.data[sample]
    known = oracle(before, free, ground, gain=kind == "gain")
    report("oracle: knows all but texture and noise", size, **quality(known, before, clean, free, noise))


def oracle(before: np.ndarray, free: np.ndarray, ground: np.ndarray, *, gain: bool) -> np.ndarray:
    """Take the streaks out as well as a linear filter can that knows the ground and all mean spectra."""
    factor = ground / ground.mean() if gain else np.ones_like(ground)
    streaks, other = (
        (part - part.mean(axis=(1, 2), keepdims=True)) / factor for part in (before - free, free - ground)
    )
    powers = [np.mean(np.abs(np.fft.fft2(part)) ** 2, axis=0) for part in (streaks, other)]
    streak_power, other_power = (ndimage.gaussian_filter1d(power, 4, axis=1, mode="wrap") for power in powers)
    share = streak_power / (streak_power + other_power)
    return before - factor * np.fft.ifft2(np.fft.fft2(streaks + other) * share).real


def quality(
    done: np.ndarray, before: np.ndarray, clean: np.ndarray, free: np.ndarray, noise: float
) -> dict[str, tuple[float, str]]:
    error = rms(done - clean)
    similar = [
        structural_similarity(a.astype(float), b.astype(float), data_range=255, gaussian_weights=True)
        for a, b in zip(done[::2], clean[::2], strict=True)
    ]
    streaks, change = (np.asarray(part, np.float64) for part in (before - free, before - done))
    removed = float((streaks * change).sum() / max(float((streaks**2).sum()), 1e-9))
    return {
        "error": (error, "grey"), "excess": (np.sqrt(max(error**2 - noise**2, 0)), "grey"),
        "ssim": (float(np.mean(similar)), "1"), "removed": (removed, "1"),
        "lost": (rms(change - removed * streaks), "grey"),
    }  # fmt: skip


def best_peers(
    stack: np.ndarray, clean: np.ndarray, *, quick: bool
) -> dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Give for each peer the setting with the smallest error on two slices."""
    best: dict[str, tuple[float, str, Callable[[np.ndarray], np.ndarray]]] = {}
    sample = (0, len(stack) // 2)
    for label, (module, run) in decurtain_peers(quick=quick).items():
        if not installed(module):
            continue
        error = rms(np.stack([run(stack[z]) for z in sample]) - clean[list(sample)])
        if module not in best or error < best[module][0]:
            best[module] = (error, label, run)
    return {module: (label, run) for module, (_, label, run) in best.items()}
