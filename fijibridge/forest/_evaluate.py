"""Run voxels through the trees, 256 neighbours at a time.

Neighbours mostly go the same way, so all lanes of a brick walk a tree together: a node compares 256 bytes at once and
splits the set of lanes that reached it. A brick looks at some 20 nodes of a tree, where its voxels one by one would
look at 8 each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._encode import LANES, Bytes
from ._numba import kernel, row_kernel
from ._smooth import Triple
from ._trees import LEAF, Trees
from ._vectors import add_to_lanes, first_lane, lanes_at_most

_ALL, _NONE, _ONE = np.uint64(2**64 - 1), np.uint64(0), np.uint64(1)
_COLUMN, _LIMIT, _OTHER = np.uint64(LEAF), np.uint64(16), np.uint64(32)
#: How often it is looked whether a brick's labels are decided, as a share of the trees.
_CHECKS = 10


class _Stack(NamedTuple):
    """Branches still to be walked: node and the lanes that go there."""

    nodes: NDArray[np.int64]
    lanes: NDArray[np.uint64]


def _stack(trees: Trees) -> _Stack:
    return _Stack(np.empty(trees.depth + 1, np.int64), np.empty((trees.depth + 1, 4), np.uint64))


def label_bricks(trees: Trees, bricks: Bytes) -> Bytes:
    """Give (brick, lane) numbers of the class with the highest mean share, the first of several equal ones.

    A sum of shares in whole parts decides nearly all voxels. Where rounding those parts could matter, the shares
    themselves are added up, in float64 and in the order of the trees, as scikit-learn does.
    """
    votes, parts, error = trees.votes
    out = np.empty((bricks.shape[0], LANES), np.uint8)
    sums = np.empty((votes.shape[1] + 1) * LANES, np.uint16)
    totals = np.empty(trees.leaves.shape[1], np.float64)
    every = max(1, trees.roots.size // _CHECKS)
    limits = (parts, 2 * error, every)
    width = bricks.shape[1] * LANES
    _label(
        bricks.reshape(-1),
        width,
        trees.roots,
        trees.nodes,
        votes,
        trees.leaves,
        limits,
        _stack(trees),
        sums,
        totals,
        out,
    )
    return out


def probability_bricks(trees: Trees, bricks: Bytes) -> NDArray[np.float64]:
    """Give (brick, class, lane) mean shares, bit for bit those of scikit-learn's ``predict_proba`` on one thread."""
    out = np.zeros((bricks.shape[0], trees.leaves.shape[1], LANES), np.float64)
    width = bricks.shape[1] * LANES
    _share(bricks.reshape(-1), width, trees.roots, trees.nodes, trees.leaves, _stack(trees), out)
    out /= trees.roots.size
    return out


@kernel
def _label(
    rows: Bytes,
    width: int,
    roots: NDArray[np.int64],
    nodes: NDArray[np.uint64],
    votes: NDArray[np.uint16],
    leaves: NDArray[np.float64],
    limits: Triple,
    stack: _Stack,
    sums: NDArray[np.uint16],
    totals: NDArray[np.float64],
    out: Bytes,
) -> None:
    parts, doubt, every = limits
    count = roots.size
    for brick in range(out.shape[0]):
        at = brick * width
        for i in range(sums.size):
            sums[i] = 0
        decided = False
        for tree in range(count):
            _vote(rows, at, nodes, roots[tree], votes, stack, sums)
            done = tree + 1
            if 2 * done > count and done < count and done % every == 0:
                decided = _choose(sums, done * parts, (count - done) * parts + doubt, out[brick])
                if decided:
                    break
        if not decided and not _choose(sums, count * parts, doubt, out[brick]):
            for lane in range(LANES):
                if out[brick, lane] == 255:
                    out[brick, lane] = _exact(rows, at + lane, roots, nodes, leaves, totals)


