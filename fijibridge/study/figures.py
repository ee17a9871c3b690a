"""The pictures of the report, each a function from a comparison to a matplotlib figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .._report.planes import add_scale_bar, draw_orthoslices, show_grey
from ..assess import difference_map
from ..volume import voxel_size
from .compare import Comparison, Row

#: Widest window, in voxels, of the pictures that show single voxels.
_CLOSE_UP = 220
#: Colours for classes that stay apart for colour-blind readers (Wong 2011, Nature Methods 8, 441).
_CLASS_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#f0e442", "#56b4e9")
RAW, FILTERED = "#7f8ea3", "#1f5fa8"
#: -1, 0, 1 of an image subtraction.
DIFFERENCE = ListedColormap(["#0072b2", "#f4f4f4", "#d55e00"])


def shown_slice(comparison: Comparison) -> int:
    """Give the slice to show: the one nearest the middle whose truth is known (or simply the middle one)."""
    count = comparison.volume.shape[0]
    middle = count // 2
    if comparison.truth is None:
        return middle
    known = np.asarray(comparison.truth.data).reshape(count, -1).any(axis=1)
    candidates = np.flatnonzero(known) if known.any() else np.arange(count)
    return int(candidates[np.argmin(np.abs(candidates - middle))])


def orthoslices(comparison: Comparison) -> Figure:
    """Show xy, xz and yz through the middle of the raw and the filtered volume, with scale bars."""
    rows = [("raw", comparison.volume), ("filtered", comparison.filtered)]
    return draw_orthoslices(rows, z=[shown_slice(comparison)] * 2)


def overlay_classes(axis: Axes, labels: NDArray[np.integer], classes: list[int], *, alpha: float) -> None:
    """Lay a see-through colour over each class; 0 stays clear."""
    rgba = np.zeros((*labels.shape, 4))
    for index, value in enumerate(classes):
        colour = _CLASS_COLOURS[index % len(_CLASS_COLOURS)].lstrip("#")
        rgb = [int(colour[k : k + 2], 16) / 255 for k in (0, 2, 4)]
        rgba[labels == value] = [*rgb, alpha]
    axis.imshow(rgba, interpolation="nearest")


def painted(comparison: Comparison) -> Figure:
    """Show the slice with most painted labels, with the labels over it."""
    counts = np.count_nonzero(np.asarray(comparison.labels.data).reshape(comparison.labels.shape[0], -1), axis=1)
    z = int(counts.argmax())
    figure = Figure(figsize=(4.2, 4.4), layout="constrained")
    axis = figure.subplots()
    show_grey(axis, comparison.volume, np.s_[z], "xy")
    overlay_classes(axis, np.asarray(comparison.labels.data[z]), sorted(comparison.classes), alpha=0.8)
    axis.set_title(f"painted labels, slice {z}: {100 * counts[z] / comparison.labels[z].size:.1f} % of it", fontsize=9)
    return figure


def histograms(comparison: Comparison) -> Figure:
    """Show the grey histogram, raw and filtered, with Otsu's thresholds and the watershed's windows."""
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    for axis, is_filtered in zip(figure.subplots(1, 2), (False, True), strict=True):
        grey = np.asarray((comparison.filtered if is_filtered else comparison.volume).data)
        bins = np.linspace(grey.min(), grey.max(), min(256, max(int(grey.max() - grey.min()), 32)))
        axis.hist(grey.ravel(), bins=bins, color="#b8bfc9", density=True, label="all voxels")
        for index, value in enumerate(sorted(comparison.classes)):
            mine = grey[np.asarray(comparison.labels.data) == value]
            colour = _CLASS_COLOURS[index % len(_CLASS_COLOURS)]
            # Few voxels are painted: wider bins keep their curve from being all noise.
            axis.hist(mine, bins=bins[::4], histtype="step", density=True, color=colour, label=f"painted {value}")
        _draw_levels(axis, comparison, is_filtered)
        axis.set(title="filtered" if is_filtered else "raw", xlabel="grey level", yticks=[])
        axis.spines[["top", "right", "left"]].set_visible(False)
    axis.legend(fontsize=7, frameon=False)
    return figure


def _draw_levels(axis: Axes, comparison: Comparison, is_filtered: bool) -> None:
    done: set[str] = set()
    for row in comparison.rows:
        if row.filtered != is_filtered or row.method in done:
            continue
        done.add(row.method)
        found = comparison.segmentations[row.key]
        if row.method == "otsu":
            for number, value in enumerate(found.thresholds):
                axis.axvline(value, color="black", lw=1.2, label="Otsu" if number == 0 else None)
        alpha = {"gWS": 0.35, "cWS": 0.15}.get(row.method, 0)
        for number, window in enumerate(found.windows):
            name = f"{row.method} window" if number == 0 else None
            axis.axvspan(window.low, window.high, color="#e69f00", alpha=alpha, lw=0, label=name)


def gallery(comparison: Comparison) -> Figure:
    """Show every segmentation on the same close-up: class colours over the grey slice, truth first where known."""
    z = shown_slice(comparison)
    window = _close_up(comparison, z)
    grey = np.asarray(comparison.volume.data[z])[window]
    tiles = [("grey", None), *_truth_tile(comparison, z, window)]
    tiles += [
        (row.key, np.asarray(comparison.segmentations[row.key].labels.data[z])[window]) for row in comparison.rows
    ]
    figure, axes = _grid(len(tiles))
    for axis, (name, labels) in zip(axes, tiles, strict=True):
        axis.imshow(grey, cmap="gray", interpolation="nearest")
        if labels is not None:
            overlay_classes(axis, labels, sorted(comparison.classes), alpha=0.45)
        axis.set_title(name, fontsize=8)
    size = voxel_size(comparison.volume)
    add_scale_bar(axes[0], grey.shape[1], size.x, size.units)
    return figure


def differences(comparison: Comparison, *, label: int) -> Figure:
    """Show image subtractions: each segmentation less the truth, or less the last one where there is no truth."""
    z = shown_slice(comparison)
    window = _close_up(comparison, z)
    reference = (
        comparison.truth if comparison.truth is not None else comparison.segmentations[comparison.rows[-1].key].labels
    )
    known = np.asarray(reference.data[z])[window] > 0
    figure, axes = _grid(len(comparison.rows))
    for axis, row in zip(axes, comparison.rows, strict=True):
        labels = comparison.segmentations[row.key].labels[z : z + 1]
        image = np.asarray(difference_map(labels, reference[z : z + 1], label=label).data[0])[window]
        axis.imshow(np.where(known, image, 0), cmap=DIFFERENCE, vmin=-1, vmax=1, interpolation="nearest")
        share = np.count_nonzero(image[known]) / max(known.sum(), 1)
        axis.set_title(f"{row.title}: {100 * share:.1f} %", fontsize=8)
    return figure


def _truth_tile(comparison: Comparison, z: int, window: Any) -> list[tuple[str, NDArray[Any] | None]]:
    return [] if comparison.truth is None else [("truth", np.asarray(comparison.truth.data[z])[window])]


def _close_up(comparison: Comparison, z: int) -> tuple[slice, slice]:
    """Give the window shown voxel by voxel: around the middle of what is known of the slice."""
    shape = comparison.volume.shape[1:]
    centre = [n // 2 for n in shape]
    if comparison.truth is not None:
        known = np.argwhere(np.asarray(comparison.truth.data[z]) == min(comparison.classes))
        centre = list(np.median(known, axis=0).astype(int)) if len(known) else centre
    starts = [int(np.clip(c - _CLOSE_UP // 2, 0, max(n - _CLOSE_UP, 0))) for c, n in zip(centre, shape, strict=True)]
    return slice(starts[0], starts[0] + _CLOSE_UP), slice(starts[1], starts[1] + _CLOSE_UP)


def _grid(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(count, 5)
    lines = -(-count // columns)
    figure = Figure(figsize=(2.1 * columns, 2.25 * lines), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False).ravel())
    for axis in axes:
        axis.set_axis_off()
    return figure, axes[:count]


def fractions(comparison: Comparison, *, label: int) -> Figure:
    """Show the volume fraction of one class by method, raw beside filtered, with the truth as a line where known."""
    figure = Figure(figsize=(9.5, 3.2), layout="constrained")
    axis = figure.subplots()
    names = list(dict.fromkeys(_method_name(row) for row in comparison.rows))
    for offset, is_filtered, colour in ((-0.2, False, RAW), (0.2, True, FILTERED)):
        rows = [row for row in comparison.rows if row.filtered == is_filtered]
        places = [names.index(_method_name(row)) + offset for row in rows]
        bars = axis.bar(places, [100 * row.fractions[label] for row in rows], 0.38, color=colour)
        bars.set_label("filtered" if is_filtered else "raw")
        axis.bar_label(bars, fmt="%.1f", fontsize=7)
    if comparison.truth is not None and comparison.truth_is_whole:
        share = 100 * float((np.asarray(comparison.truth.data) == label).mean())
        axis.axhline(share, color="black", ls="--", lw=1, label=f"truth {share:.1f} %")
    _focus(axis, [100 * row.fractions[label] for row in comparison.rows])
    axis.set_xticks(range(len(names)), names)
    axis.set_ylabel(f"{comparison.class_names[label]} (% of the volume)")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0, 1.14))
    return figure


def _focus(axis: Axes, values: Iterable[float]) -> None:
    top = max(values)
    axis.set_ylim(0, top * 1.15 if top else 1)


def _method_name(row: Row) -> str:
    return f"{row.method}\n{row.engine_name}"


def disagreement_matrix(comparison: Comparison) -> Figure:
    """Show the share of voxels that differ for each pair of segmentations, in %."""
    keys = list(comparison.segmentations)
    matrix = np.zeros((len(keys), len(keys)))
    for (a, b), share in comparison.disagreements().items():
        i, j = keys.index(a), keys.index(b)
        matrix[i, j] = matrix[j, i] = 100 * share
    figure = Figure(figsize=(0.55 * len(keys) + 2.6, 0.45 * len(keys) + 1.6), layout="constrained")
    axis = figure.subplots()
    axis.imshow(matrix, cmap="Blues", vmin=0, vmax=max(matrix.max(), 1e-9), aspect="auto")
    for i, j in np.ndindex(matrix.shape):
        dark = matrix[i, j] > 0.6 * matrix.max()
        axis.text(j, i, f"{matrix[i, j]:.1f}", ha="center", va="center", fontsize=7, color="white" if dark else "black")
    titles = [row.title for row in comparison.rows]
    axis.set_xticks(range(len(keys)), titles, rotation=40, ha="right", fontsize=7)
    axis.set_yticks(range(len(keys)), titles, fontsize=7)
    return figure
