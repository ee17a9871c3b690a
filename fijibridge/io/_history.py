"""The history of a volume (and the origin, where a format has no place for it) as one line of JSON in a file's text."""

from __future__ import annotations

import json
import logging
import re
from typing import Any, NamedTuple

from ..volume import Step

_log = logging.getLogger(__name__)
_KEY = "fijibridge="


class Note(NamedTuple):
    """What we wrote into a file beside what its format has room for."""

    history: tuple[Step, ...] = ()
    origin: tuple[float, float, float] | None = None


def to_text(history: tuple[Step, ...], origin: tuple[float, float, float]) -> str:
    """Write the line; it is plain ASCII, so that every format takes it."""
    return _KEY + json.dumps({"history": [dict(step) for step in history], "origin": list(origin)})


def from_text(text: str) -> Note:
    """Find our line in a text; an empty note where there is none, or where another program spoilt it."""
    found = re.search(rf"^{_KEY}(.*)$", text, flags=re.MULTILINE)
    if found is None:
        return Note()
    try:
        return _note(json.loads(found[1]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        _log.warning("the history in the file cannot be read and is left out: %s", error)
        return Note()


def _note(content: Any) -> Note:
    steps = content["history"]
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise TypeError("history is not a list of steps")
    z, y, x = (float(value) for value in content["origin"])
    return Note(tuple(steps), (z, y, x))
