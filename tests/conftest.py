"""Fixtures that every test folder shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fijibridge import Fiji

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a full Fiji be given."""
    parser.addoption("--fiji", metavar="WHICH", help="a Fiji.app or ImageJ with plugins, or a Maven endpoint")


@pytest.fixture(scope="session")
def full_fiji(request: pytest.FixtureRequest) -> Iterator[Fiji]:
    """A pool of workers of the Fiji that was given; one that does not start fails the tests."""
    which = request.config.getoption("--fiji")
    if which is None:
        pytest.skip("no Fiji was given (--fiji FOLDER)")
    with Fiji(which, workers=1, timeout_s=300) as pool:
        yield pool


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Give the folder of a real data set by name; skip, counted, where it is not on this machine."""

    def find(name: str) -> Path:
        folder = SHARED / name
        if not folder.is_dir():
            pytest.skip(f"real data set {name} is not on this machine")
        return folder

    return find
