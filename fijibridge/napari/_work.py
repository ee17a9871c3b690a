"""Long work beside the window: a thread, napari's progress bar, and errors as one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from napari.layers import Labels, Layer
from napari.qt.threading import FunctionWorker, create_worker
from napari.utils import progress as progress_bar
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer

from ..errors import FijibridgeError
from ._layers import LayerData

Tell = Callable[[float], None]
_STEPS, _EVERY_MS = 1000, 100


class _Outcome(NamedTuple):
    """What to show: layers, or a sentence."""

    layers: list[LayerData]
    error: str


def in_background(title: str, work: Callable[[Tell], list[LayerData]], viewer: Any) -> FunctionWorker[_Outcome]:
    """Run `work` in a thread, with a progress bar, and show the layers that it gives; one of a known name is replaced.

    An error of ours is shown as its sentence; any other goes napari's way.
    """
    shares = [0.0]

    def guarded() -> _Outcome:
        # The worker itself would raise an error again, in the middle of Qt, which ends the program.
        try:
            return _Outcome(work(lambda share: shares.__setitem__(0, share)), "")
        except FijibridgeError as error:
            return _Outcome([], str(error))

    def finish(outcome: _Outcome) -> None:
        if outcome.error:
            show_error(outcome.error)
        for layer in outcome.layers:
            show_layer(layer, viewer)

    worker: FunctionWorker[_Outcome] = create_worker(guarded, _start_thread=False)
    worker.returned.connect(finish)
    _draw_progress(title, shares, worker)
    worker.start()
    return worker


def show_layer(layer: LayerData, viewer: Any) -> None:
    """Add a layer, or put its voxels into the layer of the same name, kind and shape."""
    data, attributes, kind = layer
    name = attributes["name"]
    if name in viewer.layers:
        known = viewer.layers[name]
        if isinstance(known, Labels) == (kind == "labels") and known.data.shape == data.shape:
            known.data, known.metadata = data, attributes.get("metadata", {})
            return
        viewer.layers.remove(known)
    viewer.add_layer(Layer.create(data, attributes, kind))


def _draw_progress(title: str, shares: list[float], worker: Any) -> None:
    """Bring the bar up to date from the window's own thread, which alone may draw."""
    bar, timer = progress_bar(total=_STEPS, desc=title), QTimer()

    def update() -> None:
        bar.n = round(shares[0] * _STEPS)
        bar.refresh()

    def end() -> None:
        timer.stop()
        bar.close()

    timer.timeout.connect(update)
    timer.start(_EVERY_MS)
    worker.finished.connect(end)
