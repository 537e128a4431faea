"""Warnings and errors that sknn raises beside ValueError and TypeError."""

from __future__ import annotations

from typing import Any

__all__ = [
    "CheckpointError",
    "DamagedFileError",
    "DeadUnitsWarning",
    "ExplodingWarning",
    "FileError",
    "GradientHealthWarning",
    "InputScaleWarning",
    "LossDivergingWarning",
    "NonFiniteWarning",
    "NotLearningWarning",
    "OutputMismatchWarning",
    "OverfittingWarning",
    "ReproductionError",
    "SaturatedUnitsWarning",
    "SymmetricInitWarning",
    "TrainingHealthError",
    "UntrustedFileError",
    "VanishingWarning",
    "VersionError",
]


class GradientHealthWarning(UserWarning):
    """Training goes wrong: the message names the symptom, evidence and remedy. There is a subclass for each symptom."""


class NonFiniteWarning(GradientHealthWarning):
    """NaN or infinity in input, loss, gradient or weights."""


class ExplodingWarning(GradientHealthWarning):
    """Gradients that grow towards the input, or a first loss far above that of a constant guess."""


class VanishingWarning(GradientHealthWarning):
    """First layers that get next to no gradient."""


class DeadUnitsWarning(GradientHealthWarning):
    """Units that no row activates."""


class SaturatedUnitsWarning(GradientHealthWarning):
    """Bounded units in their flat parts."""


class LossDivergingWarning(GradientHealthWarning):
    """A training loss that rises and stays up."""


class NotLearningWarning(GradientHealthWarning):
    """No better than a constant guess."""


class OverfittingWarning(GradientHealthWarning):
    """A validation loss that rises while the training loss falls, with nothing that stops it."""


class InputScaleWarning(GradientHealthWarning):
    """Inputs far out of scale."""


class OutputMismatchWarning(GradientHealthWarning):
    """The last operation of the network and the loss do not belong together."""


class SymmetricInitWarning(GradientHealthWarning):
    """A hidden layer whose units are all the same."""


class TrainingHealthError(ValueError):
    """Training goes wrong, and ``gradient_health="raise"`` asked for an error.

    Attributes
    ----------
    health : TrainingHealth
        The record that ``health_`` would have held.
    """

    def __init__(self, message: str, health: Any = None) -> None:
        super().__init__(message)
        self.health = health

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.health)


class FileError(ValueError):
    """A file that :func:`sknn.load` cannot read; nothing of it was executed. There is a subclass for each reason."""


class DamagedFileError(FileError):
    """Truncated, edited, incomplete, or not written by :func:`sknn.save`."""


class UntrustedFileError(FileError):
    """It names classes that are not trusted, paths outside the file, or sizes that no model has."""


class VersionError(FileError):
    """Written in a format that this version of sknn does not read."""


class ReproductionError(FileError):
    """The model that was loaded does not predict what it predicted when it was saved."""


class CheckpointError(ValueError):
    """The checkpoint cannot be used: it belongs to other data, parameters or code, is damaged, or cannot be written."""
