"""Callbacks for sknn's estimators and for any ``skorch.NeuralNet``."""

from .early_stopping import EarlyStopping
from .gradient_clipping import GradientClipping
from .gradient_health import Finding, GradientHealth, TrainingHealth

__all__ = ["EarlyStopping", "Finding", "GradientClipping", "GradientHealth", "TrainingHealth"]
