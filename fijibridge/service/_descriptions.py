"""What an operation's docstring says of its parameters, put into their JSON schema: forms show it."""

from __future__ import annotations

import inspect
import re
from typing import Any

from ..operation import Operation


def described(schema: dict[str, Any], operation: Operation[Any] | None) -> dict[str, Any]:
    """Give the schema with a description for each parameter that the docstring tells of."""
    told = parameters_told(operation.__doc__ or "") if operation is not None else {}
    properties = {
        name: {**entry, "description": told[name]} if name in told else entry
        for name, entry in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}


def parameters_told(docstring: str) -> dict[str, str]:
    """Read the section *Parameters*; one entry may be of several names, and goes on in indented lines."""
    text = inspect.cleandoc(docstring)
    found = re.search(r"^Parameters\n-+\n(.*?)(?:\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    told: dict[str, str] = {}
    for entry in re.split(r"\n(?! )", found[1] if found else ""):
        names, _, words = entry.partition(" : ")
        told |= dict.fromkeys(names.split(", "), _plain(words))
    return told


def _plain(words: str) -> str:
    """Take the marks of code out of the words."""
    return " ".join(words.replace("``", "").replace("`", "").split())
