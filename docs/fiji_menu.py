"""Make the pictures of the guide *fijibridge for Fiji users* in a real ImageJ window: ``python docs/fiji_menu.py``.

Needs Xvfb, xdotool, openbox and ImageMagick.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fijibridge.io import write_volume
from fijibridge.phantom import make_electrode
from fijibridge.service import macro_call
from fijibridge.volume import make_volume

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "macros"))
from imagej_window import ImageJWindow, make_imagej  # noqa: E402  it lies beside the tests that it serves

PICTURES = ROOT / "docs" / "images"


def electrode(path: Path) -> None:
    """Write a simulated cathode with streaks."""
    made = np.asarray(make_electrode((60, 300, 300), diameter_um=20).truth.data)
    rng = np.random.default_rng(0)
    grey = np.where(made == 1, 165, 95) + rng.normal(0, 14, made.shape) + rng.normal(0, 9, (made.shape[0], 1, 300))
    write_volume(make_volume(np.clip(grey, 0, 255).astype(np.uint8), spacing=(30, 20, 20)), path)


def decurtain(window: ImageJWindow) -> None:
    """Show the menu, the dialog and the result."""
    window.open_menu()
    window.picture(PICTURES / "fiji-menu.png")
    window.key("Escape", "Escape", "Escape")
    window.activate("NMC-1.tif")
    window.choose("Decurtain")
    window.wait_for_window("Decurtain")
    time.sleep(1)
    window.picture(PICTURES / "fiji-dialog.png")
    window.key("Return")
    result = window.wait_for_window("NMC-1-decurtained", 60)
    window.xdotool("windowmove", result, "600", "130")
    time.sleep(1)
    window.picture(PICTURES / "fiji-decurtained.png")


def paint(window: ImageJWindow) -> None:
    """Paint both classes with the mouse and show the forest's preview."""
    window.activate("NMC-1-decurtained")
    window.choose("Paint labels")
    window.wait_for_window("Paint Labels")
    window.key("Return")
    manager = window.wait_for_window("ROI Manager")
    window.xdotool("windowmove", manager, "20", "130")
    time.sleep(1)
    stroke(window, 384, [(135, 255), (150, 275), (170, 285)])
    stroke(window, 384, [(255, 152), (280, 152), (300, 150)])
    stroke(window, 414, [(118, 172), (135, 170), (150, 175)])
    stroke(window, 414, [(158, 70), (162, 80), (160, 92)])
    window.picture(PICTURES / "fiji-painting.png")
    window.key("6")
    time.sleep(15)
    window.picture(PICTURES / "fiji-preview.png")


def stroke(window: ImageJWindow, tool: int, points: list[tuple[int, int]]) -> None:
    """Choose a tool by its place in the toolbar and draw with it."""
    bar = window.activate("ImageJ")
    window.xdotool("mousemove", "--window", bar, str(tool), "40", "click", "1")
    image = window.activate("NMC-1-decurtained")
    x, y = points[0]
    window.xdotool("mousemove", "--window", image, str(x), str(y), "mousedown", "1")
    for x, y in points:
        window.xdotool("mousemove", "--window", image, str(x), str(y))
        time.sleep(0.2)
    window.xdotool("mouseup", "1")
    time.sleep(0.5)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FIJIBRIDGE_STATE"] = str(Path(folder) / "state")
        image = Path(folder) / "NMC-1.tif"
        electrode(image)
        shown = ImageJWindow(make_imagej(Path(folder) / "ImageJ"), [image])
        try:
            decurtain(shown)
            paint(shown)
        finally:
            shown.close()
            macro_call.main(["stop"])
