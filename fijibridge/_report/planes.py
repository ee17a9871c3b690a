"""Planes of grey volumes, drawn at their true proportions with scale bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ..volume import Volume, voxel_size

#: A stack of fewer slices has no xz and yz planes worth a look.
_FLAT = 8
#: Pixels of a plane's side that are drawn at least; from twice as many on they are averaged.
_SHOWN = 1024


def draw_orthoslices(rows: Sequence[tuple[str, Volume]], *, z: Sequence[int]) -> Figure:
    """Show xy, xz and yz of each named volume, one row for each; `z` are the slices shown, y and x the middle."""
    flat = any(volume.shape[0] < _FLAT for _, volume in rows)
    columns = 1 if flat else 3
    shape = (1, len(rows)) if flat else (len(rows), columns)
    figure = Figure(figsize=(3.4 * max(shape[1], 2), 3.6 if flat else 3.5 * len(rows)), layout="constrained")
    axes = iter(figure.subplots(*shape, squeeze=False).ravel())
    for (name, volume), number in zip(rows, z, strict=True):
        y, x = (size // 2 for size in volume.shape[1:])
        for plane, index in [("xy", np.s_[number]), ("xz", np.s_[:, y]), ("yz", np.s_[:, :, x])][:columns]:
            axis = next(axes)
            # A yz plane is shown with z across, as ImageJ's orthogonal views do, so that it lines up with xy.
            show_grey(axis, volume, index, plane, turned=plane == "yz")
            axis.set_title(f"{name}, {plane}", fontsize=9)
    return figure


def show_grey(axis: Axes, volume: Volume, index: Any, plane: str, *, turned: bool = False) -> None:
    """Draw one plane of a grey volume with a scale bar; `plane` names the axes across and down, such as ``"xz"``."""
    image = np.asarray(volume.data[index])
    image = image.view(np.uint8) if image.dtype.kind == "b" else image
    image, plane = (image.T, plane[::-1]) if turned else (image, plane)
    size = voxel_size(volume)
    by = [max(1, side // _SHOWN) for side in image.shape]
    across, down = getattr(size, plane[0]) * by[1], getattr(size, plane[1]) * by[0]
    low, high = np.percentile(image[:: by[0], :: by[1]], (0.5, 99.5))
    image = _shrunk(image, by)
    axis.imshow(
        image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect=down / across, interpolation="antialiased"
    )
    axis.set_axis_off()
    add_scale_bar(axis, image.shape[1], across, size.units)


def _shrunk(image: NDArray[Any], by: Sequence[int]) -> NDArray[Any]:
    """Average boxes of pixels: matplotlib holds several copies of what it draws, with 8 bytes for each pixel."""
    if max(by) == 1:
        return image
    rows, columns = (side // n for side, n in zip(image.shape, by, strict=True))
    boxes = image[: rows * by[0], : columns * by[1]].reshape(rows, by[0], columns, by[1])
    return np.asarray(boxes.mean(axis=(1, 3), dtype=np.float32))


def add_scale_bar(axis: Axes, width: int, voxel: float, units: str) -> None:
    """Draw a bar of a round length, about a quarter of the picture wide, its length in words above, flush left.

    Flush, because a narrow plane's bar is shorter than the words: centred on it, they would begin outside the picture.
    """
    length = round_length(width * voxel / 4)
    voxels = length / voxel
    bottom, top = axis.get_ylim()
    height = abs(bottom - top)
    y = max(bottom, top) - 0.05 * height
    axis.add_patch(
        Rectangle((0.03 * width, y - 0.015 * height), voxels, 0.015 * height, color="white", ec="black", lw=0.4)
    )
    axis.text(
        0.03 * width, y - 0.03 * height, _length_text(length, units), color="white", fontsize=8,
        ha="left", va="bottom", bbox={"facecolor": "black", "alpha": 0.45, "pad": 1, "lw": 0},
    )  # fmt: skip


def round_length(length: float) -> float:
    """Give the largest of 1, 2, 5 times a power of ten that is not longer than `length`."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(step for step in (power, 2 * power, 5 * power) if step <= length * (1 + 1e-9)))


def _length_text(length: float, units: str) -> str:
    if units == "nm" and length >= 1000:
        return f"{length / 1000:g} µm"
    return f"{length:g} {'µm' if units == 'um' else 'nm' if units == 'nm' else 'voxels'}"
