"""Noting, many times a second, which line of the macro runs; so it is known even after this process was killed."""

from __future__ import annotations

import os
import sys
import threading
import time

import jpype

from . import _output
from ._java import java

_PERIOD_S = 0.05


def start(file: int) -> None:
    """Note the line in an open file from now on, and keep the output streams small."""
    threading.Thread(target=_beat, args=(file,), name="pulse", daemon=True).start()


def _beat(file: int) -> None:
    interpreter = java("ij.macro.Interpreter")
    while True:
        os.pwrite(file, _line(interpreter).to_bytes(4, sys.byteorder), 0)
        _output.keep_small()
        time.sleep(_PERIOD_S)


def _line(interpreter: object) -> int:
    try:
        running = interpreter.getInstance()  # type: ignore[attr-defined]
        return 0 if running is None else max(0, int(running.getLineNumber()))
    except jpype.JException:
        return 0  # the macro ended between the two questions
