"""Finding out whether ImageJ really did what it was told.

ImageJ tells of a failure in many ways and in some of them returns as if all were well: an error kept in the
interpreter, `IJ.error`, a message on one of the two output streams, a Java stack trace there, ``[aborted]``.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from . import _output
from ._java import java

#: A frame of a Java stack trace, as printed.
_FRAME = re.compile(r"^\s+at [\w.$/<>]+\([^()\n]*\)\s*$", re.MULTILINE)
_HEADLINE = re.compile(
    r"^(?:Exception in thread .*?)?((?:[\w$]+\.)+[\w$]*(?:Exception|Error|Death)\b.*)$", re.MULTILINE
)
#: What ImageJ prints when a macro fails and there is no window for a dialog.
_MACRO_ERROR = re.compile(r"^Macro Error: (.*?)(?: in line (\d+))?$", re.MULTILINE)
_MOST_WORDS = 300
_CANCELED = "Macro canceled"
#: Java's words for what users can mend, and ours.
_REASONS = (
    (
        ("Cannot instantiate headless dialog", "Cannot run dialog headlessly", "HeadlessException"),
        "a dialog or window was asked for, which a headless ImageJ cannot show",
    ),
    (
        ("Fontconfig", "FontConfiguration", "FontManager"),
        "drawing text needs fonts, which this system does not have: install fontconfig and a font such as DejaVu",
    ),
)


class Fault(NamedTuple):
    """What went wrong: a sentence, ImageJ's own words, the macro's line (0: not known)."""

    reason: str
    detail: str
    line: int


class JobFailed(Exception):
    """ImageJ failed; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def failure(error: Any, message: str = "", line: int = 0) -> JobFailed:
    """Put together what is known of a failure: a Java exception, ImageJ's message, and what was printed."""
    return JobFailed(from_exception(error, message, line, _output.read(1), _output.read(2)))


def from_exception(error: Any, message: str, line: int, out: str, err: str) -> Fault:
    """Put a Java exception that came out of a macro or command into words."""
    headline = str(error).strip()
    words = _words(out, err) or _trace(error)
    known = _known_reason(message or headline)
    if known:
        return Fault(known, words, line)
    if message:
        return Fault(message, words, line)
    if headline.endswith(_CANCELED):
        told = from_error_dialog()
        if told:
            return Fault(told.reason, out, line)
        said = " ".join(out.split())[-_MOST_WORDS:]
        return Fault(said or "the macro was aborted", out, line)
    return Fault(headline, words, line)


def from_output(out: str, err: str) -> Fault | None:
    """Look for a failure in what was printed on the two streams."""
    macro_error = _MACRO_ERROR.search(err)
    if macro_error:
        return Fault(macro_error[1], _words(out, err), int(macro_error[2] or 0))
    for text in (err, out):
        frame = _FRAME.search(text)
        if frame:
            heads = [head for head in _HEADLINE.finditer(text) if head.start() < frame.start()]
            said = heads[-1][1] if heads else "a Java exception"
            return Fault(_known_reason(said) or said, text, 0)
    return None


def line_told(err: str) -> int:
    """Give the line that ImageJ's last message about a macro names; 0 where there is none."""
    lines = [int(found[2]) for found in _MACRO_ERROR.finditer(err) if found[2]]
    return lines[-1] if lines else 0


def first_told(err: str) -> str:
    """Give the words of ImageJ's first message about a macro; empty where there is none."""
    found = _MACRO_ERROR.search(err)
    return found[1] if found else ""


def from_error_dialog() -> Fault | None:
    """Look for a message that went to `IJ.error`, which has no window to show it; asking clears it."""
    message = java("ij.IJ").getErrorMessage()
    return None if message is None else Fault(" ".join(str(message).split()), str(message), 0)


def clean_exit(line_text: str, printed: str) -> bool:
    """Tell whether a macro ended by a bare ``exit``, which is no failure."""
    return bool(re.search(r"\bexit\s*(\(\s*\))?\s*(;|$)", line_text)) and not printed


def _known_reason(said: str) -> str:
    """Put Java's words for what users can mend into ours; empty where they are not known."""
    return next((reason for signs, reason in _REASONS if any(sign in said for sign in signs)), "")


def _words(out: str, err: str) -> str:
    """Give what ImageJ said of a failure: all of the error stream, and of the other one only stack traces."""
    return err + (out if _FRAME.search(out) else "")


def _trace(error: Any) -> str:
    return str(error.stacktrace()) if hasattr(error, "stacktrace") else str(error)
