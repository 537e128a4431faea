"""Callbacks for sknn's estimators and for any ``skorch.NeuralNet``."""

from .early_stopping import EarlyStopping
from .gradient_clipping import GradientClipping
from .gradient_health import EpochHealth, Finding, GradientHealth, LayerHealth, Notice, Repair, TrainingHealth

__all__ = [
    "EarlyStopping",
    "EpochHealth",
    "Finding",
    "GradientClipping",
    "GradientHealth",
    "LayerHealth",
    "Notice",
    "Repair",
    "TrainingHealth",
]
