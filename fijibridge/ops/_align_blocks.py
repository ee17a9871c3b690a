"""`align` block by block: shifts are measured first, going through the slices once; then each moves by itself."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..volume import Volume, history, make_volume
from ._align import Shifts, align, apply_shifts, estimate_shifts
from ._running import told
from .parts import Local, Place, Survey, blank, same_box, some_bytes

Interpolation = Literal["sinc", "nearest"]
_MEASURING = ("model", "trend", "region", "mask", "max_shift", "slow_slices")


@align.blocks("native", divide="z", working=partial(some_bytes, pixel=64))
def _blocks(volume: Volume, *, interpolation: Interpolation, **how: Any) -> Survey:
    """Measuring holds a few slices at a time, so that the volume is gone through as it lies on the disk."""
    yield from ()
    shifts = estimate_shifts(volume, **{name: how[name] for name in _MEASURING}, progress=told())
    given = {"shifts": shifts, "interpolation": interpolation}
    return Local(_recorded(volume, shifts, interpolation), _part_moved, given, same_box)


def _recorded(volume: Volume, shifts: Shifts, interpolation: Interpolation) -> Volume:
    """Give the grid of the result with what `apply_shifts` writes of its shifts, which asks for no voxels."""
    dots = make_volume(np.zeros((volume.shape[0], 1, 1), volume.dtype), history=history(volume))
    moved = apply_shifts(dots, shifts, interpolation=interpolation)
    made = blank(volume, volume.dtype)
    made.attrs = {**made.attrs, "history": history(moved)}
    return made


def _part_moved(part: Volume, place: Place, *, shifts: Shifts, interpolation: Interpolation) -> NDArray[Any]:
    here = {field.name: getattr(shifts, field.name) for field in fields(shifts)}
    own = {name: value[place.inner[0]] for name, value in here.items() if isinstance(value, np.ndarray)}
    return np.asarray(apply_shifts(part, replace(shifts, **own), interpolation=interpolation).data)
