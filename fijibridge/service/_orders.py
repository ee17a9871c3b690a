"""What a worker does for an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ServiceError
from ._operate import Tell, run_operation
from ._painting import OPEN, model, open_session, preview
from ._tasks import LONG


def perform(order: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Do one order and give its outcome in JSON terms."""
    kind = order["kind"]
    if kind == "job":
        run = LONG.get(order["operation"], run_operation)
        return run(order, tell)
    if kind == "open":
        return open_session(order)
    if not OPEN:
        raise ServiceError("the session has lost its volume; open it again", status=404)
    return (preview if kind == "preview" else model)(order)
