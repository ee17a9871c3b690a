"""Random-forest pixel classification: features, training, prediction, the model file."""

from .features import FeatureSet
from .model import Forest
from .training import Trainer, train

__all__ = ["FeatureSet", "Forest", "Trainer", "train"]
