"""Calls of all operations that go block by block, volumes for them, and blocks small enough for these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import fijibridge as fb
from fijibridge.blocks import BlockPlan, _plan, _task
from fijibridge.errors import ParameterError
from fijibridge.volume import Volume

CHUNK = (3, 8, 16)
#: Calls of every operation and method that goes block by block, with the least slice that it takes.
CALLS: list[tuple[str, dict[str, Any], int]] = [
    ("smooth", {"sigma": 0.4}, 1),
    ("smooth", {"sigma": 1.3, "truncate": 3.0}, 1),
    ("threshold", {"method": "fixed", "value": 120.0}, 1),
    ("threshold", {"method": "otsu"}, 1),
    ("threshold", {"method": "mean"}, 1),
    ("even_out", {"reference": "middle"}, 3),
    ("even_out", {"gradient_share": 0.5}, 9),
    ("crop", {}, 8),
    ("crop", {"box": (0, 1, 1, 9, 2, 20)}, 20),
    ("shear", {"angle_deg": 70.0}, 9),
    ("shear", {"angle_deg": 80.0, "nearest": True}, 1),
    ("shear", {"shift": False}, 1),
    ("watershed", {"low": 100.0, "high": 140.0, "flood": "slices"}, 6),
    ("decurtain", {"method": "wavelet_fft", "wavelet": "db2", "level": 1}, 16),
    ("decurtain", {"strength": 0.7, "kind": "offset"}, 24),
    ("resample", {}, 1),
    ("resample", {"size": (90.0, 12.0, 25.0)}, 1),
    ("resample", {"size": (30.0, 12.0, 25.0), "labels": True}, 1),
    ("align", {}, 24),
    ("align", {"trend": "remove", "interpolation": "nearest"}, 24),
    ("fill_pores", {"phase": 1}, 1),
    ("fill_pores", {"phase": 1, "largest": 4}, 1),
]


def cut_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Volumes of a test are small, so chunks must be; and the memory that is no block's would be all of it."""
    monkeypatch.setattr(_plan, "CHUNK", CHUNK)
    monkeypatch.setattr(_plan, "_BESIDE", 0)


def note_plans(monkeypatch: pytest.MonkeyPatch) -> list[BlockPlan]:
    """Give a list that the plans go into which are made from now on; the last one of a run is that of its result."""
    made: list[BlockPlan] = []

    def noted(*given: Any, **how: Any) -> BlockPlan:
        made.append(_plan.make_plan(*given, **how))
        return made[-1]

    monkeypatch.setattr(_task, "make_plan", noted)
    return made


def in_enough(memory: int, run: Callable[[int], Volume]) -> Volume:
    """Run within a memory; where slices that cannot be divided do not fit, within what a single one needs."""
    before, needs = _plan.Cutting.smallest, [max(memory, 1)]

    def noted(cutting: _plan.Cutting, room: int) -> tuple[int, int, int] | None:
        z, y, x = (1 if letter in cutting.divide else size
                   for letter, size in zip("zyx", cutting.shape, strict=True))  # fmt: skip
        needs.append(max(needs[-1], cutting.bytes_of((z, y, x))))
        return before(cutting, room)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_plan.Cutting, "smallest", noted)
        while True:
            room = needs[-1]
            try:
                return run(room)
            except ParameterError:
                if needs[-1] == room:
                    raise


def grainy(shape: tuple[int, int, int], dtype: str, seed: int) -> Volume:
    """Give two phases with noise, streaks and an empty rim, a voxel size, an origin and a past."""
    rng = np.random.default_rng(seed)
    grey = 120 + 200 * ndimage.gaussian_filter(rng.normal(0, 1, shape), 1.0) + rng.normal(0, 3, shape)
    data = np.clip(grey + rng.normal(0, 4, (1, 1, shape[2])), 1, 255).astype(dtype)
    if min(shape[1:]) > 8:
        data[:, :2] = 0
    return fb.make_volume(data, spacing=(50, 10, 12.5), origin=(3, 4, 5), history=({"operation": "acquire"},))


def stack_for(name: str, shape: tuple[int, int, int], dtype: str, seed: int) -> Volume:
    """Give what the operation takes: labels with pores, or grey levels."""
    volume = grainy(shape, dtype, seed)
    return fb.with_data(volume, (volume.data > 110).astype(np.uint8)) if name == "fill_pores" else volume
