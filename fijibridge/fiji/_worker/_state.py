"""Putting ImageJ back to a known state between jobs."""

from __future__ import annotations

from ._java import java


def reset() -> None:
    """Close all images and empty the results table."""
    interpreter = java("ij.macro.Interpreter")
    windows = java("ij.WindowManager")
    windows.setTempCurrentImage(None)
    for number in windows.getIDList() or ():
        image = windows.getImage(int(number))
        image.changes = False
        image.close()
    interpreter.batchMode = True
    java("ij.plugin.filter.Analyzer").getResultsTable().reset()
    windows.setTempCurrentImage(None)
