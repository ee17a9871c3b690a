"""Remove the streaks that ion milling leaves along the beam."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, TypeAlias

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from scipy import fft

from ..errors import ParameterError, VolumeError
from ..io.spill import copied, new_array
from ..operation import Engine, operation
from ..volume import Volume, check_volume, with_data
from . import _fiji as imagej
from ._decurtain_angle import shear
from ._decurtain_fit import Image, fit_streaks
from ._decurtain_plan import Plan, make_plan
from ._decurtain_wavelet import check_wavelet, wavelet_fft
from ._running import told

__all__ = ["Plan", "decurtain", "find_curtains"]

Method = Literal["auto", "robust", "wavelet_fft", "notch"]
Kind = Literal["auto", "gain", "offset"]
Progress: TypeAlias = Callable[[float], None]
#: Gives the streaks of one slice.
Finder: TypeAlias = Callable[[Image], Image]


def find_curtains(volume: Volume, *, angle_deg: float | None = None, kind: Kind = "auto") -> Plan:
    """Find out from a few slices whether there are streaks, how strong, at which angle, and what removal would cost.

    Parameters
    ----------
    volume : (z, y, x) grey volume.
    angle_deg : angle of the streaks to the y axis, -20..20; None = it is estimated.
    kind : ``"gain"``: streaks grow with the brightness beneath; ``"offset"``: they do not; ``"auto"``: it is measured.

    Returns
    -------
    Plan: strength, angle, kind, `removed` and `structure_lost` in grey levels (root mean square).

    Raises
    ------
    VolumeError : slices smaller than 16 x 16 pixels, or voxels that are no numbers.
    """
    _check_slices(volume)
    return make_plan(lambda z: _read(volume, z), volume.shape[0], angle_deg=angle_deg, kind=kind)


@operation(halo=None)
def decurtain(
    volume: Volume,
    *,
    method: Method = "auto",
    strength: Annotated[float, Ge(0), Le(1)] | None = None,
    angle_deg: Annotated[float, Ge(-20), Le(20)] | None = None,
    kind: Kind = "auto",
    wavelet: str = "db10",
    level: Annotated[int, Ge(1)] = 4,
    sigma: Annotated[float, Gt(0)] = 1.0,
    engine: Engine = "native",
) -> Volume:
    """Remove streaks along y ("curtains") that ion milling leaves, and leave a stack without streaks alone.

    ``"robust"`` fits, strip by strip, what long runs of rows agree on in the differences of neighbouring columns;
    edges of the sample do not take part. Angle, strength and kind of the streaks are measured on a few slices against
    directions in which none run. `find_curtains` tells before anything is changed how many grey levels (root mean
    square, in the units of the voxels) of streaks would go, and how many of structure and noise. Each slice is treated
    on its own: tying neighbouring slices together removed less on simulated stacks, since streaks change faster along
    z than noise averages out.

    Parameters
    ----------
    volume : (z, y, x) grey volume; the beam runs along y.
    method : ``"robust"`` or ``"wavelet_fft"`` (the field's standard), on the native engine; ``"notch"`` (in the Fourier
        transform of each slice), on ImageJ; ``"auto"`` = ``"robust"`` or ``"notch"``, as the engine has it.
    strength : share of the streaks that is removed, 0..1; None = measured (``"robust"``).
    angle_deg : angle of the streaks to the y axis; None = measured (``"robust"``), or 0 (``"wavelet_fft"``).
    kind : whether streaks grow with the brightness beneath (``"gain"``: a streak takes the same share of every grey
        level, counted from 0) or not (``"offset"``: the same grey levels everywhere); ``"auto"`` = measured;
        ``"robust"`` only.
    wavelet, level, sigma : of ``"wavelet_fft"``: discrete wavelet, levels, width of the notch in Fourier pixels;
        ``"notch"`` takes `sigma`, rounded, as its half width.

    Returns
    -------
    Volume on the same grid, same dtype and same grey scale (streaks are subtracted, nothing is rescaled); integers are
    rounded half to even.

    Raises
    ------
    VolumeError : slices smaller than 16 x 16 pixels, or voxels that are no numbers.
    ParameterError : a wavelet that does not exist, more levels than the slices allow, a method that the engine lacks,
        or for ``"notch"`` a strength or an angle.

    Engines: native - NumPy, SciPy, numba, PyWavelets; fiji - macros/decurtain.ijm.  Differences: ``"notch"`` removes
    everything in the notch, streak or not, of the same strength in every stack; it takes out less and costs more
    structure than ``"robust"``.
    Blocks: each slice by itself; natively, what is measured on a few slices is measured first.
    Source: unidirectional variation (Bouali and Ladjal 2011) as a robust fit; Muench et al. 2009, Optics Express 17,
    8567, for ``"wavelet_fft"``.
    """


@decurtain.check
def _check(volume: Volume, *, method: Method, strength: float | None, angle_deg: float | None, kind: Kind,
           wavelet: str, level: int, sigma: float) -> None:  # fmt: skip
    _check_slices(volume)
    if method == "wavelet_fft":
        check_wavelet(volume.shape[1], volume.shape[2], wavelet, level)


@decurtain.engine("native")
def _native(volume: Volume, *, method: Method, strength: float | None, angle_deg: float | None, kind: Kind,
            wavelet: str, level: int, sigma: float) -> Volume:  # fmt: skip
    return without(volume, find_streaks(volume, method=method, strength=strength, angle_deg=angle_deg, kind=kind,
                                        wavelet=wavelet, level=level, sigma=sigma))  # fmt: skip


def find_streaks(volume: Volume, *, method: Method, strength: float | None, angle_deg: float | None, kind: Kind,
                 wavelet: str, level: int, sigma: float) -> Finder | None:  # fmt: skip
    """Give what finds the streaks of one slice, on whatever process; None where there are none."""
    if method == "notch":
        raise ParameterError("decurtain has method='notch' in ImageJ only; use engine='fiji', or method='robust'")
    if method == "wavelet_fft":
        share = 1.0 if strength is None else strength
        angle = angle_deg or 0.0
        return partial(_wavelet_streaks, share=share, angle=angle, wavelet=wavelet, level=level, sigma=sigma)
    plan = find_curtains(volume, angle_deg=angle_deg, kind=kind)
    gate = plan.gate if strength is None else _rescale(plan, strength)
    return partial(_streaks, plan=plan, gate=gate) if gate.any() else None


@decurtain.engine("fiji", version=imagej.imagej_version)
def _in_imagej(volume: Volume, *, method: Method, strength: float | None, angle_deg: float | None, kind: Kind,
               wavelet: str, level: int, sigma: float) -> Volume:  # fmt: skip
    if method not in ("auto", "notch"):
        raise ParameterError(f"decurtain has no method={method!r} in ImageJ; use engine='native', or method='notch'")
    if strength not in (None, 1.0) or angle_deg not in (None, 0.0):
        raise ParameterError("the notch in ImageJ has no strength and no angle; use engine='native'")
    if not np.isfinite(np.asarray(volume.data)).all():
        raise VolumeError("decurtain needs numbers everywhere, but some voxels are none; fill or crop them first")
    done = imagej.run("decurtain.ijm", volume, width=max(1, round(sigma)), keep=12)
    return with_data(volume, np.asarray(done.image.data))


def _rescale(plan: Plan, strength: float) -> NDArray[np.float64]:
    return plan.gate * (strength / plan.strength) if plan.strength > 0 else np.full(len(plan.gate), strength)


def _streaks(image: Image, plan: Plan, gate: NDArray[np.float64]) -> Image:
    """Give the streaks of one slice, of each width as much as the plan says."""
    upright = shear(image, plan.angle_deg)
    fitted = fit_streaks(upright, plan.noise, gain=plan.kind == "gain")
    strips = fitted.strips
    # Frequencies of a finite row repeat: mirror it so that its ends meet.
    mirrored = np.concatenate([strips, strips[:, ::-1]], axis=1)
    frequencies = mirrored.shape[1] // 2 + 1
    share = np.interp(np.linspace(0, 1, frequencies), np.linspace(0, 1, len(gate)), gate).astype(np.float32)
    kept = fft.irfft(fft.rfft(mirrored, axis=1) * share, mirrored.shape[1], axis=1)[:, : strips.shape[1]]
    return shear(fitted.spread(np.asarray(kept, np.float32)), plan.angle_deg, back=True)


def _wavelet_streaks(image: Image, *, share: float, angle: float, wavelet: str, level: int, sigma: float) -> Image:
    upright = shear(image, angle)
    return share * shear(upright - wavelet_fft(upright, wavelet, level, sigma), angle, back=True)


def without(volume: Volume, find: Finder | None, *, first: int = 0) -> Volume:
    """Take what `find` finds out of every slice, in the dtype of the volume, which begins with slice `first`."""
    if find is None:
        return with_data(volume, copied(volume.data))
    result, tell = new_array(volume.shape, volume.dtype), told()
    for z in range(volume.shape[0]):
        image = _read(volume, z, first)
        clean = image - find(image)
        if volume.dtype.kind in "iu":
            limits = np.iinfo(volume.dtype)
            clean = np.clip(np.rint(clean), limits.min, limits.max)
        result[z] = clean
        tell((z + 1) / volume.shape[0])
    return with_data(volume, result)


def _read(volume: Volume, z: int, first: int = 0) -> Image:
    image = np.asarray(volume.data[z], np.float32)
    if not np.isfinite(image).all():
        raise VolumeError(
            f"decurtain needs numbers everywhere, but slice {first + z} holds {int((~np.isfinite(image)).sum())} that "
            "are none; fill or crop them first"
        )
    return image


def _check_slices(volume: Volume) -> None:
    check_volume(volume)
    if min(volume.shape[1:]) < 16:
        raise VolumeError(
            f"decurtain needs slices of 16 x 16 pixels or more, got {volume.shape[1]} x {volume.shape[2]}"
        )
    if volume.dtype.kind == "b":
        raise ParameterError("decurtain needs grey levels, got a mask; use the grey volume")
