"""From the name that someone gave a region to its class number."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"^(?:class|label)?[ _-]?0*([1-9]\d{0,1})(?![\d])(?:$|[ _.:-])", re.IGNORECASE)
_WORDS = {
    1: ("am", "active", "nmc", "graphite", "particle", "foreground", "solid"),
    2: ("cbd", "pore", "binder", "background", "void", "carbon"),
}


def class_of(name: str) -> int:
    """Read the class off a name such as ``1``, ``class 2``, ``AM`` or ``pore left``; 0 where it says nothing.

    ImageJ's own names (``0012-0100-0200``: slice, y, x) say nothing of the class.
    """
    if re.match(r"^\d{4}-\d{4}", name):
        return 0
    match = _NUMBER.match(name.strip())
    if match:
        return int(match[1])
    first = re.split(r"[^a-z]+", name.strip().lower())[0]
    return next((value for value, words in _WORDS.items() if any(first.startswith(word) for word in words)), 0)
