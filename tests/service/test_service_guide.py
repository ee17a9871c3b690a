"""The examples of the service's guide run as they stand, but for the reader's folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "service.md"


def examples(pattern: str, folder: Path) -> list[str]:
    """Give the guide's examples with the reader's home put here."""
    text = GUIDE.read_text(encoding="utf-8").replace("/home/me", str(folder))
    return re.findall(pattern, text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def reader(service, monkeypatch):
    """The reader's folder, below the one that the service may use."""
    folder = service.data / "me"
    folder.mkdir(exist_ok=True)
    shutil.copy(service.data / "grey.tif", folder / "stack.tif")
    shutil.copy(service.data / "labels.tif", folder / "labels.tif")
    monkeypatch.setenv("FIJIBRIDGE_STATE", str(service.state.root))
    return folder


def test_every_python_example_of_the_guide_runs(reader):
    """One after the other, as a reader would paste them."""
    blocks = examples(r"^```python\n(.*?)^```", reader)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"example {number}", "exec"), names)


def test_the_request_of_the_guide_is_answered(service, reader):
    """As it would be typed into a shell."""
    (command,) = examples(r"^    (curl .*?)\n\n", reader)
    environment = {**os.environ, "TOKEN": service.address.token, "PORT": str(service.address.port)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert '"operation":"threshold"' in done.stdout, (done.stdout, done.stderr)
