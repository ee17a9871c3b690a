"""Running a macro in ImageJ's own language, and finding out how it ended."""

from __future__ import annotations

from typing import Any

import jpype

from . import _faults, _output
from ._java import java


def run_macro(text: str, argument: str) -> str | None:
    """Run a macro; give what it returned, raise JobFailed where it failed."""
    interpreter = _seeded(java("ij.macro.Interpreter")())
    try:
        returned = interpreter.run(text, argument)
    except jpype.JException as error:
        _sort_out(text, interpreter, error)
        return None
    message = _message(interpreter)
    if message is not None:
        raise _faults.failure(None, message, _line(interpreter))
    if returned is not None and str(returned) == "[aborted]":
        raise _faults.failure(None, "the macro was aborted", _line(interpreter))
    return None if returned is None else str(returned)


def _seeded(interpreter: Any) -> Any:
    """Make the macro's `random()` start alike each time; a macro that wants otherwise seeds it itself."""
    classes = [java("java.lang.Class").forName(f"ij.macro.{name}") for name in ("Interpreter", "Functions", "Program")]
    maker = classes[1].getDeclaredConstructor(jpype.JArray(java("java.lang.Class"))([classes[0], classes[2]]))
    maker.setAccessible(True)
    functions = maker.newInstance(jpype.JArray(jpype.JObject)([interpreter, None]))
    for type_, field, owner, value in (
        (classes[1], "ran", functions, java("java.util.Random")(0)),
        (classes[0], "func", interpreter, functions),
    ):
        found = type_.getDeclaredField(field)
        found.setAccessible(True)
        found.set(owner, value)
    return interpreter


def _sort_out(text: str, interpreter: Any, error: Any) -> None:
    """Sort out an exception from a macro: a bare exit is none; anything else is a failure."""
    line = _line(interpreter)
    message = _message(interpreter)
    lines = text.splitlines()
    stopped_at = lines[line - 1] if 0 < line <= len(lines) else ""
    if message is None and _faults.clean_exit(stopped_at, _output.read(2)):
        return
    raise _faults.failure(error, message or "", line) from None


def _message(interpreter: Any) -> str | None:
    """Give the interpreter's error; in a block it goes on to the next one, so the first that it told is the cause."""
    message = interpreter.getErrorMessage()
    return None if message is None else _faults.first_told(_output.read(2)) or str(message)


def _line(interpreter: Any) -> int:
    # Wording its message moves the interpreter on; so the line in the message is the right one.
    told = _faults.line_told(_output.read(2))
    if told:
        return told
    try:
        return int(interpreter.getLineNumber())
    except jpype.JException:
        return 0
