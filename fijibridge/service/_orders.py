"""What a worker does for an order; what an order needs is loaded with the first of its kind, which saves seconds."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ._tell import Tell

#: Function by kind of order, and by name for jobs that are no operation of the table.
_PLACES = {
    "about": "_looks:about",
    "picture": "_looks:picture",
    "histogram": "_looks:histogram",
    "open": "_painting:open_session",
    "preview": "_painting:preview",
    "model": "_painting:model",
    "train": "_tasks:train",
    "predict": "_tasks:predict",
    "prepare": "_tasks:prepare",
    "compare": "_tasks:compare",
    "study": "_tasks:study",
}


def perform(order: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Do one order and give its outcome in JSON terms."""
    is_job = order["kind"] == "job"
    module, name = _PLACES.get(order["operation" if is_job else "kind"], "_operate:run_operation").split(":")
    function = getattr(import_module(f".{module}", __package__), name)
    found: dict[str, Any] = function(order, tell) if is_job else function(order)
    return found
