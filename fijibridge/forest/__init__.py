"""Random-forest pixel classification: features, training, prediction, the model file.

What trains comes with scikit-learn, whose import takes longer than predicting a small volume: it is loaded when asked
for, so that a program that only predicts starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._blocks import cores
from .compute import compute_features
from .export import export_onnx
from .features import FeatureSet
from .file import load_forest, save_forest
from .ilastik import IlastikProject, read_ilastik
from .model import Forest

if TYPE_CHECKING:
    from .training import Trainer, train
    from .validation import CrossValidation, Suggestion, cross_validate, suggest_features

_LATER = {
    "Trainer": "training",
    "train": "training",
    "CrossValidation": "validation",
    "Suggestion": "validation",
    "cross_validate": "validation",
    "suggest_features": "validation",
}

__all__ = [
    "CrossValidation",
    "FeatureSet",
    "Forest",
    "IlastikProject",
    "Suggestion",
    "Trainer",
    "compute_features",
    "cores",
    "cross_validate",
    "export_onnx",
    "load_forest",
    "read_ilastik",
    "save_forest",
    "suggest_features",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
