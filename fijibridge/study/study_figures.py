"""The figures of a study, each a function from the study and its groups to a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from .._report.planes import draw_orthoslices, show_grey
from ..assess import difference_map
from ..volume import with_data
from .figures import DIFFERENCE, FILTERED, RAW
from .matrix import is_automatic
from .run import NOBODY, Study
from .summary import Group, true_fraction

_USER_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
#: Of the words in a figure that is wider than the page, and so drawn smaller.
_SMALL = 13
#: Methods whose differences between users are shown.
_SHOWN = ("S2", "gWS", "cWS", "ML1", "ML3", "MLX10", "MLX25", "forest")


def workflow(study: Study) -> Figure:
    """Draw the way from volumes through inputs, methods and users to the numbers."""
    config = study.config
    boxes = [
        ("volumes", "\n".join(study.datasets)),
        ("inputs", "\n".join("raw" if kind == "raw" else "Gaussian, sigma 1.1" for kind in config.inputs)),
        ("methods", _method_names(config.methods)),
        ("users", "\n".join(f"{u.name}{' (simulated)' if u.simulated else ''}" for u in config.user)),
        ("numbers", "AM fraction and ±\nspread over users\nimage subtraction\ndistance to truth"),
    ]
    figure = Figure(figsize=(10.5, 1.9))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    axis.set(xlim=(0, 1), ylim=(0, 1))
    style = {"boxstyle": "round,pad=0.5", "fc": "#eef3f9", "ec": "#1f5fa8"}
    drawn = [axis.text(0, 0.43, text, ha="center", va="center", fontsize=7.5, bbox=style, color="#1b2430")
             for _, text in boxes]  # fmt: skip
    figure.draw_without_rendering()
    widths = [_width(axis, text) for text in drawn]
    gap = max((1 - sum(widths)) / (len(boxes) + 1), 0.01)
    left = gap
    for (title, _), text, width in zip(boxes, drawn, widths, strict=True):
        text.set_x(left + width / 2)
        axis.text(left + width / 2, 0.97, title, ha="center", va="top", fontsize=9, weight="bold")
        if left > gap:
            axis.annotate(
                "", (left, 0.43), (left - gap, 0.43), arrowprops={"arrowstyle": "->", "shrinkA": 6, "shrinkB": 6}
            )
        left += width + gap
    return figure


def _width(axis: Axes, text: Text) -> float:
    """Give the width of a text's box as a share of the axis."""
    patch = text.get_bbox_patch()
    box = text.get_window_extent() if patch is None else patch.get_window_extent()
    return float(box.width / axis.get_window_extent().width)


def _method_names(methods: Sequence[str]) -> str:
    automatic = [name for name in methods if is_automatic(name)]
    names = [name for name in methods if name not in automatic]
    names += automatic if len(automatic) < 4 else [f"{len(automatic)} automatic thresholds"]
    return "\n".join(", ".join(names[k : k + 5]) for k in range(0, len(names), 5))


