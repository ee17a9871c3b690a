"""Putting ImageJ back to a known state between jobs.

ImageJ keeps preferences, last-used dialog values, colours, measurements and lists in some thousand static fields. All
of them are read once, before the first job, and put back after each.
"""

from __future__ import annotations

from typing import Any

from . import _roi_manager
from ._java import java
from ._java_source import STATE
from ._planes import keep_spare


class KnownState:
    """ImageJ's state as it was when this was made."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        java("ij.Prefs").blackBackground = True  # a mask's True is white, as everywhere else in this package
        self._locale = java("java.util.Locale").getDefault()
        self._properties = java("java.lang.System").getProperties().clone()
        _forget_plugins()
        java(STATE).rememberAll(java("java.lang.Class").forName("ij.IJ").getClassLoader())

    def restore(self) -> None:
        """Close everything that a job may have left, and put every setting back."""
        images = _close_images()
        java("java.lang.System").setProperties(self._properties.clone())
        java("java.util.Locale").setDefault(self._locale)
        java(STATE).restore()
        _fresh_table()
        if self._kind == "imagej2":
            _roi_manager.install()
        java("ij.process.ImageProcessor").setRandomSeed(0)
        keep_spare(images)


def _forget_plugins() -> None:
    """Let go of the loader of plugins, so that each job loads them anew, with nothing kept in their static fields."""
    field = java("java.lang.Class").forName("ij.IJ").getDeclaredField("classLoader")
    field.setAccessible(True)
    field.set(None, None)


def _close_images() -> list[Any]:
    """Close all images, and give them."""
    windows = java("ij.WindowManager")
    found = [windows.getImage(int(number)) for number in windows.getIDList() or ()]
    images = [image for image in found if image is not None]
    for image in images:
        image.changes = False
        image.close()
    windows.setTempCurrentImage(None)
    return images


def _fresh_table() -> None:
    analyzer = java("ij.plugin.filter.Analyzer")
    analyzer.setUnsavedMeasurements(False)
    table = java("ij.measure.ResultsTable")()
    table.showRowNumbers(True)
    analyzer.setResultsTable(table)
