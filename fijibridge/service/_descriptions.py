"""What an operation's docstring says of its parameters, put into their JSON schema: forms show it."""

from __future__ import annotations

from typing import Any

from ..operation import Operation, parameters_told


def described(schema: dict[str, Any], operation: Operation[Any] | None) -> dict[str, Any]:
    """Give the schema with a description for each parameter that the docstring tells of."""
    told = parameters_told(operation.__doc__ or "") if operation is not None else {}
    properties = {
        name: {**entry, "description": _plain(told[name])} if name in told else entry
        for name, entry in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}


def _plain(words: str) -> str:
    """Take the marks of code out of the words."""
    return " ".join(words.replace("``", "").replace("`", "").split())
