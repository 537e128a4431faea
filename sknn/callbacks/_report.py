"""Findings as warnings of their own classes, at the line that called `fit`."""

from __future__ import annotations

import sys
import warnings

from .. import exceptions
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
# Packages whose frames lie between the user's call of `fit` and this file.
_BETWEEN = ("sknn", "skorch", "sklearn", "contextlib", "joblib")


def warn_of(finding: Finding) -> None:
    """Warn with the class of the symptom, so that a filter can silence one symptom only."""
    warnings.warn(str(finding), WARNINGS[finding.symptom], stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Frames from `warn_of` to the code that called `fit`, for `warnings.warn`."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
        level, frame = level + 1, frame.f_back
    return level
