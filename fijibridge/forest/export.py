"""Hand a forest to other programs as an ONNX model."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..errors import EngineMissingError, WriteError
from ._trees import LEAF, Trees
from .model import Forest


def export_onnx(forest: Forest, path: str | os.PathLike[str]) -> None:
    """Write a forest as an ONNX model, for any program that runs those.

    The model takes ``features``, (voxel, feature) float32 as `compute_features` gives them for the forest, and gives
    ``label`` (int64) and ``probabilities`` (float32). It adds up in float32, so its probabilities differ from ours by
    up to 1e-5, and labels may differ where two classes tie.

    Parameters
    ----------
    forest : what to export.
    path : file to write, usually named ``*.onnx``.

    Raises
    ------
    EngineMissingError : the onnx package is not installed.
    WriteError : the file cannot be written there.
    """
    try:
        import onnx
    except ImportError as error:
        raise EngineMissingError("exporting to ONNX needs the onnx package; run: pip install onnx") from error
    model = onnx.helper.make_model(
        _graph(onnx, forest),
        opset_imports=[onnx.helper.make_opsetid("", 15), onnx.helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    try:
        onnx.save(model, os.fspath(path))
    except OSError as error:
        raise WriteError(f"cannot write the ONNX model {path}: {error.strerror or error}") from error


def _graph(onnx: Any, forest: Forest) -> Any:
    """Encode features as bytes, run the trees, name the likeliest class."""
    node, value_info, kinds = onnx.helper.make_node, onnx.helper.make_tensor_value_info, onnx.TensorProto
    constants = {
        "low": forest.coder.low,
        "gain": forest.coder.gain,
        "half": np.float32(0.5),
        "zero": np.float32(0),
        "top": np.float32(255),
        "values": np.array(forest.classes, np.int64),
    }
    ensemble = _ensemble(forest.trees)
    numbers = list(range(len(forest.classes)))
    nodes = [
        node("Sub", ["features", "low"], ["above"]),
        node("Mul", ["above", "gain"], ["steps"]),
        node("Add", ["steps", "half"], ["rounded"]),
        node("Clip", ["rounded", "zero", "top"], ["bounded"]),
        node("Floor", ["bounded"], ["bytes"]),
        node(
            "TreeEnsembleClassifier",
            ["bytes"],
            ["unused", "probabilities"],
            domain="ai.onnx.ml",
            classlabels_int64s=numbers,
            post_transform="NONE",
            **ensemble,
        ),
        # The classifier's own label is not what it seems with two classes: runtimes treat those as one and the rest.
        node("ArgMax", ["probabilities"], ["winner"], axis=1, keepdims=0),
        node("Gather", ["values", "winner"], ["label"]),
    ]
    inputs = [value_info("features", kinds.FLOAT, ["voxel", forest.coder.low.size])]
    outputs = [
        value_info("label", kinds.INT64, ["voxel"]),
        value_info("probabilities", kinds.FLOAT, ["voxel", len(numbers)]),
    ]
    fixed = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return onnx.helper.make_graph(nodes, "fijibridge forest", inputs, outputs, fixed)


def _ensemble(trees: Trees) -> dict[str, list[Any]]:
    """Describe the trees as the attributes of a TreeEnsembleClassifier."""
    column = (trees.nodes & np.uint64(LEAF)).astype(np.int64)
    limit = ((trees.nodes >> np.uint64(16)) & np.uint64(255)).astype(np.float64)
    other = (trees.nodes >> np.uint64(32)).astype(np.int64)
    is_leaf = column == LEAF
    nodes = np.arange(column.size)
    tree = np.searchsorted(trees.roots, nodes, side="right") - 1
    number = nodes - trees.roots[tree]
    classes = trees.leaves.shape[1]
    shares = trees.leaves[other[is_leaf]] / trees.roots.size
    return {
        "nodes_treeids": tree.tolist(),
        "nodes_nodeids": number.tolist(),
        "nodes_featureids": np.where(is_leaf, 0, column).tolist(),
        "nodes_values": np.where(is_leaf, 0.0, limit).tolist(),
        "nodes_modes": np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_truenodeids": np.where(is_leaf, 0, number + 1).tolist(),
        "nodes_falsenodeids": np.where(is_leaf, 0, other - trees.roots[tree]).tolist(),
        "class_treeids": np.repeat(tree[is_leaf], classes).tolist(),
        "class_nodeids": np.repeat(number[is_leaf], classes).tolist(),
        "class_ids": np.tile(np.arange(classes), int(is_leaf.sum())).tolist(),
        "class_weights": shares.ravel().tolist(),
    }
