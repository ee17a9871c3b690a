"""Align the slices of a stack: measure shifts against several neighbours, decide what is drift, apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from ..errors import EngineFailedError, EngineMissingError, ParameterError, VolumeError
from ..io.spill import new_array
from ..operation import Engine, operation
from ..volume import Volume, check_same_grid, check_volume, record, with_data
from . import _fiji as imagej
from ._align_apply import move_slice
from ._align_chain import solve_stack
from ._align_linear import measure_turns
from ._align_path import slow_part
from ._align_shifts import Shifts, read_shifts, write_shifts
from ._align_template import check_region, solve_template
from ._align_warp import warp_slice
from ._running import told

__all__ = ["Shifts", "align", "apply_shifts", "estimate_shifts", "read_shifts", "write_shifts"]

Trend = Literal["keep", "template", "remove"]
Model = Literal["translation", "rigid", "affine"]
Method = Literal["auto", "correlation", "stackreg", "sift"]
Region: TypeAlias = tuple[int, int, int, int]
Progress: TypeAlias = Callable[[float], None]
#: What a user must put into ImageJ's plugins folder.
_PLUGINS = {"stackreg": "the plugins StackReg and TurboReg", "sift": "the plugin mpicbg (of Fiji)"}


def estimate_shifts(
    volume: Volume,
    *,
    model: Model = "translation",
    trend: Trend = "keep",
    region: Region | None = None,
    mask: Volume | None = None,
    max_shift: float | None = None,
    slow_slices: float = 30.0,
    progress: Progress | None = None,
) -> Shifts:
    """Measure by how much each slice must be moved (parts of a pixel), and turned where asked, to align a stack.

    Neighbouring slices alone cannot tell slow drift from slanted structure: a fibre that runs obliquely through the
    stack moves from slice to slice just as drift would make it. What is taken for drift is therefore a choice:

    - ``"keep"`` removes jitter and jumps and keeps slow movement. The default: microscopes correct slow drift while
      they acquire, so what is left is fast, and true structure is never straightened. `Shifts.slow` tells what was
      kept.
    - ``"template"`` removes all movement of `region`, a part that is fixed by construction (protective cap, trench
      edge, fiducial). The only choice that is right for slow drift as well.
    - ``"remove"`` removes all that was measured. Right for instruments that drift slowly, on structure without a
      preferred slant; otherwise it straightens the structure.

    The same holds of turns: from slice to slice they are found to some hundredths of a pixel at the rim, over many
    slices true structure that twists cannot be told from them. `trend` treats them like movement.

    Parameters
    ----------
    volume : (z, y, x) grey volume of two or more slices; pixels that are not finite count for nothing.
    model : what a slice may have undergone: ``"translation"``, ``"rigid"`` (and a turn, of a few degrees), or
        ``"affine"`` (and stretch and shear, of a few percent). More freedom follows the structure more closely, and so
        invents more: take the least that the instrument needs, which is translation on nearly all.
    trend : what is done with slow movement.
    region : (y0, y1, x0, x1) in voxels, for ``trend="template"``.
    mask : bool volume on the same grid; only voxels that are True are looked at.
    max_shift : largest movement from one slice to the next in voxels; None = a quarter of the shorter side.
    slow_slices : with ``trend="keep"``, movement over more slices than this is slow; > 2.
    progress : called with the share done, 0..1.

    Returns
    -------
    Shifts.

    Raises
    ------
    VolumeError : fewer than two slices, or a mask on another grid.
    ParameterError : a region that is missing, outside or cannot fix both axes; a maximum shift beyond half the slice;
        ``"affine"`` with a template, whose region is too small for it; turns of slices below 96 x 96 pixels.

    Source: iteratively reweighted least squares over many pairs; Lucas and Kanade 1981 with gradients of both images.
    """
    reach = _check(volume, trend, region, mask, max_shift, model=model)
    if slow_slices <= 2:
        raise ParameterError(f"slow_slices must be above 2, got {slow_slices}")
    how = _How(trend, region, reach, slow_slices)
    slices = _slices(volume, mask, region if trend == "template" else None)
    if model == "translation":
        return _translations(slices, how, progress)
    tell = progress or (lambda _share: None)
    rough = _translations(slices, how, lambda share: tell(0.25 * share))
    # Content lies where the shifts do not bring it back to; what trend keeps is part of that.
    turned = measure_turns(
        slices.read, rough.slow - rough.shifts, model=model, slow_slices=slow_slices if trend == "keep" else None,
        weigh=slices.weigh, progress=lambda share: tell(0.25 + 0.5 * share),
    )  # fmt: skip
    matrices = turned.corrections()
    found = _translations(_upright(slices, matrices), how, lambda share: tell(0.75 + 0.25 * share))
    return replace(
        found,
        residual=np.maximum(found.residual, turned.residual),
        outliers=found.outliers | turned.outliers,
        matrices=matrices,
    )


def apply_shifts(
    volume: Volume,
    shifts: Shifts | NDArray[np.float64],
    *,
    interpolation: Literal["sinc", "nearest"] = "sinc",
    empty: float = 0.0,
    progress: Progress | None = None,
) -> Volume:
    """Move each slice by its shift, and turn it first where the shifts say so.

    Parameters
    ----------
    volume : (z, y, x) volume of any dtype.
    shifts : Shifts, or an (n, 2) array of voxels (y, x) to move each slice by.
    interpolation : ``"sinc"`` (8 taps, keeps edges and noise; integers are rounded half to even), or ``"nearest"``
        for labels; masks always take the nearest voxel.
    empty : value of voxels whose place lies outside the slice; `crop` finds them.
    progress : called with the share done, 0..1.

    Returns
    -------
    Volume on the same grid, same dtype, the shifts written into its history.

    Raises
    ------
    VolumeError : there are not as many shifts as slices.
    """
    check_volume(volume)
    moves = np.asarray(shifts.shifts if isinstance(shifts, Shifts) else shifts, float)
    if moves.shape != (volume.shape[0], 2) or not np.isfinite(moves).all():
        raise VolumeError(
            f"{volume.shape[0]} slices need finite shifts of shape ({volume.shape[0]}, 2), got {moves.shape}; "
            "estimate them on this volume"
        )
    nearest = interpolation == "nearest" or volume.dtype.kind == "b"
    matrices = shifts.matrices if isinstance(shifts, Shifts) else None
    moved = new_array(volume.shape, volume.dtype)
    for z, (y, x) in enumerate(moves):
        image, move = np.asarray(volume.data[z]), (float(y), float(x))
        if matrices is None:
            moved[z] = move_slice(image, move, nearest=nearest, empty=empty)
        else:
            moved[z] = warp_slice(image, matrices[z], move, nearest=nearest, empty=empty)
        if progress:
            progress((z + 1) / len(moves))
    told = shifts.as_json() if isinstance(shifts, Shifts) else {"shifts": moves.round(4).tolist()}
    parameters: dict[str, Any] = {**told, "interpolation": interpolation, "empty": empty}
    step = {"operation": "apply_shifts", "engine": "native", "version": "", "parameters": parameters}
    return record(with_data(volume, moved), step)


@operation(halo=None)
def align(
    volume: Volume,
    *,
    model: Model = "translation",
    trend: Trend = "keep",
    region: Region | None = None,
    mask: Volume | None = None,
    max_shift: Annotated[float, Gt(0)] | None = None,
    slow_slices: Annotated[float, Gt(2)] = 30.0,
    interpolation: Literal["sinc", "nearest"] = "sinc",
    method: Method = "auto",
    engine: Engine = "native",
) -> Volume:
    """Align the slices of a stack; `estimate_shifts` and `apply_shifts` in one step.

    Neighbouring slices alone cannot tell slow drift from slanted structure; `trend` says what is done about it (see
    `estimate_shifts`, which also reports shifts, confidence, residual and spoilt slices).

    Parameters
    ----------
    volume : (z, y, x) grey volume of two or more slices.
    model : ``"translation"``, ``"rigid"`` (turns as well) or ``"affine"`` (stretch and shear as well); the least that
        the instrument needs, since more freedom invents more.
    trend : ``"keep"`` removes jitter and jumps and keeps slow movement; ``"template"`` removes all movement of
        `region`; ``"remove"`` removes all that was measured.
    region : (y0, y1, x0, x1) in voxels, fixed by construction, for ``trend="template"``.
    mask : bool volume on the same grid; only voxels that are True are looked at.
    max_shift : largest movement from one slice to the next in voxels; None = a quarter of the shorter side.
    slow_slices : with ``trend="keep"``, movement over more slices than this is slow.
    interpolation : ``"sinc"`` for grey levels, ``"nearest"`` for labels.
    method : on ImageJ: ``"correlation"`` (by FFT, in any ImageJ; translation only), or a plugin that this ImageJ must
        have: ``"stackreg"`` (StackReg with TurboReg) or ``"sift"`` (*Linear Stack Alignment with SIFT*), with
        ``trend="remove"`` only; ``"auto"`` = ``"correlation"`` for translation, ``"stackreg"`` for turns. The native
        engine has one method and takes ``"auto"`` only.

    Returns
    -------
    Volume on the same grid, same dtype; voxels whose place lies outside a slice are 0 (`crop` cuts them off).

    Raises
    ------
    VolumeError, ParameterError : see `estimate_shifts`; a method that the engine lacks; on the engine ``fiji`` also a
        mask or ``"nearest"``, and plugins with another trend than ``"remove"``.
    EngineMissingError : a method whose plugin the ImageJ has not.

    Engines: native - as `estimate_shifts`; fiji - macros/align.ijm (FFT correlation, bicubic *Translate*; or a plugin).
    Differences: the Fiji engine compares each slice with the one before only (``"template"``: with the first), so that
    a spoilt slice moves all that follow; its slow part is a running mean; on good slices both agree to 0.5 px.
    Blocks: natively; shifts are measured first, going through the slices in order, then each slice moves by itself.
    """


@align.check
def _check_align(volume: Volume, *, model: Model, trend: Trend, region: Region | None,
                 mask: Volume | None, max_shift: float | None,
                 slow_slices: float, interpolation: str, method: str) -> None:  # fmt: skip
    _check(volume, trend, region, mask, max_shift, model=model)


@align.engine("native")
def _native(volume: Volume, *, model: Model, trend: Trend, region: Region | None,
            mask: Volume | None, max_shift: float | None,
            slow_slices: float, interpolation: Literal["sinc", "nearest"], method: Method) -> Volume:  # fmt: skip
    if method != "auto":
        raise ParameterError(f"align has method={method!r} in ImageJ only; use engine='fiji', or method='auto'")
    shifts = estimate_shifts(
        volume, model=model, trend=trend, region=region, mask=mask, max_shift=max_shift, slow_slices=slow_slices,
        progress=told(0.0, 0.7),
    )  # fmt: skip
    return apply_shifts(volume, shifts, interpolation=interpolation, progress=told(0.7, 1.0))


@align.engine("fiji", version=imagej.imagej_version)
def _in_imagej(volume: Volume, *, model: Model, trend: Trend, region: Region | None,
               mask: Volume | None, max_shift: float | None,
               slow_slices: float, interpolation: Literal["sinc", "nearest"], method: Method) -> Volume:  # fmt: skip
    if mask is not None or interpolation == "nearest":
        raise ParameterError("align in ImageJ takes no mask and no interpolation='nearest'; use engine='native'")
    method = _imagej_method(method, model, trend)
    reach = _check(volume, trend, region, mask, max_shift, model=model)
    options: dict[str, str | float] = {
        "method": method, "model": model, "trend": trend, "maxshift": reach, "slow": slow_slices,
    }  # fmt: skip
    if trend == "template" and region is not None:
        options["region"] = " ".join(str(edge) for edge in region)
    try:
        done = imagej.run("align.ijm", volume, **options)
    except EngineFailedError as error:
        if method == "correlation" or "ImageJ has no" not in str(error):
            raise
        raise EngineMissingError(
            f"align with method={method!r} in ImageJ needs {_PLUGINS[method]}, which this ImageJ has not; put it into "
            "its plugins folder, or use engine='native'"
        ) from error
    return with_data(volume, np.asarray(done.image.data))


def _imagej_method(method: Method, model: str, trend: str) -> Method:
    """Give the method that ImageJ is to use, if it can do what is asked."""
    if method == "auto":
        method = "correlation" if model == "translation" else "stackreg"
    if method == "correlation" and model != "translation":
        raise ParameterError(f"correlation finds no turns (model={model!r}); use method='stackreg' or 'sift'")
    if method != "correlation" and trend != "remove":
        raise ParameterError(
            f"method={method!r} removes all that it finds, not trend={trend!r}; use trend='remove' or engine='native'"
        )
    return method


class _How(NamedTuple):
    """What is taken for drift."""

    trend: Trend
    region: Region | None
    reach: float
    slow_slices: float


class _Slices(NamedTuple):
    """A stack slice by slice, and which pixels of each count (None = all)."""

    shape: tuple[int, ...]
    read: Callable[[int], NDArray[Any]]
    weigh: Callable[[int], NDArray[np.bool_] | None]


def _slices(volume: Volume, mask: Volume | None, region: Region | None) -> _Slices:
    inside = None
    if region is not None:
        inside = np.zeros(volume.shape[1:], np.bool_)
        inside[region[0] : region[1], region[2] : region[3]] = True

    def weigh(z: int) -> NDArray[np.bool_] | None:
        return inside if mask is None else np.asarray(mask.data[z]) > 0

    return _Slices(volume.shape, lambda z: np.asarray(volume.data[z]), weigh)


def _upright(slices: _Slices, matrices: NDArray[np.float64]) -> _Slices:
    """Give the same slices with their turns undone, for measuring: the last pixel goes on beyond the rim."""

    def read(z: int) -> NDArray[Any]:
        return warp_slice(slices.read(z).astype(np.float32), matrices[z], (0.0, 0.0), nearest=False, empty=None)

    def weigh(z: int) -> NDArray[np.bool_] | None:
        valid = slices.weigh(z)
        return None if valid is None else warp_slice(valid, matrices[z], (0.0, 0.0), nearest=True, empty=0.0)

    return _Slices(slices.shape, read, weigh)


def _translations(slices: _Slices, how: _How, progress: Progress | None) -> Shifts:
    if how.trend == "template":
        box = check_region(how.region, slices.shape[1], slices.shape[2])
        solution = solve_template(slices.read, slices.shape[0], box, slices.shape[1])
    else:
        solution = solve_stack(slices.shape, slices.read, slices.weigh, how.reach, progress)
    slow = np.zeros_like(solution.path)
    if how.trend == "keep":
        slow = slow_part(solution.path, solution.outliers, how.slow_slices)
    return Shifts(slow - solution.path, solution.confidence, solution.residual, solution.outliers, slow)


def _check(
    volume: Volume, trend: str, region: Region | None, mask: Volume | None, max_shift: float | None, *, model: str
) -> float:
    """Refuse what cannot be aligned; give the largest movement between neighbours in voxels."""
    check_volume(volume)
    if volume.shape[0] < 2:
        raise VolumeError("aligning needs two or more slices, got one; read the whole stack")
    side = min(volume.shape[1:])
    if side < 16:
        raise VolumeError(f"aligning needs slices of 16 x 16 pixels or more, got {volume.shape[1]} x {volume.shape[2]}")
    if trend not in ("keep", "template", "remove"):
        raise ParameterError(f"trend must be 'keep', 'template' or 'remove', got {trend!r}")
    _check_model(model, trend, side)
    if trend == "template":
        check_region(region, volume.shape[1], volume.shape[2])
    if mask is not None:
        check_same_grid(volume, mask, names=("volume", "mask"))
    reach = side / 4 if max_shift is None else max_shift
    if not 0 < reach <= side / 2:
        raise ParameterError(f"max_shift must lie in 0..{side // 2} (half the shorter side), got {max_shift}")
    return reach


def _check_model(model: str, trend: str, side: int) -> None:
    if model not in ("translation", "rigid", "affine"):
        raise ParameterError(f"model must be 'translation', 'rigid' or 'affine', got {model!r}")
    if model != "translation" and side < 96:
        raise ParameterError(f"turns need slices of 96 x 96 pixels or more, got {side}; use model='translation'")
    if model == "affine" and trend == "template":
        raise ParameterError("a template region is too small for model='affine'; use model='rigid'")
