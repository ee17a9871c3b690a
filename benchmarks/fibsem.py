"""FIB-SEM preparation against its peers, on stacks whose truth is known; prints tables, and writes JSON on request.

    python benchmarks/fibsem.py [--quick] [--json FILE]

The peers (pystackreg, pystack3d, pystripe, pyvsnr, scikit-image, SimpleITK) are used where they are installed; what is
missing is said. Alignment errors are in pixels over good slices: `raw` about one common offset; `fast` after a smooth
curve (Gaussian, 5 slices) is taken out, since no method can tell slow drift from slanted structure; `step` from slice
to slice; `defects` is `fast` beyond what the same method finds on the perfect stack, which is slant that it takes for
drift. Decurtaining errors are in grey levels of 255: `error` against the clean stack (the noise alone gives `noise`),
`excess` = sqrt(error^2 - noise^2), `removed` = share of the streaks that is taken out (least squares), `lost` = all
else that is taken out, which is structure and noise; `changed` = by how much a stack without curtains is changed.
Peers run over a grid of settings and are shown at the one with the smallest `error`. The oracle knows every particle
and pore and the spectra of streaks, texture and noise (a Wiener filter): about the most that one slice can tell.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import io
import itertools
import json
import platform
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import tifffile
from scipy import ndimage
from skimage.metrics import structural_similarity
from skimage.registration import phase_cross_correlation

from fijibridge.ops._align import apply_shifts, estimate_shifts
from fijibridge.ops._decurtain import decurtain
from fijibridge.phantom.fibsem import Defects, FibsemPhantom, make_fibsem
from fijibridge.volume import make_volume

Shifts = np.ndarray
FLYEM = Path(__file__).resolve().parents[2] / "shared" / "data" / "flyem_fibsem_truth" / "flyem_grey.tif"
STILL = Defects(drift=0, jumps=0, brightness=0, charging=0, outliers=0, missing=0)
PEERS = ("pystackreg", "pystack3d", "pystripe", "pyvsnr", "scikit-image", "SimpleITK")
rows: list[dict[str, Any]] = []


def report(name: str, size: str, **metrics: tuple[float, str]) -> None:
    """Keep the numbers of one line of a table and print it."""
    for metric, (value, unit) in metrics.items():
        rows.append({"name": name, "size": size, "metric": metric, "value": round(float(value), 4), "unit": unit})
    print(f"  {name:44s} " + "  ".join(f"{metric} {value:8.3f}" for metric, (value, _) in metrics.items()), flush=True)


def measured(work: Callable[[], Any]) -> tuple[Any, float]:
    """Run, and give the result and the CPU seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def peak_mb(work: Callable[[], Any]) -> float:
    """Give the peak memory of a run beyond what was there before."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


# --- alignment ---------------------------------------------------------------------------------------------------


def errors(found: Shifts, phantom: FibsemPhantom) -> dict[str, tuple[float, str]]:
    good = np.flatnonzero(~phantom.outliers)
    off = found - phantom.shifts
    off = off - np.median(off[good], axis=0)
    whole = np.column_stack([np.interp(np.arange(len(off)), good, off[good, k]) for k in (0, 1)])
    fast = (whole - ndimage.gaussian_filter1d(whole, 5, axis=0))[good]
    return {
        "raw": (rms(off[good]), "px"), "fast": (rms(fast), "px"), "step": (rms(np.diff(off[good], axis=0)), "px"),
    }  # fmt: skip


def beyond(found: Shifts, phantom: FibsemPhantom) -> dict[str, tuple[float, str]]:
    """Give the fast part of the error that defects make: what the same method finds without any is taken off."""
    return {"defects": errors(found, phantom)["fast"]}


def pystackreg_shifts(stack: np.ndarray) -> Shifts:
    from pystackreg import StackReg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moves = StackReg(StackReg.TRANSLATION).register_stack(stack.astype(np.float32), reference="previous")
    return -np.stack([moves[:, 1, 2], moves[:, 0, 2]], axis=1)


def pystack3d_shifts(stack: np.ndarray) -> Shifts:
    from pystack3d.registration_calculation import tmat_calculation

    moves = [np.zeros(2)]
    for before, after in itertools.pairwise(stack.astype(np.float32)):
        matrix = np.asarray(tmat_calculation(before, after)).reshape(-1, 3, 3)[0]
        moves.append(-matrix[[1, 0], 2])
    return np.cumsum(moves, axis=0)


def skimage_shifts(stack: np.ndarray, normalization: str | None) -> Shifts:
    moves = [np.zeros(2)]
    for before, after in itertools.pairwise(stack.astype(np.float32)):
        moves.append(phase_cross_correlation(before, after, upsample_factor=20, normalization=normalization)[0])
    return np.cumsum(moves, axis=0)


def simpleitk_shifts(stack: np.ndarray) -> Shifts:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, 60)
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([4, 2, 1])
    method.SetInterpolator(sitk.sitkLinear)
    moves = [np.zeros(2)]
    for before, after in itertools.pairwise(stack.astype(np.float32)):
        method.SetInitialTransform(sitk.TranslationTransform(2), inPlace=False)
        found = method.Execute(sitk.GetImageFromArray(before), sitk.GetImageFromArray(after))
        x, y = found.GetParameters()
        moves.append(-np.array([y, x]))
    return np.cumsum(moves, axis=0)


ALIGNERS: dict[str, tuple[str, Callable[[np.ndarray], Shifts]]] = {
    "pystackreg": ("pystackreg", pystackreg_shifts),
    "pystack3d": ("pystack3d", pystack3d_shifts),
    "scikit-image, phase": ("skimage", lambda stack: skimage_shifts(stack, "phase")),
    "scikit-image, plain": ("skimage", lambda stack: skimage_shifts(stack, None)),
    "SimpleITK": ("SimpleITK", simpleitk_shifts),
}


def bench_alignment(shape: tuple[int, int, int], share: float, *, quick: bool) -> None:
    phantom = make_fibsem(shape, seed=1, defects=Defects(outliers=share))
    size = "x".join(map(str, shape)) + f", {share:.0%} spoilt slices"
    print(f"\nAlignment, {size}")
    stack = phantom.volume.data
    estimate_shifts(phantom.volume[:3], trend="remove")
    perfect = np.clip(np.rint(phantom.clean.data), 0, 255).astype(np.uint8)
    found, seconds = measured(lambda: estimate_shifts(phantom.volume, trend="remove"))
    slant = estimate_shifts(make_volume(perfect), trend="remove").shifts
    per = stack.size / 1e6
    memory = peak_mb(lambda: estimate_shifts(phantom.volume[: min(64, shape[0])], trend="remove"))
    report(
        "fijibridge align, trend=remove", size, **errors(found.shifts, phantom),
        **beyond(found.shifts - slant, phantom),
        cpu=(seconds / per, "s/Mvoxel"), peak=(memory, "MB"),
    )  # fmt: skip
    flagged = {
        "found": found.outliers & phantom.outliers, "of": phantom.outliers,
        "falsely": found.outliers & ~phantom.outliers,
    }  # fmt: skip
    report("fijibridge, spoilt slices", size, **{key: (flags.sum(), "slices") for key, flags in flagged.items()})
    for name, (module, align_all) in ALIGNERS.items():
        # pystack3d calls pystackreg, and SimpleITK is slow: a part of the stack must do, and the quick run has neither.
        slow = module in ("pystack3d", "SimpleITK")
        if installed(module) and not (quick and slow):
            bench_aligner(f"{name}, chained", size, align_all, phantom, perfect, slow=slow)
    if not quick:
        ours = lambda stack: estimate_shifts(make_volume(stack), trend="remove").shifts  # noqa: E731 - one of a kind
        bench_aligner("fijibridge align", size, ours, phantom, perfect, slow=True)


def bench_aligner(
    name: str,
    size: str,
    align_all: Callable[[np.ndarray], Shifts],
    phantom: FibsemPhantom,
    perfect: np.ndarray,
    *,
    slow: bool,
) -> None:
    """Measure one method; a slow one on a quarter of the slices, and without the run on the perfect stack."""
    if slow:
        part = slice(len(perfect) // 4, len(perfect) // 2)
        phantom = phantom._replace(
            volume=phantom.volume[part], shifts=phantom.shifts[part], outliers=phantom.outliers[part]
        )
        name, size = f"{name}, second quarter", f"{size}, second quarter"
    stack = phantom.volume.data
    shifts, seconds = measured(lambda: align_all(stack))
    known = {} if slow or name.startswith("pystackreg") else beyond(shifts - align_all(perfect), phantom)
    report(name, size, **errors(shifts, phantom), **known, cpu=(seconds / stack.size * 1e6, "s/Mvoxel"))


def bench_slow_drift(shape: tuple[int, int, int]) -> None:
    phantom = make_fibsem(shape, seed=3, cap=64, defects=replace(Defects(), drift=0.3, jumps=0, trend=20.0))
    size = "x".join(map(str, shape)) + ", slow drift of 20 px, cap of 64 rows"
    print(f"\nSlow drift, {size}")
    found, seconds = measured(lambda: estimate_shifts(phantom.volume, trend="template", region=(0, 48, 0, shape[2])))
    report("fijibridge align, trend=template", size, **errors(found.shifts, phantom),
           cpu=(seconds / phantom.volume.size * 1e6, "s/Mvoxel"))  # fmt: skip


def bench_real_stack() -> None:
    if not FLYEM.is_file():
        print("\nReal stack: not on this machine")
        return
    real = make_volume(tifffile.imread(FLYEM), spacing=(10, 10, 10))
    size = "64x250x250, real, aligned"
    print(f"\nReal FIB-SEM stack, {size}")
    kept = estimate_shifts(real)
    added = np.random.default_rng(0).normal(0, 1, (64, 2))
    added[30:] += [9.6, 7.2]
    found = estimate_shifts(apply_shifts(real, -added))
    left = found.shifts - added - kept.shifts
    fast = left - ndimage.gaussian_filter1d(left, 5, axis=0, mode="nearest")
    report("fijibridge align, trend=keep", size, invented=(np.abs(kept.shifts).max(), "px"),
           kept=(np.ptp(kept.slow, axis=0).max(), "px"), jitter_and_jump=(rms(fast), "px"))  # fmt: skip
    if installed("pystackreg"):
        chained = pystackreg_shifts(real.data)
        report("pystackreg, chained", size, invented=(np.ptp(chained, axis=0).max(), "px"))


# --- decurtaining ------------------------------------------------------------------------------------------------


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


def bench_curtains(shape: tuple[int, int, int], kind: str, *, quick: bool) -> None:
    streaky = make_fibsem(shape, seed=2, defects=replace(STILL, curtain_on=kind))
    free = make_fibsem(shape, seed=2, defects=replace(STILL, curtain=0.0)).volume.data
    noise = rms(free - streaky.clean.data)
    size = "x".join(map(str, shape)) + f", 8 % curtains ({kind})"
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
        ground = make_fibsem(shape, seed=2, defects=replace(STILL, curtain=0.0)).clean.data[sample]
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


# --- what ran ----------------------------------------------------------------------------------------------------


def installed(module: str) -> bool:
    try:
        importlib.import_module("pystripe.core" if module == "pystripe" else module)
    except ImportError:
        return False
    return True


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.processor() or platform.machine()}
    for name in ("fijibridge", "numpy", "scipy", "numba", "PyWavelets", *PEERS):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small stacks, at most a minute")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    options = parser.parse_args()
    quick = options.quick
    if quick:
        bench_alignment((24, 160, 160), 0.06, quick=True)
    else:
        bench_alignment((256, 512, 512), 0.02, quick=False)
        bench_alignment((96, 512, 512), 0.0, quick=False)
    bench_slow_drift((24, 160, 160) if quick else (128, 512, 512))
    bench_real_stack()
    for kind in ("gain",) if quick else ("gain", "offset"):
        bench_curtains((6, 256, 256) if quick else (32, 512, 512), kind, quick=quick)
    print("\n" + ", ".join(f"{name} {version}" for name, version in versions().items()))
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "versions": versions()}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
