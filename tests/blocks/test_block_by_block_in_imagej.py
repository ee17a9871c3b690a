"""What ImageJ makes of a stack block by block is what it makes of the whole, wherever blocks are let through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import fijibridge as fb
from fijibridge.blocks import apply_blocks
from fijibridge.operation import operations
from fijibridge.volume import Volume, history

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("smooth", {"sigma": 1.2}),
    ("threshold", {"method": "fixed", "value": 120.0}),
    ("crop", {"box": (1, 9, 3, 30, 4, 44)}),
    ("decurtain", {}),
]


@pytest.fixture(scope="module")
def stack() -> Volume:
    """Give two phases with noise."""
    rng = np.random.default_rng(4)
    grey = 120 + 200 * ndimage.gaussian_filter(rng.normal(0, 1, (10, 40, 52)), 1.2) + rng.normal(0, 3, (10, 40, 52))
    return fb.make_volume(np.clip(grey, 0, 255).astype(np.uint8), spacing=(50, 10, 12.5))


@pytest.mark.parametrize(("name", "parameters"), CALLS)
def test_imagej_gives_the_same_by_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: Volume, name: str, parameters: dict[str, Any]
) -> None:
    """To the last bit, with one step in the history that names the same ImageJ."""
    monkeypatch.setattr("fijibridge.blocks._plan.CHUNK", (3, 32, 32))
    monkeypatch.setattr("fijibridge.blocks._plan._BESIDE", 0)
    made = apply_blocks(name, stack, tmp_path / "made.zarr", engine="fiji", memory=550_000, **parameters)
    whole = operations()[name](stack, engine="fiji", **parameters)
    np.testing.assert_array_equal(np.asarray(made.data), np.asarray(whole.data))
    assert history(made) == history(whole)
