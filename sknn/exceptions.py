"""Warnings and errors of sknn beside ValueError and TypeError."""

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
    """Training goes wrong: the message names the symptom, the evidence and the remedy. Each symptom has a subclass."""


class NonFiniteWarning(GradientHealthWarning):
    """There is NaN or infinity in the input, loss, gradients or weights."""


class ExplodingWarning(GradientHealthWarning):
    """Gradients grow towards the input, or the first loss is far above that of a constant prediction."""


class VanishingWarning(GradientHealthWarning):
    """The first layers receive almost no gradient."""


class DeadUnitsWarning(GradientHealthWarning):
    """Some units are not activated by any row."""


class SaturatedUnitsWarning(GradientHealthWarning):
    """Bounded units are saturated: their activations are where the gradient is almost zero."""


class LossDivergingWarning(GradientHealthWarning):
    """The training loss rises and does not fall again."""


class NotLearningWarning(GradientHealthWarning):
    """The network does not become better than a constant prediction."""


class OverfittingWarning(GradientHealthWarning):
    """The validation loss rises while the training loss falls, and early stopping is off."""


class InputScaleWarning(GradientHealthWarning):
    """The scale of the inputs is far from 1."""


class OutputMismatchWarning(GradientHealthWarning):
    """The last operation of the network does not match the loss."""


class SymmetricInitWarning(GradientHealthWarning):
    """All units of a hidden layer are the same."""


class TrainingHealthError(ValueError):
    """Training goes wrong and ``gradient_health="raise"`` asked for an error.

    Attributes
    ----------
    health : TrainingHealth
        The record that would have become ``health_``.
    """

    def __init__(self, message: str, health: Any = None) -> None:
        super().__init__(message)
        self.health = health

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.health)


class FileError(ValueError):
    """A file that :func:`sknn.load` refuses; no code from it was executed. There is a subclass for each reason."""


class DamagedFileError(FileError):
    """The file is truncated, edited or incomplete, or was not written by :func:`sknn.save`."""


class UntrustedFileError(FileError):
    """The file uses classes that are not trusted, paths outside it, or sizes far beyond those of any model."""


class VersionError(FileError):
    """The file is written in a format that this version of sknn cannot read."""


class ReproductionError(FileError):
    """The loaded model does not predict what it predicted when it was saved."""


class CheckpointError(ValueError):
    """A checkpoint cannot be used: it belongs to different data or parameters, is damaged, or cannot be written."""