@row_kernel
def _vote(
    rows: Bytes,
    at: int,
    nodes: NDArray[np.uint64],
    root: np.int64,
    votes: NDArray[np.uint16],
    stack: _Stack,
    sums: NDArray[np.uint16],
) -> None:
    """Walk one tree with all lanes of a brick and add up the votes of the leaves they reach."""
    node, height = root, 0
    a, b, c, d = _ALL, _ALL, _ALL, _ALL
    while True:
        word = nodes[node]
        column = np.int64(word & _COLUMN)
        other = np.int64(word >> _OTHER)
        if column == LEAF:
            for k in range(votes.shape[1]):
                vote = votes[other, k]
                if vote != 0:
                    first = (k + 1) * LANES
                    add_to_lanes(sums, first, a, vote)
                    add_to_lanes(sums, first + 64, b, vote)
                    add_to_lanes(sums, first + 128, c, vote)
                    add_to_lanes(sums, first + 192, d, vote)
            if height == 0:
                return
            height -= 1
            node = stack.nodes[height]
            a, b, c, d = stack.lanes[height, 0], stack.lanes[height, 1], stack.lanes[height, 2], stack.lanes[height, 3]
            continue
        row = at + column * LANES
        limit = np.uint8(word >> _LIMIT)
        la = lanes_at_most(rows, row, limit) & a
        lb = lanes_at_most(rows, row + 64, limit) & b
        lc = lanes_at_most(rows, row + 128, limit) & c
        ld = lanes_at_most(rows, row + 192, limit) & d
        ra, rb, rc, rd = a ^ la, b ^ lb, c ^ lc, d ^ ld
        if (ra | rb | rc | rd) == _NONE:
            node += 1
        elif (la | lb | lc | ld) == _NONE:
            node = other
        else:
            stack.nodes[height] = other
            stack.lanes[height, 0], stack.lanes[height, 1] = ra, rb
            stack.lanes[height, 2], stack.lanes[height, 3] = rc, rd
            height += 1
            a, b, c, d = la, lb, lc, ld
            node += 1


@row_kernel
def _choose(sums: NDArray[np.uint16], total: int, lead: int, out: Bytes) -> bool:
    """Name each lane's class (255 where none leads by more than `lead`), and tell whether all lanes have one."""
    classes = sums.size // LANES
    for lane in range(LANES):
        rest = np.int64(total)
        for k in range(1, classes):
            rest -= np.int64(sums[k * LANES + lane])
        sums[lane] = np.uint16(rest if rest > 0 else 0)
    undecided = 0
    for lane in range(LANES):
        best, second, winner = np.int64(sums[lane]), np.int64(-1), 0
        for k in range(1, classes):
            value = np.int64(sums[k * LANES + lane])
            if value > best:
                best, second, winner = value, best, k
            elif value > second:
                second = value
        sure = best - second > lead
        out[lane] = np.uint8(winner if sure else 255)
        undecided += 0 if sure else 1
    return undecided == 0


@row_kernel
def _leaf(rows: Bytes, at: int, nodes: NDArray[np.uint64], root: np.int64) -> np.int64:
    """Walk one tree with one lane."""
    node = root
    while True:
        word = nodes[node]
        column = np.int64(word & _COLUMN)
        other = np.int64(word >> _OTHER)
        if column == LEAF:
            return other
        node = node + 1 if rows[at + column * LANES] <= np.uint8(word >> _LIMIT) else other


@row_kernel
def _exact(
    rows: Bytes,
    at: int,
    roots: NDArray[np.int64],
    nodes: NDArray[np.uint64],
    leaves: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> np.uint8:
    for k in range(totals.size):
        totals[k] = 0.0
    for tree in range(roots.size):
        leaf = _leaf(rows, at, nodes, roots[tree])
        for k in range(totals.size):
            totals[k] += leaves[leaf, k]
    winner = 0
    for k in range(1, totals.size):
        # Divided as in scikit-learn: two sums that differ in their last bit may have the same mean.
        if totals[k] / roots.size > totals[winner] / roots.size:
            winner = k
    return np.uint8(winner)


@kernel
def _share(
    rows: Bytes,
    width: int,
    roots: NDArray[np.int64],
    nodes: NDArray[np.uint64],
    leaves: NDArray[np.float64],
    stack: _Stack,
    out: NDArray[np.float64],
) -> None:
    for brick in range(out.shape[0]):
        for tree in range(roots.size):
            for part in range(4):
                first = brick * width + part * 64
                _add_shares(rows, first, nodes, roots[tree], leaves, stack, out[brick, :, part * 64 : part * 64 + 64])


@row_kernel
def _add_shares(
    rows: Bytes,
    at: int,
    nodes: NDArray[np.uint64],
    root: np.int64,
    leaves: NDArray[np.float64],
    stack: _Stack,
    out: NDArray[np.float64],
) -> None:
    """Walk one tree with 64 lanes and add the shares of the leaves they reach."""
    node, height, lanes = root, 0, _ALL
    while True:
        word = nodes[node]
        column = np.int64(word & _COLUMN)
        other = np.int64(word >> _OTHER)
        if column == LEAF:
            while lanes != _NONE:
                lane = first_lane(lanes)
                for k in range(out.shape[0]):
                    out[k, lane] += leaves[other, k]
                lanes &= lanes - _ONE
            if height == 0:
                return
            height -= 1
            node, lanes = stack.nodes[height], stack.lanes[height, 0]
            continue
        left = lanes_at_most(rows, at + column * LANES, np.uint8(word >> _LIMIT)) & lanes
        right = lanes ^ left
        if right == _NONE:
            node += 1
        elif left == _NONE:
            node = other
        else:
            stack.nodes[height], stack.lanes[height, 0] = other, right
            height += 1
            lanes = left
            node += 1
