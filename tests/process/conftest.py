"""One pool of ImageJ workers for all tests of a run, and one whose plugins misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from plugins import compile_plugins

from fijibridge.fiji import Fiji


@pytest.fixture(scope="session")
def fiji() -> Iterator[Fiji]:
    """A pool of one worker of the embedded ImageJ, with a small heap."""
    with Fiji("embedded", workers=1, heap="512m", timeout_s=60) as pool:
        yield pool


@pytest.fixture(scope="session")
def bad_plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of plugins that crash, hang and fill the memory."""
    return compile_plugins(tmp_path_factory.mktemp("bad") / "plugins")


@pytest.fixture(scope="session")
def reckless(bad_plugins: Path) -> Iterator[Fiji]:
    """A pool of two workers with those plugins."""
    with Fiji("embedded", workers=2, heap="128m", timeout_s=30, plugins=bad_plugins) as pool:
        yield pool