def orthoslices(study: Study, dataset: str) -> Figure:
    """Show the planes of a volume, raw and filtered."""
    rows = list(study.datasets[dataset].inputs.items())
    return draw_orthoslices(rows, z=[volume.shape[0] // 2 for _, volume in rows])


def histograms(study: Study, groups: Sequence[Group], dataset: str) -> Figure:
    """Show the grey histograms with each user's S2 and windows."""
    kinds = list(study.datasets[dataset].inputs)
    figure = Figure(figsize=(4.8 * len(kinds), 3.0), layout="constrained")
    for axis, kind in zip(figure.subplots(1, len(kinds), squeeze=False).ravel(), kinds, strict=True):
        grey = np.asarray(study.datasets[dataset].inputs[kind].data)
        low, high = float(grey.min()), float(grey.max())
        # Whole grey levels a bin, or the histogram of integers looks like a comb.
        step = max(round((high - low) / 128), 1) if grey.dtype.kind in "ui" else max((high - low) / 128, 1e-9)
        bins = np.arange(low - step / 2, high + step, step)
        axis.hist(grey.ravel(), bins=bins, color="#b8bfc9", density=True)
        mine = [g for g in groups if g.dataset == dataset and g.input == kind]
        _draw_choices(axis, mine)
        axis.set(title=f"{dataset}, {kind}", xlabel="grey level", yticks=[])
        axis.spines[["top", "right", "left"]].set_visible(False)
        if axis.get_legend_handles_labels()[1]:
            axis.legend(fontsize=7, frameon=False)
    return figure


def _draw_choices(axis: Axes, groups: Sequence[Group]) -> None:
    users = list(dict.fromkeys(cell.user for g in groups for cell in g.cells))
    top = axis.get_ylim()[1]
    for group in groups:
        for cell in group.cells:
            colour = _USER_COLOURS[users.index(cell.user) % len(_USER_COLOURS)]
            if group.method == "S2":
                axis.axvline(cell.numbers["thresholds"][0], color=colour, lw=1.4, label=f"S2, {cell.user}")
            if group.method in ("gWS", "cWS") and cell.numbers["windows"]:
                low, high = cell.numbers["windows"][0]
                height = (0.93 if group.method == "gWS" else 0.75) - 0.045 * users.index(cell.user)
                axis.plot([low, high], [height * top] * 2, color=colour, lw=3, alpha=0.7, solid_capstyle="butt")
            if group.method == "otsu":
                axis.axvline(cell.numbers["thresholds"][0], color="black", ls=":", lw=1, label="Otsu")


def spreads(groups: Sequence[Group], dataset: str, *, value: str, words: str) -> Figure:
    """Show `std` or `disagreement` over the methods, raw beside filtered."""
    mine = [group for group in groups if group.dataset == dataset and getattr(group, value) is not None]
    names = list(dict.fromkeys(group.method for group in mine))
    figure = Figure(figsize=(9.5, 2.8), layout="constrained")
    axis = figure.subplots()
    for filtered, colour, marker, aside in ((False, RAW, "o", -0.1), (True, FILTERED, "s", 0.1)):
        shown = [group for group in mine if group.filtered == filtered]
        places = [names.index(group.method) + aside for group in shown]
        heights = [100 * getattr(group, value) for group in shown]
        axis.plot(places, heights, marker, color=colour, label="filtered" if filtered else "raw")
        axis.vlines(places, 0, heights, color=colour, lw=1, alpha=0.5)
    axis.set_xticks(range(len(names)), names)
    axis.set_ylim(bottom=0)
    axis.set(ylabel=words, title=dataset)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False)
    return figure


def fractions(study: Study, groups: Sequence[Group], dataset: str) -> Figure:
    """Show every user's AM fraction by method, with the truth and its sampling error where known."""
    mine = [group for group in groups if group.dataset == dataset]
    names = list(dict.fromkeys(group.method for group in mine))
    users = list(dict.fromkeys(user for group in mine for user in group.fractions if user != NOBODY))
    figure = Figure(figsize=(9.5, 3.2), layout="constrained")
    axis = figure.subplots()
    base = true_fraction(study, dataset)
    if base is not None:
        error = 196 * study.datasets[dataset].sampling
        axis.axhspan(100 * base - error, 100 * base + error, color="#009e73", alpha=0.12, lw=0)
        axis.axhline(100 * base, color="#009e73", lw=1, label=f"truth {100 * base:.1f} %, ± of the finite volume")
    for group in mine:
        for user, value in group.fractions.items():
            colour = _USER_COLOURS[users.index(user) % len(_USER_COLOURS)] if user in users else "black"
            place = names.index(group.method) + (0.17 if group.filtered else -0.17)
            axis.plot(place, 100 * value, "s" if group.filtered else "o", color=colour, ms=4.5)
    for user, colour in zip(users, _USER_COLOURS, strict=False):
        axis.plot([], [], "o", color=colour, label=f"user {user}")
    axis.set_xticks(range(len(names)), names)
    axis.set(ylabel="AM volume fraction (%)", title=f"{dataset} (circles: raw, squares: filtered)")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=7, frameon=False, ncols=2)
    return figure


