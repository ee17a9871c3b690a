"""Random-forest pixel classification: features, training, prediction, the model file."""

from .compute import compute_features
from .export import export_onnx
from .features import FeatureSet
from .file import load_forest, save_forest
from .ilastik import IlastikProject, read_ilastik
from .model import Forest
from .training import Trainer, train
from .validation import CrossValidation, Suggestion, cross_validate, suggest_features

__all__ = [
    "CrossValidation",
    "FeatureSet",
    "Forest",
    "IlastikProject",
    "Suggestion",
    "Trainer",
    "compute_features",
    "cross_validate",
    "export_onnx",
    "load_forest",
    "read_ilastik",
    "save_forest",
    "suggest_features",
    "train",
]
