"""ImageJ's ROI manager without its window.

The manager is a window and keeps the list of ROIs in it; a headless Java refuses to construct one. Its list works
without ever being shown, so the object is made without running the constructor, and given the fields that it needs.
"""

from __future__ import annotations

from typing import Any

import jpype

from ._java import java

_MANAGER = "ij.plugin.frame.RoiManager"
_PLAIN = {
    "defaultLineWidth": jpype.JInt(1),
    "firstTime": True,
    "recordShowAll": True,
    "translateX": 10.0,
    "translateY": 10.0,
    "multiCropShow": True,
}
_CHECKBOXES = ("showAllCheckbox", "labelsCheckbox")


def install() -> None:
    """Put an empty manager where ImageJ looks for the open one."""
    manager = _bare(_MANAGER)
    model = java("javax.swing.DefaultListModel")()
    values = {
        **{name: jpype.JObject(value) for name, value in _PLAIN.items()},
        **{name: _bare("java.awt.Checkbox") for name in _CHECKBOXES},
        "listModel": model,
        "list": java("javax.swing.JList")(model),
        "rois": java("java.util.ArrayList")(),
    }
    for name, value in values.items():
        _field(name).set(manager, value)
    _field("instance").set(None, manager)


def rois() -> list[Any]:
    """Give the ROIs in the manager."""
    manager = java(_MANAGER).getRawInstance()
    return [] if manager is None else list(manager.getRoisAsArray())


def _bare(name: str) -> Any:
    """Make an object without running its constructor."""
    field = java("java.lang.Class").forName("sun.misc.Unsafe").getDeclaredField("theUnsafe")
    field.setAccessible(True)
    return field.get(None).allocateInstance(java("java.lang.Class").forName(name))


def _field(name: str) -> Any:
    field = java("java.lang.Class").forName(_MANAGER).getDeclaredField(name)
    field.setAccessible(True)
    return field
