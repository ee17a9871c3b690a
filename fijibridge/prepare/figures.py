"""The pictures of a preparation's report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .._report.planes import draw_orthoslices
from ..volume import Volume, voxel_size
from .measure import Spectrum, grey_window, slice_histograms

_BEFORE, _AFTER = "#d55e00", "#0072b2"


def orthoslices(before: Volume, after: Volume) -> Figure:
    """Show xy, xz and yz through the middle of both; drift shows in xz and yz as jagged or leaning edges."""
    rows = [("before", before), ("after", after)]
    return draw_orthoslices(rows, z=[volume.shape[0] // 2 for _, volume in rows])


def histograms_by_slice(before: Volume, after: Volume) -> Figure:
    """Show how the grey levels change from slice to slice: slices down, grey levels across."""
    window = grey_window(before, after)
    figure = Figure(figsize=(9.5, 3.8), layout="constrained")
    for axis, (name, volume) in zip(figure.subplots(1, 2), (("before", before), ("after", after)), strict=True):
        table = slice_histograms(volume, window)
        extent = (*window, volume.shape[0] - 0.5, -0.5)
        # The root keeps rare grey levels in sight beside the peaks of the phases.
        axis.imshow(np.sqrt(table), cmap="magma", aspect="auto", extent=extent, interpolation="nearest")
        axis.set_title(name, fontsize=9)
        axis.set(xlabel="grey level", ylabel="slice")
    return figure


def turns(turned: Sequence[tuple[str, NDArray[np.float64]]]) -> Figure:
    """Show by how many degrees each slice was turned."""
    figure = Figure(figsize=(9.5, 2.6 * len(turned)), layout="constrained")
    for axis, (name, angles) in zip(figure.subplots(len(turned), 1, squeeze=False)[:, 0], turned, strict=True):
        axis.plot(angles, color=_AFTER, lw=1.2)
        axis.set_title(f"{name}: turn of each slice", fontsize=9)
        axis.set(xlabel="slice", ylabel="degrees")
        axis.axhline(0, color="#b8bfc9", lw=0.6, zorder=0)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def shifts(moved: Sequence[tuple[str, NDArray[np.float64]]]) -> Figure:
    """Show by how many voxels each slice was moved, and the step from each slice to the next."""
    figure = Figure(figsize=(9.5, 2.9 * len(moved)), layout="constrained")
    for axes, (name, table) in zip(figure.subplots(len(moved), 2, squeeze=False), moved, strict=True):
        for column, (letter, colour) in enumerate((("y", _AFTER), ("x", _BEFORE))):
            axes[0].plot(table[:, column], color=colour, lw=1.2, label=letter)
            axes[1].plot(np.arange(1, len(table)), np.diff(table[:, column]), color=colour, lw=0.8, label=letter)
        for axis, what in zip(axes, ("shift of each slice", "step from slice to slice"), strict=True):
            axis.set_title(f"{name}: {what}", fontsize=9)
            axis.set(xlabel="slice", ylabel="voxels")
            axis.axhline(0, color="#b8bfc9", lw=0.6, zorder=0)
            axis.spines[["top", "right"]].set_visible(False)
            axis.legend(fontsize=8, frameon=False)
    return figure


def stripes(before: Spectrum, after: Spectrum, volume: Volume) -> Figure:
    """Show the power of vertical stripes against their frequency, beside that of other directions."""
    calibrated = voxel_size(volume).units != "voxel"
    scale = 1000 if voxel_size(volume).units == "nm" else 1  # from cycles per nm to cycles per µm
    figure = Figure(figsize=(9.5, 3.4), layout="constrained")
    axis = figure.subplots()
    for name, spectrum, colour in (("before", before, _BEFORE), ("after", after, _AFTER)):
        across = scale * spectrum.frequency
        axis.semilogy(across, spectrum.stripes, color=colour, lw=1.4, label=f"{name}: vertical stripes")
        axis.semilogy(across, spectrum.reference, color=colour, lw=1, ls=":", label=f"{name}: other directions")
    axis.set(xlabel=f"spatial frequency (cycles per {'µm' if calibrated else 'voxel'})", ylabel="power")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False)
    return figure
