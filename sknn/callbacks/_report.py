"""Findings as warnings of their own classes, at the line that called `fit`."""

from __future__ import annotations

import warnings

from .. import exceptions
from .._errors import level_of_caller
from .._health.record import Finding

__all__ = ["WARNINGS", "warn_of"]

WARNINGS = {
    "non_finite": exceptions.NonFiniteWarning,
    "exploding": exceptions.ExplodingWarning,
    "vanishing": exceptions.VanishingWarning,
    "dead_units": exceptions.DeadUnitsWarning,
    "saturated_units": exceptions.SaturatedUnitsWarning,
    "loss_diverging": exceptions.LossDivergingWarning,
    "not_learning": exceptions.NotLearningWarning,
    "overfitting": exceptions.OverfittingWarning,
    "input_scale": exceptions.InputScaleWarning,
    "output_mismatch": exceptions.OutputMismatchWarning,
    "symmetric_init": exceptions.SymmetricInitWarning,
}


def warn_of(finding: Finding) -> None:
    """Warn with the class of the symptom, so that a filter can silence one symptom only."""
    warnings.warn(str(finding), WARNINGS[finding.symptom], stacklevel=level_of_caller())
