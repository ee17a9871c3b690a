"""A Gaussian over a volume, one z plane at a time: all that is read or written twice stays in the cache."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io.spill import new_array
from ._running import told

Plane = NDArray[np.floating[Any]]


def gaussian(data: NDArray[Any], sigma: float, radius: int) -> NDArray[Any]:
    """Smooth a (z, y, x) array along all axes and give it in its own dtype, integers rounded with halves up.

    Beyond its faces the array goes on as its outermost voxels. Every voxel takes the same steps in the same order,
    wherever it lies, so that a part of the array with `radius` voxels around it gives the same bits. Sums run in
    float32, for integers of more than 16 bits and float64 in float64.
    """
    exact = np.float32 if data.dtype.itemsize <= 2 or data.dtype == np.float32 else np.float64
    taps = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    taps = (taps / (taps[0] + 2 * taps[1:].sum())).astype(exact)
    out, tell = new_array(data.shape, data.dtype), told()
    window = _Window(data, radius, exact)
    smooth_plane = _in_plane(data.shape[1], data.shape[2], taps)
    for z in range(data.shape[0]):
        _store(smooth_plane(window.at), out[z])
        window.advance()
        tell((z + 1) / data.shape[0])
    return out


class _Window:
    """The planes around the present one, as floats; beyond the ends the end planes again."""

    def __init__(self, data: NDArray[Any], radius: int, exact: type[np.floating[Any]]) -> None:
        self._data, self._radius, self._exact = data, radius, exact
        self._next = 1
        self._planes = deque([self._plane(0)] * (radius + 1), maxlen=2 * radius + 1)
        for _ in range(radius):
            self.advance()

    def _plane(self, z: int) -> Plane:
        plane: Plane = self._data[z].astype(self._exact, copy=False)
        return plane

    def advance(self) -> None:
        """Move on by one plane."""
        at_end = self._next >= self._data.shape[0]
        self._planes.append(self._planes[-1] if at_end else self._plane(self._next))
        self._next += 1

    def at(self, step: int) -> Plane:
        """Give the plane `step` behind (or, negative, before) the present one."""
        return self._planes[self._radius + step]


def _in_plane(height: int, width: int, taps: Plane) -> Callable[[Callable[[int], Plane]], Plane]:
    """Make the smoothing of one plane from the planes around it; its buffers are used again for each."""
    radius = len(taps) - 1
    rows = np.empty((height + 2 * radius, width), taps.dtype)
    columns = np.empty((height, width + 2 * radius), taps.dtype)
    result, spare = np.empty((height, width), taps.dtype), np.empty((height, width), taps.dtype)

    def smooth_plane(plane_at: Callable[[int], Plane]) -> Plane:
        _blend(plane_at, taps, rows[radius : radius + height], spare)
        rows[:radius], rows[radius + height :] = rows[radius], rows[radius + height - 1]
        _blend(lambda k: rows[radius + k : radius + k + height], taps, columns[:, radius : radius + width], spare)
        columns[:, :radius] = columns[:, radius : radius + 1]
        columns[:, radius + width :] = columns[:, radius + width - 1 : radius + width]
        _blend(lambda k: columns[:, radius + k : radius + k + width], taps, result, spare)
        return result

    return smooth_plane


def _blend(part: Callable[[int], Plane], taps: Plane, out: Plane, spare: Plane) -> None:
    """Add up the shifted parts, weighed by the taps; those of equal distance share a multiplication."""
    np.multiply(part(0), taps[0], out=out)
    for k in range(1, len(taps)):
        np.add(part(-k), part(k), out=spare)
        np.multiply(spare, taps[k], out=spare)
        np.add(out, spare, out=out)


def _store(plane: Plane, out: NDArray[Any]) -> None:
    if out.dtype.kind == "f":
        out[...] = plane
        return
    plane += 0.5
    np.floor(plane, out=plane)
    np.copyto(out, plane, casting="unsafe")
