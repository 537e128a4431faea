"""Predictions and a quantile of scores -> bounds, and which classes are in a set."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from .quantiles import quantile
from .spread import Spread

__all__ = ["IntervalBounds", "bounds", "root_mean_square", "set_threshold"]

# Scores are float32, and probabilities are normalised after the link: equal ones may differ so far.
_ROUNDING = 1e-6
# A score counts as so many times the quantile 0.9 of all at most, so that a few wild targets decide no deviation.
_LARGEST_SCORE = 4.0


def bounds(
    values: Tensor, spread: Tensor | None, columns: tuple[int, int] | None, scores: Tensor, floor: float | None
) -> tuple[Tensor, Tensor]:
    """Lower and upper bounds, (n, n_outputs) each, in the unit of the encoded target.

    `values` (n, n_values) are predictions, `columns` those of the outermost quantile levels if there are several,
    `scores` (1 or n, n_outputs) the quantiles of the scores. No target is below `floor`.
    """
    if columns is None:
        assert spread is not None
        lower, upper = values - scores * spread, values + scores * spread
    else:
        lower, upper = (values[:, column : column + 1] for column in columns)
        lower, upper = lower - scores, upper + scores
        middle = (lower + upper) / 2  # scores may be negative, and the bounds would cross
        lower, upper = torch.where(lower > upper, middle, lower), torch.where(lower > upper, middle, upper)
    return (lower, upper) if floor is None else (lower.clamp(min=floor), upper.clamp(min=floor))


class IntervalBounds(nn.Module):
    """`bounds` for one quantile of the scores, as a part of what is exported: (batch, 2 n_outputs), all lower first."""

    scores: Tensor  # float32 (1, n_outputs)

    def __init__(
        self, spread: Spread | None, columns: tuple[int, int] | None, scores: np.ndarray, floor: float | None
    ) -> None:
        super().__init__()
        self.spread, self.columns, self.floor = spread, columns, floor
        self.register_buffer("scores", torch.tensor(scores[None], dtype=torch.float32))

    def forward(self, x: Tensor, x_cat: Tensor | None, raw: Tensor, values: Tensor) -> Tensor:
        """The bounds of a batch."""
        spread = None if self.spread is None else self.spread(x, x_cat, raw).exp()
        return torch.cat(bounds(values, spread, self.columns, self.scores, self.floor), dim=1)


def root_mean_square(scores: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Of scores (n, n_outputs), float64 (n_outputs,), where wild ones are bounded."""
    scores = scores.astype(np.float64)
    usual = np.array([quantile(column, weight, 0.9) for column in scores.T])
    scores = np.minimum(scores, _LARGEST_SCORE * np.where(np.isfinite(usual), usual, scores.max(axis=0)))
    return np.sqrt(np.average(scores**2, axis=0, weights=weight))


def set_threshold(score: float | np.ndarray) -> np.ndarray:
    """The least probability with which a class is in the set; minus infinity where the score is infinite."""
    return np.where(np.isinf(score), -math.inf, 1 - np.asarray(score) - _ROUNDING)
