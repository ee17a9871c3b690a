"""The engines that every claim about an operation is made of."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["native", "fiji"])
def engine(request: pytest.FixtureRequest) -> str:
    """Give each engine in turn."""
    return str(request.param)
