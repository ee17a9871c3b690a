"""How a worker tells of a job."""

from __future__ import annotations

from typing import Any, Protocol


class Tell(Protocol):
    """Send news of a job: ``voxels`` (of the input), ``progress`` (0 to 1), ``message``."""

    def __call__(self, **news: Any) -> None:
        """Send them."""
