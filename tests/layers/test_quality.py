"""The code keeps its own rules: lint, format, types and which room may import which."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> str:
    return str(Path(sys.executable).parent / name)


@pytest.mark.parametrize(
    "command",
    [
        [script("ruff"), "check", "."],
        [script("ruff"), "format", "--check", "."],
        [script("mypy")],
        [script("lint-imports"), "--no-cache"],
    ],
    ids=["lint", "format", "types", "imports"],
)
def test_code_keeps_its_rules(command):
    """One test command runs them all, so that a change cannot pass with half of them."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
