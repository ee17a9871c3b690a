"""From one smoothed image to all features of its scale: derivatives by differences, tensors, eigenvalues."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._eigen import eigenvalues_2, eigenvalues_3
from ._numba import kernel, row_kernel, view_kernel
from ._smooth import Floats, Ints, Triple, copy, smooth_across, smooth_along

#: Slots of one scale's features; eigenvalues take as many as there are dimensions.
GAUSSIAN, LAPLACIAN, MAGNITUDE, DIFFERENCE, STRUCTURE, HESSIAN, SLOTS = 0, 1, 2, 3, 4, 7, 10
_ZERO, _ONE, _HALF, _QUARTER = np.float32(0), np.float32(1), np.float32(0.5), np.float32(0.25)
#: Axes of the rows of a tensor, in the order that the eigenvalues take.
_PAIRS = {
    3: np.array([(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)], np.int64),
    2: np.array([(1, 1), (2, 2), (1, 2)], np.int64),
}


class Smoothed(NamedTuple):
    """What the features of one scale are derived from.

    Attributes
    ----------
    image : (z, y, x) smoothed image, `margin` voxels wider than the features at each end of each axis.
    margin : voxels; 0 along z in 2-D.
    finer : (z, y, x) less smoothed image for the difference of Gaussians, or empty.
    slopes : (3, z, y, x) gradient, wider than the features by the radius of `taps`, or empty.
    taps : half kernels that smooth the structure tensor.
    steps : voxel edges along z, y, x.
    """

    image: Floats
    margin: Triple
    finer: Floats
    slopes: Floats
    taps: tuple[Floats, Floats, Floats]
    steps: NDArray[np.float32]


def derive(smoothed: Smoothed, slots: Ints, planes: range, shape: Triple, *, dimensions: int) -> Floats:
    """Give (feature, z, y, x) for the z `planes` of a block of `shape`; ``slots[k]`` is where slot k goes, or -1."""
    _, ny, nx = shape
    pairs = _PAIRS[dimensions]
    out = np.empty((int(slots.max()) + 1, len(planes), ny, nx), np.float32)
    rows = np.empty((len(pairs) + 3, nx), np.float32)
    radius_y, radius_x = (taps.size - 1 for taps in smoothed.taps[1:])
    plane = np.empty((ny + 2 * radius_y, nx + 2 * radius_x), np.float32)
    tensor = np.empty((ny, len(pairs), nx), np.float32)
    line = np.empty(nx + 2 * radius_x, np.float32)
    _derive(*smoothed, slots, planes.start, pairs, rows, plane, tensor, line, out)
    return out


@kernel
def _derive(
    image: Floats,
    margin: Triple,
    finer: Floats,
    slopes: Floats,
    taps: tuple[Floats, Floats, Floats],
    steps: Floats,
    slots: Ints,
    start: int,
    pairs: Ints,
    rows: Floats,
    plane: Floats,
    tensor: Floats,
    line: Floats,
    out: Floats,
) -> None:
    nx, axes = out.shape[3], 3 if pairs.shape[0] == 6 else 2
    curved = slots[LAPLACIAN] >= 0 or _wanted(slots, HESSIAN)
    structured = _wanted(slots, STRUCTURE)
    for k in range(out.shape[1]):
        z = start + k
        if structured:
            _structure_plane(slopes, z, taps, pairs, plane, line, tensor)
        for y in range(out.shape[2]):
            at = (z + margin[0], y + margin[1], margin[2])
            if slots[GAUSSIAN] >= 0:
                copy(out[slots[GAUSSIAN], k, y], _row(image, at, nx))
            if slots[DIFFERENCE] >= 0:
                _subtract(out[slots[DIFFERENCE], k, y], _row(image, at, nx), finer[z, y])
            if slots[MAGNITUDE] >= 0:
                _magnitude(image, at, steps, 3 - axes, out[slots[MAGNITUDE], k, y])
            if curved:
                _second_derivatives(image, at, steps, pairs, rows)
                if slots[LAPLACIAN] >= 0:
                    _trace(rows, axes, out[slots[LAPLACIAN], k, y])
                _eigenvalues(rows, rows, slots, HESSIAN, k, y, out)
            if structured:
                _eigenvalues(tensor[y], rows, slots, STRUCTURE, k, y, out)


@kernel
def slope(image: Floats, steps: Floats, flat: bool, out: Floats) -> None:
    """Give the gradient by central differences; `image` is one voxel wider at each end (not along z where flat)."""
    nx, first = out.shape[3], 1 if flat else 0
    for z in range(out.shape[1]):
        for y in range(out.shape[2]):
            at = (z + 1 - first, y + 1, 1)
            for axis in range(first, 3):
                up, down = _shifted(image, at, axis, 1, nx), _shifted(image, at, axis, -1, nx)
                _difference(out[axis, z, y], up, down, _HALF / steps[axis])


@row_kernel
def _wanted(slots: Ints, first: int) -> bool:
    return max(slots[first], slots[first + 1], slots[first + 2]) >= 0  # type: ignore[no-any-return]


@view_kernel
def _row(image: Floats, at: Triple, n: int) -> Floats:
    return image[at[0], at[1], at[2] : at[2] + n]


@view_kernel
def _shifted(image: Floats, at: Triple, axis: int, by: int, n: int) -> Floats:
    z = at[0] + (by if axis == 0 else 0)
    y = at[1] + (by if axis == 1 else 0)
    x = at[2] + (by if axis == 2 else 0)
    return image[z, y, x : x + n]


@view_kernel
def _corner(image: Floats, at: Triple, axes: tuple[int, int], by: tuple[int, int], n: int) -> Floats:
    z = at[0] + (by[0] if axes[0] == 0 else 0)
    y = at[1] + (by[0] if axes[0] == 1 else 0) + (by[1] if axes[1] == 1 else 0)
    x = at[2] + (by[1] if axes[1] == 2 else 0)
    return image[z, y, x : x + n]


@row_kernel
def _subtract(out: Floats, left: Floats, right: Floats) -> None:
    for i in range(out.size):
        out[i] = left[i] - right[i]


@row_kernel
def _difference(out: Floats, up: Floats, down: Floats, factor: np.float32) -> None:
    for i in range(out.size):
        out[i] = (up[i] - down[i]) * factor


@row_kernel
def _add_square(out: Floats, up: Floats, down: Floats, factor: np.float32) -> None:
    for i in range(out.size):
        step = (up[i] - down[i]) * factor
        out[i] += step * step


@row_kernel
def _bend(out: Floats, up: Floats, centre: Floats, down: Floats, factor: np.float32) -> None:
    for i in range(out.size):
        out[i] = ((up[i] - centre[i]) - (centre[i] - down[i])) * factor


@row_kernel
def _twist(out: Floats, corners: tuple[Floats, Floats, Floats, Floats], factor: np.float32) -> None:
    up_up, up_down, down_up, down_down = corners
    for i in range(out.size):
        out[i] = ((up_up[i] - up_down[i]) - (down_up[i] - down_down[i])) * factor


@row_kernel
def _magnitude(image: Floats, at: Triple, steps: Floats, first: int, out: Floats) -> None:
    for i in range(out.size):
        out[i] = _ZERO
    for axis in range(first, 3):
        up, down = _shifted(image, at, axis, 1, out.size), _shifted(image, at, axis, -1, out.size)
        _add_square(out, up, down, _HALF / steps[axis])
    for i in range(out.size):
        out[i] = np.sqrt(out[i])


@row_kernel
def _second_derivatives(image: Floats, at: Triple, steps: Floats, pairs: Ints, rows: Floats) -> None:
    n = rows.shape[1]
    for pair in range(pairs.shape[0]):
        a, b = pairs[pair, 0], pairs[pair, 1]
        if a == b:
            up, down = _shifted(image, at, a, 1, n), _shifted(image, at, a, -1, n)
            _bend(rows[pair], up, _row(image, at, n), down, _ONE / (steps[a] * steps[a]))
        else:
            corners = (
                _corner(image, at, (a, b), (1, 1), n),
                _corner(image, at, (a, b), (1, -1), n),
                _corner(image, at, (a, b), (-1, 1), n),
                _corner(image, at, (a, b), (-1, -1), n),
            )
            _twist(rows[pair], corners, _QUARTER / (steps[a] * steps[b]))


@row_kernel
def _trace(rows: Floats, axes: int, out: Floats) -> None:
    copy(out, rows[0])
    for axis in range(1, axes):
        row = rows[axis]
        for i in range(out.size):
            out[i] += row[i]


@row_kernel
def _eigenvalues(tensor: Floats, rows: Floats, slots: Ints, first: int, k: int, y: int, out: Floats) -> None:
    """Put the wanted eigenvalues where they belong; the others go to spare rows."""
    if not _wanted(slots, first):
        return
    spare = rows.shape[0] - 3
    large = out[slots[first], k, y] if slots[first] >= 0 else rows[spare]
    second = out[slots[first + 1], k, y] if slots[first + 1] >= 0 else rows[spare + 1]
    if spare == 3:
        eigenvalues_2(tensor, large, second)
    else:
        eigenvalues_3(tensor, large, second, out[slots[first + 2], k, y] if slots[first + 2] >= 0 else rows[spare + 2])


@row_kernel
def _structure_plane(
    slopes: Floats, z: int, taps: tuple[Floats, Floats, Floats], pairs: Ints, plane: Floats, line: Floats, out: Floats
) -> None:
    """Smooth the products of the gradient's parts at one z; the products themselves are never stored."""
    taps_z, taps_y, taps_x = taps
    middle = z + taps_z.size - 1
    for pair in range(pairs.shape[0]):
        left, right = slopes[pairs[pair, 0]], slopes[pairs[pair, 1]]
        for y in range(plane.shape[0]):
            _weigh_product(plane[y], left[middle, y], right[middle, y], taps_z[0])
            for k in range(1, taps_z.size):
                down, up = middle - k, middle + k
                _add_products(plane[y], left[down, y], right[down, y], left[up, y], right[up, y], taps_z[k])
        for y in range(out.shape[0]):
            smooth_across(plane, y + taps_y.size - 1, 1, taps_y, line)
            smooth_along(line, taps_x, 1, out[y, pair])


@row_kernel
def _weigh_product(out: Floats, left: Floats, right: Floats, weight: np.float32) -> None:
    for i in range(out.size):
        out[i] = weight * (left[i] * right[i])


@row_kernel
def _add_products(out: Floats, a: Floats, b: Floats, c: Floats, d: Floats, weight: np.float32) -> None:
    for i in range(out.size):
        out[i] += weight * (a[i] * b[i] + c[i] * d[i])
