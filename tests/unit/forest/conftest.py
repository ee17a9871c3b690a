"""One painted volume, and one trained forest for all tests that only predict."""

from __future__ import annotations

import pytest
from forest_phantoms import Painted, two_phases

from fijibridge.forest import Forest, train


@pytest.fixture(scope="session")
def painted() -> Painted:
    return two_phases((44, 50, 54))


@pytest.fixture(scope="session")
def forest(painted: Painted) -> Forest:
    return train(painted.volume, painted.labels, trees=30, min_leaf=5)
