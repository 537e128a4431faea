"""Quantiles of conformal scores, with the correction for a finite number of rows."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["least_rows", "quantile", "quantiles_by_group"]

# Levels such as 0.9 are not exact in binary: 0.9 * 10 rows must not ask for the tenth of nine rows.
_ROUNDING = 1e-9


def quantile(scores: np.ndarray, weight: np.ndarray | None, level: float) -> float:
    """The score that a further row exceeds with probability 1 - `level` at most; infinity if there are too few rows.

    Of n equal weights it is the score of rank ceil((n + 1) * level). `scores` (n,), `weight` (n,) or None. A further
    row counts with the mean weight.
    """
    n = len(scores)
    if n == 0 or (weight is not None and not weight.any()):
        return math.inf
    order = np.argsort(scores, kind="stable")
    weights = np.ones(n) if weight is None else weight[order] / weight.mean()
    reached = np.cumsum(weights) >= level * (weights.sum() + 1) - _ROUNDING
    return float(scores[order][np.argmax(reached)]) if reached.any() else math.inf


def quantiles_by_group(
    scores: np.ndarray, weight: np.ndarray | None, groups: np.ndarray, n_groups: int, level: float
) -> np.ndarray:
    """`quantile` of each group by itself, float64 (n_groups,); `groups` int (n,) from 0.

    Groups with too few rows share the quantile of their rows; where these are too few as well, they get the largest
    one of the others and of all rows, which is wider.
    """
    parts = [groups == group for group in range(n_groups)]
    found = np.array([quantile(scores[part], None if weight is None else weight[part], level) for part in parts])
    is_rare = np.isinf(found)
    if is_rare.any():
        rare = is_rare[groups]
        shared = quantile(scores[rare], None if weight is None else weight[rare], level)
        if math.isinf(shared):
            shared = max([quantile(scores, weight, level), *found[~is_rare]])
        found[is_rare] = shared
    return found


def least_rows(level: float) -> int:
    """Fewest rows for which the quantile at this level is finite."""
    return math.ceil(level / (1 - level) - _ROUNDING)
