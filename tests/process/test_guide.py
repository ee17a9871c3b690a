"""The guide's examples run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "fiji-from-python.md"


def test_every_example_of_the_guide_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as a reader would paste them."""
    monkeypatch.setenv("FIJIBRIDGE_HEAP", "256m")
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 7
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"example {number}", "exec"), names)
