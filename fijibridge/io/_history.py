"""The history of a volume (and the origin, where a format has no place for it) as one line of JSON in a file's text."""

from __future__ import annotations

import json
import logging
import re
from typing import Any, NamedTuple

from ..errors import WriteError
from ..volume import Step

_log = logging.getLogger(__name__)
_KEY = "fijibridge="


class Note(NamedTuple):
    """What we wrote into a file beside what its format has room for."""

    history: tuple[Step, ...] = ()
    origin: tuple[float, float, float] | None = None


def to_text(history: tuple[Step, ...], origin: tuple[float, float, float]) -> str:
    """Write the line; it is plain ASCII, so that every format takes it."""
    return _KEY + to_value(history, origin)


def to_value(history: tuple[Step, ...], origin: tuple[float, float, float]) -> str:
    """Write the line without its key, for formats that have keys of their own.

    Raises
    ------
    WriteError : a step that does not go into JSON.
    """
    try:
        return json.dumps({"history": [dict(step) for step in history], "origin": list(origin)})
    except (TypeError, ValueError) as error:
        raise WriteError(
            f"the history does not go into JSON ({error}); record plain numbers, texts and lists"
        ) from error


def from_text(text: str) -> Note:
    """Find our line in a text; an empty note where there is none, or where another program spoilt it."""
    found = re.search(rf"^{_KEY}(.*)$", text, flags=re.MULTILINE)
    return from_value(None if found is None else found[1])


def from_value(value: Any) -> Note:
    """Read what `to_value` wrote; an empty note where there is none, or where another program spoilt it."""
    if value is None:
        return Note()
    try:
        return _note(json.loads(value))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        _log.warning("the history in the file cannot be read and is left out: %s", error)
        return Note()


def _note(content: Any) -> Note:
    steps = content["history"]
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise TypeError("history is not a list of steps")
    z, y, x = (float(value) for value in content["origin"])
    return Note(tuple(steps), (z, y, x))
