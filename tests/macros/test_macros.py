"""Every macro runs in a real ImageJ, on the kinds of image that users have, and is told of in the README."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fijibridge.fiji import current
from fijibridge.volume import make_volume

ROOT = Path(__file__).resolve().parents[2]
MACROS = sorted(path.name for path in (ROOT / "macros").glob("*.ijm"))
#: Options with which a macro runs on a stack of grey levels from 0 to 255.
OPTIONS = {
    "align.ijm": {"trend": "remove"},
    "crop.ijm": {"x0": 0},
    "decurtain.ijm": {"width": 1, "keep": 12},
    "even_out.ijm": {"reference": "stack"},
    "resample.ijm": {"labels": False},
    "shear.ijm": {"step": 0.0},
    "smooth.ijm": {"sigma": 1.1},
    "threshold.ijm": {"method": "otsu"},
    "watershed.ijm": {"low": 80, "high": 160},
}


@pytest.mark.parametrize("macro", MACROS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("slices", [1, 3])
def test_macro_runs_on_every_kind_of_stack_and_leaves_its_size(macro, dtype, slices):
    """A single slice and a stack, 8-bit, 16-bit and 32-bit; the result has the same shape."""
    grey = np.random.default_rng(0).integers(0, 256, (slices, 40, 50)).astype(dtype)
    result = current().run_macro(macro, make_volume(grey, spacing=(20, 10, 10)), **OPTIONS[macro])
    assert result.image.shape == grey.shape


@pytest.mark.parametrize("macro", MACROS)
def test_macro_is_told_of_in_the_readme(macro):
    """A macro that nobody reads of is not there."""
    assert f"macros/{macro}" in (ROOT / "README.md").read_text(encoding="utf-8")
