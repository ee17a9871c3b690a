"""Thinned copies of a volume for the large scales, region by region, and the features computed on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from math import ceil, lcm, prod, sqrt
from typing import NamedTuple

import numpy as np

from ._derive import Smoothed, derive, slope
from ._interpolate import before
from ._plan import Plan, Scale, parent, thinning_sigma
from ._smooth import Floats, Ints, Triple, gaussian_taps, reflect, smooth, thinning_taps

Run = Callable[[Iterable[Callable[[], None]]], None]
#: Voxels of one piece of work, z y x: long rows for the vector units, planes that stay in the second-level cache; and
#: pieces of few slices, large enough that Python's share of the work does not show.
_TILE, _THIN_TILE, _FLAT_TILE = (32, 64, 128), (16, 128, 256), (1, 256, 512)


class Box(NamedTuple):
    """Voxels `low` to `high` (not included) along z, y, x."""

    low: Triple
    high: Triple

    @property
    def shape(self) -> Triple:
        """Give the number of voxels along each axis."""
        z, y, x = (b - a for a, b in zip(self.low, self.high, strict=True))
        return (z, y, x)

    def grown(self, by: Triple) -> Box:
        """Give the box with `by` more voxels at both ends of each axis."""
        return _box((a - n, b + n) for a, b, n in zip(self.low, self.high, by, strict=True))

    def mirrored(self, periods: Triple) -> Box:
        """Give the smallest box that holds what is seen in these voxels, in the volume itself or in its mirrors."""
        seen = [reflect(np.arange(a, b), n) for a, b, n in zip(self.low, self.high, periods, strict=True)]
        return _box((int(axis.min()), int(axis.max()) + 1) for axis in seen)

    def thinned(self, factors: Triple) -> Box:
        """Give the voxels of a coarser grid between which the box's voxels lie."""
        return _box((before(a, f), before(b - 1, f) + 2) for a, b, f in zip(self.low, self.high, factors, strict=True))

    def tiles(self) -> Iterator[Box]:
        """Cut the box into pieces of work."""
        depth = self.shape[0]
        size = _FLAT_TILE if depth == 1 else _THIN_TILE if depth <= _THIN_TILE[0] else _TILE
        z, y, x = (_even(n, most) for n, most in zip(self.shape, size, strict=True))
        return self.cut((z, y, x))

    def cut(self, size: Triple) -> Iterator[Box]:
        """Cut the box into pieces of at most `size`, aligned to its low corner."""
        starts = (range(a, b, n) for a, b, n in zip(self.low, self.high, size, strict=True))
        for corner in product(*starts):
            yield _box((a, min(a + n, b)) for a, n, b in zip(corner, size, self.high, strict=True))

    def slices(self, origin: Triple = (0, 0, 0)) -> tuple[slice, slice, slice]:
        """Give the index of the box in an array whose first voxel is `origin`."""
        z, y, x = (slice(a - o, b - o) for a, b, o in zip(self.low, self.high, origin, strict=True))
        return (z, y, x)


class Piece(NamedTuple):
    """Part of a grid: its data, where it begins, and after how many voxels its mirror images repeat."""

    data: Floats
    low: Triple
    periods: Triple

    def rows(self, box: Box) -> tuple[Ints, Ints, Ints]:
        """Say for each axis where in `data` the voxels of a box lie."""
        z, y, x = (
            reflect(np.arange(a, b), period) - low
            for a, b, period, low in zip(*box, self.periods, self.low, strict=True)
        )
        return (z, y, x)


