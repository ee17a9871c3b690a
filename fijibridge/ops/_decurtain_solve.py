"""Solve for the streaks of all strips at once, by conjugate gradients.

What makes a few steps enough is the preconditioner: the same system with every strip having the mean of all strips'
weights. It falls apart, after a cosine transform over the strips, into one chain of columns for each, which is solved
exactly; what is stiff lies along the columns.
"""

# ruff: noqa: PLR0917  numba compiles positional arguments best
from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]

#: Steps of conjugate gradients: beyond four the streaks change by less than 0.01 grey levels.
_STEPS = 4
_NOTHING, _ONE, _MINUS = np.float32(0), np.float32(1), np.float32(-1)


class System(NamedTuple):
    """What is minimised, as weights of squares: of values, of steps over strips, of steps over columns.

    hold (strips, columns), tie (strips - 1, columns), slope (strips - 1, gaps) of differences of steps over columns
    from strip to strip, across (strips, gaps); `right` is the right side (strips, columns).
    """

    hold: Image
    tie: Image
    slope: Image
    across: Image
    right: Image


def solve(system: System, start: Image) -> Image:
    """Give the solution (strips, columns), beginning with what is known."""
    turn, waves = _cosines(len(start))
    hold, tie, slope, across = (part.mean(axis=0) for part in system[:4])
    pivot, off = _factorise(hold, tie, slope, across, waves)
    found = start.copy()
    _iterate(system[:4], system.right.copy(), found, turn, (pivot, off), _STEPS)
    return found


@functools.cache
def _cosines(count: int) -> tuple[Image, Image]:
    """Give the cosine transform over the strips (strips, waves), and the squared step from strip to strip of each."""
    k = np.arange(count)
    turn = np.cos(np.pi * np.outer(k + 0.5, k) / count) * np.sqrt(np.where(k == 0, 1, 2) / count)
    return turn.astype(np.float32), (2 - 2 * np.cos(np.pi * k / count)).astype(np.float32)


@njit(cache=True, fastmath=True, nogil=True)
def _factorise(hold, tie, slope, across, waves):  # type: ignore[no-untyped-def]
    """Factorise the chains of columns: inverse pivots and steps (columns, waves)."""
    columns, count = hold.size, waves.size
    pivot, off = np.empty((columns, count), np.float32), np.zeros((columns, count), np.float32)
    for x in range(columns):
        for k in range(count):
            pivot[x, k] = hold[x] + tie[x] * waves[k]
        if x < columns - 1:
            for k in range(count):
                off[x, k] = across[x] + slope[x] * waves[k]
    for x in range(columns):
        for k in range(count):
            pivot[x, k] += off[x, k]
            if x > 0:
                pivot[x, k] += off[x - 1, k] - off[x - 1, k] * off[x - 1, k] * pivot[x - 1, k]
            pivot[x, k] = _ONE / pivot[x, k]
    return pivot, off


@njit(cache=True, fastmath=True, nogil=True)
def _iterate(weights, left, found, turn, chains, steps):  # type: ignore[no-untyped-def]
    """Improve `found` in place; `left` is the right side, and then what is left of it."""
    count, columns = found.shape
    flux, work = np.zeros(columns + 1, np.float32), np.empty((columns, count), np.float32)
    toward, image, way = np.empty_like(found), np.empty_like(found), np.zeros_like(found)
    _multiply(weights, found, flux, image)
    _add(left, _MINUS, image)
    before = _ONE
    for n in range(steps):
        _precondition(chains, turn, left, work, toward)
        now = _dot(left, toward)
        if not now > _NOTHING:
            break
        share = now / before if n > 0 else _NOTHING
        for b in range(count):
            for x in range(columns):
                way[b, x] = toward[b, x] + share * way[b, x]
        _multiply(weights, way, flux, image)
        step = now / max(_dot(way, image), np.float32(1e-30))
        _add(found, step, way)
        _add(left, -step, image)
        before = now


@njit(cache=True, fastmath=True, nogil=True)
def _multiply(weights, values, flux, result):  # type: ignore[no-untyped-def]
    """Multiply with the matrix of the system; `flux` is what columns give to the next one, nothing at the ends."""
    hold, tie, slope, across = weights
    count, columns = values.shape
    for b in range(count):
        here, line, weight = values[b], result[b], across[b]
        for x in range(columns - 1):
            flux[x + 1] = weight[x] * (here[x + 1] - here[x])
        for x in range(columns):
            line[x] = hold[b, x] * here[x]
        if b > 0:
            _from_strip(here, values[b - 1], tie[b - 1], slope[b - 1], flux, line)
        if b < count - 1:
            _from_strip(here, values[b + 1], tie[b], slope[b], flux, line)
        for x in range(columns):
            line[x] += flux[x] - flux[x + 1]


@njit(cache=True, fastmath=True, nogil=True)
def _from_strip(here, other, tie, slope, flux, line):  # type: ignore[no-untyped-def]
    for x in range(here.size - 1):
        flux[x + 1] += slope[x] * (here[x + 1] - here[x] - other[x + 1] + other[x])
    for x in range(here.size):
        line[x] += tie[x] * (here[x] - other[x])


@njit(cache=True, fastmath=True, nogil=True)
def _precondition(chains, turn, left, work, result):  # type: ignore[no-untyped-def]
    """Solve the system of the mean strip exactly."""
    pivot, off = chains
    count, columns = left.shape
    for x in range(columns):
        line = work[x]
        line[:] = _NOTHING
        for b in range(count):
            value = left[b, x]
            for k in range(count):
                line[k] += value * turn[b, k]
    for x in range(1, columns):
        for k in range(count):
            work[x, k] += off[x - 1, k] * pivot[x - 1, k] * work[x - 1, k]
    for k in range(count):
        work[columns - 1, k] *= pivot[columns - 1, k]
    for x in range(columns - 2, -1, -1):
        for k in range(count):
            work[x, k] = pivot[x, k] * (work[x, k] + off[x, k] * work[x + 1, k])
    for x in range(columns):
        for b in range(count):
            total = _NOTHING
            for k in range(count):
                total += turn[b, k] * work[x, k]
            result[b, x] = total


@njit(cache=True, fastmath=True, nogil=True)
def _dot(one, other):  # type: ignore[no-untyped-def]
    total = _NOTHING
    for b in range(one.shape[0]):
        for x in range(one.shape[1]):
            total += one[b, x] * other[b, x]
    return total


@njit(cache=True, fastmath=True, nogil=True)
def _add(values, share, other):  # type: ignore[no-untyped-def]
    for b in range(values.shape[0]):
        for x in range(values.shape[1]):
            values[b, x] += share * other[b, x]
