"""What a worker does for an order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ServiceError
from ._looks import about, histogram, picture
from ._operate import Tell, run_operation
from ._painting import OPEN, model, open_session, preview
from ._tasks import LONG

_LOOKS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "about": about,
    "picture": picture,
    "histogram": histogram,
    "open": open_session,
}
_PAINTING: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"preview": preview, "model": model}


def perform(order: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Do one order and give its outcome in JSON terms."""
    kind = order["kind"]
    if kind == "job":
        return LONG.get(order["operation"], run_operation)(order, tell)
    if kind in _LOOKS:
        return _LOOKS[kind](order)
    if not OPEN:
        raise ServiceError("the session has lost its volume; open it again", status=404)
    return _PAINTING[kind](order)
