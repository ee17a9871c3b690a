"""Make docs/images/napari.png: ``xvfb-run -a -s "-screen 0 1400x900x24" python docs/napari_picture.py``."""

from __future__ import annotations

from pathlib import Path

import napari
from qtpy.QtCore import QTimer

from fijibridge.napari._layers import to_layer
from fijibridge.napari._work import show_layer
from fijibridge.phantom import make_electrode
from fijibridge.study.annotators import paint_labels

PICTURE = Path(__file__).with_name("images") / "napari.png"


def main() -> None:
    """Paint by simulation, train in the window, take the picture when the preview is there."""
    viewer = napari.Viewer()
    made = make_electrode((48, 128, 128), voxel_nm=500)
    show_layer(to_layer(made.grey, "simulated cathode"), viewer)
    show_layer(to_layer(paint_labels(made.truth, slices=[23], coverage=0.1), "painted", kind="labels"), viewer)
    viewer.scale_bar.visible = True
    _, segment = viewer.window.add_plugin_dock_widget("fijibridge", "Train forest and segment")
    _, operation = viewer.window.add_plugin_dock_widget("fijibridge", "Run an operation")
    operation._name.value = "decurtain"
    QTimer.singleShot(2000, segment)
    watch = QTimer()

    def look() -> None:
        if "simulated cathode preview" in viewer.layers:
            watch.stop()
            viewer.layers["simulated cathode preview"].opacity = 0.4
            viewer.screenshot(PICTURE, canvas_only=False, flash=False)
            viewer.close()

    watch.timeout.connect(look)
    watch.start(500)
    napari.run()


if __name__ == "__main__":
    main()
