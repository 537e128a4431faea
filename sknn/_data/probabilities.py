"""Probabilities of float32 as probabilities of float64.

This file imports numpy only: the predictor that ``export_numpy`` writes contains it word for word.
"""

from __future__ import annotations

import numpy as np

# Largest distance from one of the sum of float32 probabilities, for any number of classes.
_ROUNDING_OF_SUM = 1e-3


def sum_to_one(probabilities: np.ndarray) -> np.ndarray:
    """Scale the rows of float64 (n_rows, n_classes), in place, so that each sums to one, which metrics ask for.

    Only the rounding of float32 is removed: a link of the user's may return scores with other sums.
    """
    total = probabilities.sum(axis=1, keepdims=True)
    return np.divide(probabilities, total, out=probabilities, where=np.abs(total - 1) < _ROUNDING_OF_SUM)