def _even(length: int, usual: int) -> int:
    """Give the length of pieces of about the `usual` length, none of them so short that it is mostly halo."""
    count = max(1, ceil(length / usual - 0.25))
    return -(-length // (8 * count)) * 8


def _box(ends: Iterable[tuple[int, int]]) -> Box:
    (z0, z1), (y0, y1), (x0, x1) = ends
    return Box((z0, y0, x0), (z1, y1, x1))


def smoothed(piece: Piece, box: Box, taps: tuple[Floats, Floats, Floats], strides: Triple = (1, 1, 1)) -> Floats:
    """Smooth a box (in voxels after thinning by `strides`), mirroring the whole volume at its faces."""
    return smooth(piece.data, piece.rows(_reach(box, taps, strides)), taps, box.shape, strides=strides)


def _reach(box: Box, taps: tuple[Floats, Floats, Floats], strides: Triple) -> Box:
    """Give what a box depends on, in voxels before thinning."""
    return _box((a * s - t.size + 1, b * s + t.size - 1) for a, b, s, t in zip(*box, strides, taps, strict=True))


def prepare(piece: Piece, box: Box, scale: Scale) -> Smoothed:
    """Smooth what the features of one scale in one box are derived from."""
    image = smoothed(piece, box.grown(scale.margin), scale.taps)
    flat = scale.sigma[0] == 0
    nothing = np.empty((0, 0, 0), np.float32)
    finer = smoothed(piece, box, scale.finer_taps) if scale.differs else nothing
    steps = np.array(scale.steps, np.float32)
    slopes = nothing[None]
    if scale.structured:
        z, y, x = (n - (0 if flat and axis == 0 else 2) for axis, n in enumerate(image.shape))
        slopes = np.empty((3, z, y, x), np.float32)
        slope(image, steps, flat, slopes)
    return Smoothed(image, scale.margin, finer, slopes, scale.window_taps, steps)


class Coarse(NamedTuple):
    """Features on a coarser grid around one block of the volume."""

    factors: Triple
    corner: Triple
    values: Floats
    targets: Ints


def coarse_bases(read: Callable[[Box], Piece], plan: Plan, box: Box, shape: Triple, run: Run) -> dict[Triple, Piece]:
    """Thin what surrounds a box of a volume of `shape`; `read` gives the volume, `run` does pieces of work."""
    bases: dict[Triple, Piece] = {}
    needs = _needs(plan, box, shape)
    for factors, need in sorted(needs.items()):
        finer = parent(factors)
        source = read if finer == (1, 1, 1) else _cut(bases[finer])
        bases[factors] = Piece(_thin(source, factors, need, run), need.low, periods(shape, factors))
    return bases


def coarse_features(bases: dict[Triple, Piece], plan: Plan, box: Box, run: Run) -> list[Coarse]:
    """Compute the features of the coarser grids around a box."""
    found = [_features(bases[factors], scales, box, plan.dimensions) for factors, scales in plan.grids.items()]
    # All grids together, so that no thread waits for the others after each of them.
    run(job for _, jobs in found for job in jobs)
    return [coarse for coarse, _ in found]


def periods(shape: Triple, factors: Triple) -> Triple:
    """Give after how many voxels of a grid the mirror images of a volume repeat; mostly two lengths of the volume."""
    z, y, x = (lcm(2 * n, f) // f for n, f in zip(shape, factors, strict=True))
    return (z, y, x)


def _needs(plan: Plan, box: Box, shape: Triple) -> dict[Triple, Box]:
    """Say which part of each grid is needed: for its own features, and to make the coarser grids from."""
    open_needs = {
        factors: box.thinned(factors).grown(_halo(scales)).mirrored(periods(shape, factors))
        for factors, scales in plan.grids.items()
    }
    needs: dict[Triple, Box] = {}
    while open_needs:
        # A parent is finer in every axis that is thinned: the coarsest has no coarser grid left that asks for more.
        factors = max(open_needs, key=prod)
        needs[factors] = open_needs.pop(factors)
        finer = parent(factors)
        if finer != (1, 1, 1):
            source = _source_box(needs[factors], factors).mirrored(periods(shape, finer))
            open_needs[finer] = _union(open_needs[finer], source) if finer in open_needs else source
    return needs


def read_for(plan: Plan, box: Box, shape: Triple) -> Box:
    """Give the part of a volume of `shape` that is read for the features of a box."""
    full = periods(shape, (1, 1, 1))
    read = box.grown(plan.halo).mirrored(full)
    for factors, need in _needs(plan, box, shape).items():
        if parent(factors) == (1, 1, 1):
            read = _union(read, _source_box(need, factors).mirrored(full))
    return read


def _halo(scales: tuple[Scale, ...]) -> Triple:
    z, y, x = (max(scale.halo[axis] for scale in scales) for axis in range(3))
    return (z, y, x)


def _union(a: Box, b: Box) -> Box:
    return _box((min(p, q), max(r, s)) for p, q, r, s in zip(a.low, b.low, a.high, b.high, strict=True))


def _thinning(factors: Triple) -> tuple[Triple, tuple[Floats, Floats, Floats]]:
    """Give strides and kernels from the parent grid to this one."""
    finer = parent(factors)
    strides = (factors[0] // finer[0], factors[1] // finer[1], factors[2] // finer[2])
    z, y, x = (
        thinning_taps(sqrt(thinning_sigma(f) ** 2 - thinning_sigma(p) ** 2) / p) if f > p else gaussian_taps(0)
        for f, p in zip(factors, finer, strict=True)
    )
    return strides, (z, y, x)


def _source_box(box: Box, factors: Triple) -> Box:
    strides, taps = _thinning(factors)
    return _reach(box, taps, strides)


def _cut(piece: Piece) -> Callable[[Box], Piece]:
    return lambda box: piece


def _thin(read: Callable[[Box], Piece], factors: Triple, box: Box, run: Run) -> Floats:
    strides, taps = _thinning(factors)
    out = np.empty(box.shape, np.float32)

    def work(tile: Box) -> Callable[[], None]:
        def fill() -> None:
            piece = read(_source_box(tile, factors))
            out[tile.slices(box.low)] = smoothed(piece, tile, taps, strides)

        return fill

    run(work(tile) for tile in box.tiles())
    return out


def _features(
    base: Piece, scales: tuple[Scale, ...], box: Box, dimensions: int
) -> tuple[Coarse, list[Callable[[], None]]]:
    """Give the features of one grid, still empty, and the pieces of work that fill them."""
    factors = scales[0].factors
    inner = box.thinned(factors)
    targets = np.concatenate([scale.targets for scale in scales])
    values = np.empty((targets.size, *inner.shape), np.float32)

    def work(tile: Box, scale: Scale, first: int) -> Callable[[], None]:
        def fill() -> None:
            ready = prepare(base, tile, scale)
            found = derive(ready, scale.slots, range(tile.shape[0]), tile.shape, dimensions=dimensions)
            values[(slice(first, first + scale.targets.size), *tile.slices(inner.low))] = found

        return fill

    firsts = np.cumsum([0, *(scale.targets.size for scale in scales)])
    jobs = [
        work(tile, scale, int(first)) for scale, first in zip(scales, firsts, strict=False) for tile in inner.tiles()
    ]
    return Coarse(factors, inner.low, values, targets), jobs
