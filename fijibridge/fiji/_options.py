"""Python keywords into the option strings of ImageJ, the form that its own ``run("...", "sigma=2 stack")`` takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ParameterError

_NEEDS_BRACKETS = frozenset(" \t\n[]'\"=")


def macro_argument(args: Mapping[str, Any]) -> str:
    """Write the arguments of a macro: ``key=value key2=[value with blanks] flag=true``."""
    return " ".join(f"{key}={_value(key, value, flags=True)}" for key, value in args.items())


def command_options(options: Mapping[str, Any]) -> str:
    """Write the options of a menu command: True writes the bare key, False nothing, as ImageJ's recorder does."""
    parts = []
    for key, value in options.items():
        if isinstance(value, bool | np.bool_):
            parts += [key] if value else []
        else:
            parts.append(f"{key}={_value(key, value, flags=False)}")
    return " ".join(parts)


def _value(key: str, value: Any, *, flags: bool) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) and flags:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(key, value)
    if isinstance(value, str | os.PathLike):
        return _text(key, os.fspath(value))
    raise ParameterError(f"{key} must be a number, a text, a path or True/False, got {type(value).__name__}")


def _number(key: str, value: float) -> str:
    if not np.isfinite(value):
        raise ParameterError(f"{key} must be a finite number, got {value}")
    return repr(value)


def _text(key: str, value: str) -> str:
    if value and not _NEEDS_BRACKETS & set(value):
        return value
    if _balanced(value):
        return f"[{value}]"
    raise ParameterError(f"{key} = {value!r} has brackets that do not match, which ImageJ cannot take; rename it")


def _balanced(value: str) -> bool:
    depth = 0
    for letter in value:
        depth += (letter == "[") - (letter == "]")
        if depth < 0:
            return False
    return depth == 0
