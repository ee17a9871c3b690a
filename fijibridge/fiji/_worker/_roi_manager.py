"""ImageJ's ROI manager, which has no window here (see _java_source.py)."""

from __future__ import annotations

from typing import Any

from ._java import java
from ._java_source import STATE


def install() -> None:
    """Put an empty manager where ImageJ looks for the open one; a mended ImageJ does so itself when it needs one."""
    java(STATE).makeManager()


def rois() -> list[Any]:
    """Give the ROIs in the manager."""
    manager = java(STATE).madeManager()
    return [] if manager is None else list(manager.getRoisAsArray())
