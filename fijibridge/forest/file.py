"""Save a forest to an .fbforest file and read it back, trusting nothing in the file."""

from __future__ import annotations

import os
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import FijibridgeError, ModelError
from ..volume import VoxelSize
from ._container import read_container, write_container
from ._encode import Coder
from ._trees import LEAF, Trees
from .features import FeatureSet
from .model import Forest

_ARRAYS = {
    "low": "f4",
    "gain": "f4",
    "importance": "f8",
    "roots": "i8",
    "nodes": "u8",
    "leaves": "f8",
}


def save_forest(forest: Forest, path: str | os.PathLike[str]) -> None:
    """Write a forest to a file, whole or not at all.

    Parameters
    ----------
    forest : what to save.
    path : file to write, usually named ``*.fbforest``.

    Raises
    ------
    WriteError : the file cannot be written there.
    """
    header = {
        "features": {
            "names": list(forest.features.names),
            "unit": forest.features.unit,
            "flat": forest.features.flat,
        },
        "dimensions": forest.dimensions,
        "voxel_size": list(forest.voxel_size),
        "classes": list(forest.classes),
        "gain": forest.gain,
        "provenance": dict(forest.provenance),
    }
    arrays: dict[str, NDArray[Any]] = {
        "low": forest.coder.low,
        "gain": forest.coder.gain,
        "importance": forest.importance,
        "roots": forest.trees.roots,
        "nodes": forest.trees.nodes,
        "leaves": forest.trees.leaves,
    }
    write_container(Path(path), header, arrays)


def load_forest(path: str | os.PathLike[str]) -> Forest:
    """Read a forest from a file and check everything that predicting relies on.

    Raises
    ------
    ModelError : the file cannot be read, is damaged, or holds what is no forest (such as trees with loops).
    """
    place = Path(path)
    header, arrays = read_container(place)
    try:
        return _forest(header, arrays)
    except ModelError as error:
        raise ModelError(f"{place} is no valid forest: {error}") from error
    except (KeyError, TypeError, ValueError, OverflowError, FijibridgeError) as error:
        raise ModelError(f"{place} is no valid forest: its header does not fit ({error})") from error


def _forest(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Forest:
    features = _features(header["features"])
    dimensions = header["dimensions"]
    if dimensions not in (2, 3) or type(dimensions) is not int:
        _refuse(f"it has {dimensions!r} dimensions")
    columns = len(features.columns(dimensions=dimensions))
    classes = _classes(header["classes"])
    for name, dtype in _ARRAYS.items():
        if name not in arrays or arrays[name].dtype != np.dtype(dtype) or arrays[name].ndim != 1 + (name == "leaves"):
            _refuse(f"its array {name!r} is missing or of the wrong kind")
    for name in ("low", "gain", "importance"):
        if arrays[name].size != columns or not np.isfinite(arrays[name]).all():
            _refuse(f"its array {name!r} does not hold one number for each of {columns} features")
    gain = float(header["gain"])
    if not (isfinite(gain) and gain > 0):
        _refuse(f"its grey values are multiplied by {gain}")
    if not isinstance(header["provenance"], dict):
        _refuse("its provenance is no JSON object")
    trees = Trees(arrays["roots"], arrays["nodes"], arrays["leaves"])
    _check_trees(trees, columns, len(classes))
    coder = Coder(arrays["low"], arrays["gain"])
    size = _voxel_size(header["voxel_size"])
    return Forest(features, dimensions, size, classes, gain, coder, trees, arrays["importance"], header["provenance"])


def _features(entry: dict[str, Any]) -> FeatureSet:
    names, flat = entry["names"], entry["flat"]
    if not isinstance(names, list) or len(names) > 10_000 or not all(isinstance(name, str) for name in names):
        _refuse("its features are no list of names")
    return FeatureSet(tuple(names), unit=entry["unit"], flat=flat is True)


def _classes(entry: Any) -> tuple[int, ...]:
    if not isinstance(entry, list) or not all(type(value) is int and 1 <= value <= 255 for value in entry):
        _refuse("its classes are no list of label values")
    if len(entry) < 2 or sorted(set(entry)) != entry:
        _refuse("its classes are not two or more ascending label values")
    return tuple(entry)


def _voxel_size(entry: Any) -> VoxelSize:
    z, y, x, units = entry
    if units not in ("nm", "um", "voxel") or not all(isfinite(edge) and edge > 0 for edge in (z, y, x)):
        _refuse(f"its voxel size is {entry!r:.80}")
    return VoxelSize(float(z), float(y), float(x), units)


def _check_trees(trees: Trees, columns: int, classes: int) -> None:
    """Make sure that a walk from any root ends at a leaf that exists, whatever the features are."""
    roots, nodes, leaves = trees.roots, trees.nodes, trees.leaves
    count = nodes.size
    if not 1 <= roots.size <= 1000 or roots[0] != 0 or (np.diff(roots) < 1).any() or roots[-1] >= count:
        _refuse("its roots do not begin one tree after the other")
    column = (nodes & np.uint64(LEAF)).astype(np.int64)
    other = (nodes >> np.uint64(32)).astype(np.int64)
    inner = np.flatnonzero(column != LEAF)
    if (column[inner] >= columns).any():
        _refuse("a tree asks for a feature that does not exist")
    ends = np.append(roots[1:], count)[np.searchsorted(roots, inner, side="right") - 1]
    # Children behind their parent and within its tree: no loop, and no way into another tree.
    if (other[inner] <= inner + 1).any() or (other[inner] >= ends).any():
        _refuse("a branch of a tree leads astray")
    parents = np.bincount(np.concatenate([inner + 1, other[inner], roots]), minlength=count)
    if parents.size != count or (parents != 1).any():
        _refuse("a node of a tree has no parent or two")
    if leaves.shape[1] != classes or not np.array_equal(other[column == LEAF], np.arange(leaves.shape[0])):
        _refuse("its leaves are not numbered one after the other, with a share for each class")
    if not (np.isfinite(leaves).all() and (leaves >= 0).all() and (abs(leaves.sum(axis=1) - 1) < 1e-6).all()):
        _refuse("the shares of a leaf do not add up to one")


def _refuse(what: str) -> NoReturn:
    raise ModelError(what)
