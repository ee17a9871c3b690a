"""FIB-SEM preparation against its peers, on stacks whose truth is known; prints tables, and writes JSON on request.

    python benchmarks/fibsem.py [--quick] [--json FILE]
    python benchmarks/fibsem.py --only gain offset --json FILE --join

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
import itertools
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from _fibsem_common import PEERS, installed, measured, report, rms, rows
from _fibsem_curtains import bench_curtains
from _fibsem_memory import bench_memory
from _rows import versions, write_rows
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from fijibridge.ops._align import apply_shifts, estimate_shifts
from fijibridge.phantom.fibsem import Defects, FibsemPhantom, make_fibsem
from fijibridge.volume import make_volume

Shifts = np.ndarray
FLYEM = Path(__file__).resolve().parents[2] / "shared" / "data" / "flyem_fibsem_truth" / "flyem_grey.tif"
#: The tables, each of which may be run by itself.
PARTS = ("alignment", "align-seeds", "unspoilt", "drift", "real", "gain", "offset", "seeds", "memory")


def peak_mb(work: Callable[[], Any]) -> float:
    """Give the peak memory of a run beyond what was there before."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


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


def bench_seeds(shape: tuple[int, int, int], share: float) -> None:
    """Measure ours beside the best peer on other samples, drifts and defects, so that none of them was tuned to."""
    print("\nAlignment, other seeds")
    for seed in (1, 2, 3, 4):
        phantom = make_fibsem(shape, seed=seed, defects=Defects(outliers=share))
        size = "x".join(map(str, shape)) + f", {share:.0%} spoilt slices, seed {seed}"
        stack = phantom.volume.data
        for name, align_all in {
            "fijibridge align, trend=remove": lambda stack: estimate_shifts(make_volume(stack), trend="remove").shifts,
            "scikit-image, plain, chained": lambda stack: skimage_shifts(stack, None),
        }.items():
            shifts, seconds = measured(lambda align_all=align_all, stack=stack: align_all(stack))
            report(name, size, **errors(shifts, phantom), cpu=(seconds / stack.size * 1e6, "s/Mvoxel"))


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small stacks, at most a minute")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--join", action="store_true", help="keep what earlier runs wrote to that file")
    options = parser.parse_args()
    for part in options.only:
        run_part(part, quick=options.quick)
    found = versions("numpy", "scipy", "numba", "PyWavelets", *PEERS)
    print("\n" + ", ".join(f"{name} {version}" for name, version in found.items()))
    write_rows(rows, options.json, found, keep=options.join)


def run_part(part: str, *, quick: bool) -> None:
    if part == "alignment":
        bench_alignment((24, 160, 160) if quick else (256, 512, 512), 0.06 if quick else 0.02, quick=quick)
    elif part == "align-seeds" and not quick:
        bench_seeds((128, 512, 512), 0.02)
    elif part == "unspoilt" and not quick:
        bench_alignment((96, 512, 512), 0.0, quick=False)
    elif part == "drift":
        bench_slow_drift((24, 160, 160) if quick else (128, 512, 512))
    elif part == "real":
        bench_real_stack()
    elif part == "gain" or (part == "offset" and not quick):
        bench_curtains((6, 256, 256) if quick else (32, 512, 512), part, quick=quick)
    elif part == "seeds" and not quick:
        for seed in (2, 3, 4):
            bench_curtains((6, 256, 256), "gain", quick=True, seed=seed)
    elif part == "memory":
        bench_memory((8, 256, 256) if quick else (64, 512, 512))


if __name__ == "__main__":
    main()
