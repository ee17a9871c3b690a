"""Inputs of the demo: a simulated cathode with known truth, and labels that a simulated user painted on it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..errors import ParameterError
from ..io import make_folder, write_volume
from ..phantom import make_electrode
from ..volume import Volume
from .annotators import paint_labels

#: Slices that the simulated user paints on, as shares of the height, and how much of each.
_PAINTED_AT = (0.2, 0.5, 0.8)
_COVERAGE = 0.05


class DemoInput(NamedTuple):
    """A stack, labels painted on it, and its truth, on one grid."""

    volume: Volume
    labels: Volume
    truth: Volume


def make_demo(size: int, *, seed: int = 0) -> DemoInput:
    """Simulate a cathode of `size` voxels along each edge and the labels of a user who painted on three slices.

    Raises
    ------
    ParameterError : a size below 32 voxels, where no particle would fit.
    """
    if size < 32:
        raise ParameterError(f"the demo needs at least 32 voxels along an edge, got {size}; try --size 144")
    electrode = make_electrode((size, size, size), seed=seed)
    slices = [int(share * size) for share in _PAINTED_AT]
    labels = paint_labels(electrode.truth, slices=slices, coverage=_COVERAGE, seed=seed)
    return DemoInput(electrode.grey, labels, electrode.truth)


def write_demo(demo: DemoInput, folder: Path) -> None:
    """Write the demo's inputs as ``stack.tif``, ``painted.tif`` and ``truth.tif``, to open in ImageJ or to run again.

    Raises
    ------
    WriteError : the folder cannot be made or written.
    """
    make_folder(folder)
    for name, volume in (("stack", demo.volume), ("painted", demo.labels), ("truth", demo.truth)):
        write_volume(volume, folder / f"{name}.tif")
