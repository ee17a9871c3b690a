"""One pool of ImageJ workers for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fijibridge.fiji import Fiji


@pytest.fixture(scope="session")
def fiji() -> Iterator[Fiji]:
    """A pool of one worker of the embedded ImageJ, with a small heap."""
    with Fiji("embedded", workers=1, heap="512m", timeout_s=60) as pool:
        yield pool
