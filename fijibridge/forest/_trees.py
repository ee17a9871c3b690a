"""The forest as flat arrays: 8 bytes a node, read in the order in which a tree is walked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

#: Stands in a node's column for "this is a leaf".
LEAF = 0xFFFF
_FULL = 65535


@dataclass(frozen=True)
class Trees:
    """All trees of a forest.

    Attributes
    ----------
    roots : (tree,) int64, the first node of each tree.
    nodes : (node,) uint64. Bits 0-15: column, or `LEAF`; bits 16-23: threshold; bits 32-63: the right child, or the
        number of the leaf. Voxels at or below the threshold go left, which is the next node: a tree lies in the order
        root, left branch, right branch.
    leaves : (leaf, class) float64, the share of each class.
    """

    roots: NDArray[np.int64]
    nodes: NDArray[np.uint64]
    leaves: NDArray[np.float64]

    @property
    def columns(self) -> NDArray[np.int64]:
        """Give the columns that some node asks for, ascending."""
        found = np.unique(self.nodes & np.uint64(LEAF)).astype(np.int64)
        return np.asarray(found[found != LEAF])

    @cached_property
    def depth(self) -> int:
        """Give the longest way from a root to a leaf, in nodes."""
        kinds, others = self.nodes & np.uint64(LEAF), (self.nodes >> np.uint64(32)).astype(np.int64)
        depths = np.ones(self.nodes.size, np.int64)
        for node in np.flatnonzero(kinds != LEAF):
            depths[node + 1] = depths[others[node]] = depths[node] + 1
        return int(depths.max())

    @cached_property
    def votes(self) -> tuple[NDArray[np.uint16], int, int]:
        """Give `leaves` in whole parts of a tree's vote, the parts of one vote, and by how many parts a sum may err.

        The sum over all trees fits 16 bits. Only classes but the first are held: the first has the rest.
        """
        parts = _FULL // self.roots.size
        exact = self.leaves[:, 1:] * parts
        whole = np.rint(exact)
        errors = np.abs(whole - exact).sum(axis=1)
        tree = np.searchsorted(self._first_leaves, np.arange(errors.size), side="right") - 1
        worst = np.zeros(self.roots.size)
        np.maximum.at(worst, tree, errors)
        return whole.astype(np.uint16), parts, int(np.ceil(worst.sum()))

    @cached_property
    def _first_leaves(self) -> NDArray[np.int64]:
        """Leaves are numbered in the order of their nodes."""
        before = np.concatenate([[0], np.cumsum((self.nodes & np.uint64(LEAF)) == LEAF)])
        return before[self.roots]

    def renumbered(self, columns: NDArray[np.int64]) -> Trees:
        """Give the same trees asking for columns by their place in `columns`."""
        place = np.zeros(int(columns.max(initial=0)) + 1, np.uint64)
        place[columns] = np.arange(columns.size)
        nodes = self.nodes.copy()
        inner = (nodes & np.uint64(LEAF)) != LEAF
        old = (nodes[inner] & np.uint64(LEAF)).astype(np.int64)
        nodes[inner] = (nodes[inner] & ~np.uint64(LEAF)) | place[old]
        return Trees(self.roots, nodes, self.leaves)


def pack(forest: RandomForestClassifier) -> Trees:
    """Pack a scikit-learn forest that was trained on bytes."""
    sizes = [estimator.tree_.node_count for estimator in forest.estimators_]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    nodes, leaves, count = [], [], 0
    for root, estimator in zip(roots, forest.estimators_, strict=True):
        tree = estimator.tree_
        is_leaf = tree.children_left < 0
        number = count + np.cumsum(is_leaf) - 1
        # Bytes are whole numbers: at most 3.5 is at most 3. scikit-learn numbers a left child right after its parent.
        limit = np.floor(np.where(is_leaf, 0, tree.threshold)).astype(np.uint64)
        column = np.where(is_leaf, LEAF, tree.feature).astype(np.uint64)
        other = np.where(is_leaf, number, root + tree.children_right).astype(np.uint64)
        nodes.append(column | limit << np.uint64(16) | other << np.uint64(32))
        leaves.append(tree.value[is_leaf, 0])
        count += int(is_leaf.sum())
    return Trees(roots, np.concatenate(nodes), np.ascontiguousarray(np.concatenate(leaves), np.float64))
