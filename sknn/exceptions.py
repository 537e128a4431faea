"""Warnings and errors that sknn raises beside ValueError and TypeError."""

from __future__ import annotations

from typing import Any

__all__ = ["GradientHealthWarning", "TrainingHealthError"]


class GradientHealthWarning(UserWarning):
    """A training is sick: the message names the symptom, the evidence and the remedy."""


class TrainingHealthError(ValueError):
    """A training is sick and ``gradient_health="raise"`` asked for an error.

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
