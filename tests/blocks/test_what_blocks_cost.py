"""Each operation says how it goes block by block, and reads each voxel about as often as its passes ask for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calls import CALLS, CHUNK, cut_small, in_enough, note_plans, stack_for

import fijibridge as fb
from fijibridge.blocks import BlockPlan, _source, apply_blocks, plan_blocks
from fijibridge.errors import ParameterError
from fijibridge.operation import operations
from fijibridge.volume import Volume

#: What the operations need to be asked for at all.
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("threshold", {"method": "fixed", "value": 1.0}),
    ("register", {"reference": fb.make_volume(np.zeros((9, 9, 9), np.uint8), spacing=(1, 1, 1))}),
]


def accepted(name: str, engine: str) -> bool:
    """Tell whether any call of an operation is let through on an engine."""
    calls = [given for called, given in (*(call[:2] for call in CALLS), *OTHERS) if called == name]
    assert calls, f"no call of {name} is known here"
    for given in calls:
        try:
            plan_blocks(name, (9, 40, 40), "uint8", engine=engine, memory=10**9, **given)
        except ParameterError:
            continue
        return True
    return False


@pytest.mark.parametrize("name", sorted(operations()))
def test_an_operation_says_how_it_goes_block_by_block(name: str) -> None:
    """Its docstring has a line *Blocks*: none, natively (only), or how; and that is what happens."""
    found = operations()[name]
    said = re.search(r"^ *Blocks: (\w+)", found.__doc__ or "", re.MULTILINE)
    assert said, f"{name} does not say how it goes block by block"
    told = {"none": (), "natively": ("native",)}.get(said[1], found.engines)
    assert tuple(engine for engine in found.engines if accepted(name, engine)) == told


class Counted:
    """Voxels in memory that count how many of them are read, and how often each chunk of 3 x 8 x 16 is unpacked."""

    def __init__(self, data: Any) -> None:
        self.data, self.shape, self.dtype, self.voxels = data, data.shape, data.dtype, 0
        self.unpacked = np.zeros([-(-size // part) for size, part in zip(data.shape, CHUNK, strict=True)], np.int64)

    def __getitem__(self, key: Any) -> Any:
        found = self.data[key]
        self.voxels += found.size
        keys = (*(key if isinstance(key, tuple) else (key,)), slice(None), slice(None))
        spans = [slice(part, part + 1) if isinstance(part, int | np.integer) else part for part in keys[:3]]
        ends = [span.indices(size) for span, size in zip(spans, self.shape, strict=True)]
        self.unpacked[tuple(slice(a // part, -(-b // part)) for (a, b, _), part in zip(ends, CHUNK, strict=True))] += 1
        return found


#: How often a volume is gone through, where more than once: to look at all of it first, or (`decurtain`) at a few
#: slices, whose chunks are all of a stack as thin as this.
PASSES = {"threshold": 2, "even_out": 2, "crop": 2, "watershed": 2, "align": 2, "fill_pores": 2, "decurtain": 2}


def gone_through(plan: BlockPlan, parts: tuple[int, int, int] = (1, 1, 1)) -> float:
    """Give how often a volume is read by a plan, halos counted; or unpacked, where it lies in chunks of `parts`."""
    read = 1.0
    for size, block, more, part in zip(plan.shape, plan.block, plan.reach, parts, strict=True):
        spans = [(max(a - more, 0), min(a + block + more, size)) for a in range(0, size, block)]
        read *= sum(-(-b // part) - a // part for a, b in spans) / -(-size // part)
    return read


@pytest.mark.parametrize(("name", "parameters", "least"), CALLS, ids=lambda value: str(value)[:40])
def test_voxels_are_read_as_often_as_the_plan_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, parameters: dict[str, Any], least: int
) -> None:
    """Once for each look and once for the result, with what lies around the blocks: nothing reads behind its back."""
    cut_small(monkeypatch)
    plans = note_plans(monkeypatch)
    volume = stack_for(name, (12, 64, 64), "uint16", 5)
    data = Counted(volume.data)
    chunked = replace(_source.source_of(volume), depth=CHUNK[0]).open()
    memory = plan_blocks(name, (12, 64, 64), volume.dtype, memory=10**9, **parameters).bytes // 2
    monkeypatch.setattr(_source._Held, "open", lambda _self: data)

    def run(room: int) -> Volume:
        data.voxels, data.unpacked[:] = 0, 0
        return apply_blocks(
            name, chunked, tmp_path / "made.zarr", memory=room, key="known", coarser=False, **parameters
        )

    in_enough(memory, run)
    plan, passes = plans[-1], PASSES.get(name, 1)
    assert plan.count > 1 or "box" in parameters
    # A spline reaches over many slices, which are all of a stack as thin as this.
    splines = plan.count if name == "resample" else 0
    assert data.voxels / volume.size <= passes * (1 if plan.shape != volume.shape else gone_through(plan)) + splines
    if plan.shape == volume.shape:
        assert data.unpacked.mean() <= passes * gone_through(plan, CHUNK)


@pytest.mark.parametrize(
    ("shape", "memory", "sigma", "voxels", "chunks"),
    [
        ((2000, 8000, 8000), 4_000_000_000, 1.1, 1.15, 2.6),
        ((2000, 8000, 8000), 1_000_000_000, 3.0, 1.35, 5.0),
        ((1000, 2000, 2000), 1_000_000_000, 3.0, 1.30, 4.0),
        ((512, 512, 512), 2_000_000_000, 1.1, 1.10, 1.5),
    ],
)
def test_blocks_are_cut_so_that_little_is_read_and_unpacked_again(
    shape: tuple[int, int, int], memory: int, sigma: float, voxels: float, chunks: float
) -> None:
    """A halo of few voxels unpacks whole chunks of 32 x 256 x 256 beside the block: long thin blocks would be dear."""
    plan = plan_blocks("smooth", shape, "uint8", memory=memory, sigma=sigma)
    assert plan.bytes <= memory
    assert gone_through(plan) <= voxels
    assert gone_through(plan, (32, 256, 256)) <= chunks