def differences(study: Study, groups: Sequence[Group], dataset: str, *, filtered: bool) -> Figure | None:
    """Show where pairs of users differ on the middle slice, a row for each method; None with one user alone."""
    mine = [
        g for g in groups if g.dataset == dataset and g.filtered == filtered and g.method in _SHOWN and len(g.cells) > 1
    ]
    if not mine:
        return None
    pairs = list(mine[0].pairs)[:3]
    figure = Figure(figsize=(2.3 * len(mine), 2.35 * (len(pairs) + 1)), layout="constrained")
    axes = figure.subplots(len(pairs) + 1, len(mine), squeeze=False)
    kind = "filtered" if filtered else "raw"
    grey = study.datasets[dataset].inputs[kind]
    z = grey.shape[0] // 2
    for column, group in enumerate(mine):
        show_grey(axes[0, column], grey, np.s_[z], "xy")
        axes[0, column].set_title(f"{group.method}, {kind}", fontsize=_SMALL)
        planes = {cell.user: study.labels(cell)[z : z + 1] for cell in group.cells}
        for line, (a, b) in enumerate(pairs, 1):
            axis = axes[line, column]
            image = np.asarray(difference_map(planes[a], planes[b], label=1).data[0])
            axis.imshow(image, cmap=DIFFERENCE, vmin=-1, vmax=1, interpolation="nearest")
            axis.set_title(f"{a} - {b}: {100 * group.pairs[a, b]:.1f} %", fontsize=_SMALL)
            axis.set_axis_off()
    return figure


def base_truth(study: Study, names: Sequence[str]) -> Figure:
    """Show the base truth's labels beneath the images that are held against it."""
    kind = study.config.inputs[0]
    rows = [(f"{name}, {kind}", study.datasets[name].inputs[kind]) for name in names]
    base = study.datasets[names[0]].base
    if base is not None:
        rows.append(("base truth", with_data(base.labels, np.asarray(base.labels.data) == 1)))
    return draw_orthoslices(rows, z=[volume.shape[0] // 2 for _, volume in rows])


def distances(groups: Sequence[Group], names: Sequence[str]) -> Figure:
    """Show the distance of each method's fraction to the base truth above that to the exact truth."""
    mine = [group for group in groups if group.dataset in names]
    methods = list(dict.fromkeys(group.method for group in mine))
    figure = Figure(figsize=(9.5, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for axis, value, title in (
        (above, "base_distance", "to the base truth"),
        (below, "distance", "to the exact truth"),
    ):
        for number, (name, filtered) in enumerate((name, f) for name in names for f in (False, True)):
            shown = [g for g in mine if (g.dataset, g.filtered) == (name, filtered) and getattr(g, value) is not None]
            places = [methods.index(group.method) + 0.15 * (number - len(names) + 0.5) for group in shown]
            heights = [100 * getattr(group, value) for group in shown]
            colour = _USER_COLOURS[number // 2 % len(_USER_COLOURS)]
            label = f"{name}, {'filtered' if filtered else 'raw'}" if shown else None
            axis.bar(places, heights, 0.14, color=colour, alpha=0.55 if filtered else 1.0, label=label)
        axis.set(ylabel="distance (pp)", title=title)
        axis.spines[["top", "right"]].set_visible(False)
    above.legend(fontsize=8, frameon=False, ncols=2)
    below.set_xticks(range(len(methods)), methods)
    return figure


def one_geometry(study: Study, groups: Sequence[Group], names: Sequence[str]) -> Figure:
    """Show mean and spread over users by method for scans of one piece of material, beside each scan's base truth."""
    methods = list(dict.fromkeys(group.method for group in groups if group.dataset in names))
    figure = Figure(figsize=(9.5, 3.2), layout="constrained")
    axis = figure.subplots()
    for number, name in enumerate(names):
        colour = _USER_COLOURS[number % len(_USER_COLOURS)]
        mine = [group for group in groups if group.dataset == name and not group.filtered]
        places = [methods.index(group.method) + 0.16 * (number - (len(names) - 1) / 2) for group in mine]
        bars = [100 * (group.std or 0) for group in mine]
        axis.errorbar(
            places, [100 * group.mean for group in mine], bars, fmt="o", ms=4, capsize=2, color=colour, label=name
        )
        exact, base = true_fraction(study, name), study.datasets[name].base
        if exact is not None:
            axis.axhline(100 * exact, color=colour, lw=1, ls="--", label=f"exact truth of {name}")
        if base is not None and number == 0:
            axis.axhline(100 * base.fraction, color="black", lw=1, label="base truth")
    axis.set_xticks(range(len(methods)), methods)
    axis.set(ylabel="AM volume fraction (%)", title="raw; bars: sample standard deviation over users")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=7, frameon=False, ncols=2)
    return figure
