"""Loss, calibration and ranks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import rankdata

__all__ = ["calibration_error", "clip_probabilities", "constant_loss", "log_loss", "ranks", "squared_error"]


def clip_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """At least 1e-7 and a sum of 1: a certainty that was wrong costs about 16, not infinity."""
    clipped = np.clip(np.asarray(probabilities, np.float64), 1e-7, 1.0)
    return clipped / clipped.sum(axis=1, keepdims=True)


def log_loss(probabilities: np.ndarray, y: np.ndarray) -> float:
    """Mean of -log of the probability of the true class (natural logarithm).

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Clipped.
    y : ndarray of int of shape (n_samples,)
        Codes of the classes.
    """
    return float(-np.log(probabilities[np.arange(len(y)), y]).mean())


def squared_error(predicted: np.ndarray, y: np.ndarray) -> float:
    """Mean squared error in float64."""
    return float(np.mean((np.asarray(predicted, np.float64) - y) ** 2))


def constant_loss(task: str, y_train: np.ndarray, y_test: np.ndarray) -> float:
    """Test loss of the class frequencies of the training rows, or of their mean."""
    if task == "regression":
        return squared_error(np.full(len(y_test), y_train.mean()), y_test)
    return float(-np.log(np.bincount(y_train)[y_test] / len(y_train)).mean())


def calibration_error(probabilities: np.ndarray, y: np.ndarray, n_bins: int = 15) -> float:
    """Expected calibration error of the most probable class.

    Notes
    -----
    Rows are binned by their confidence, the largest probability, in bins of equal width. The error is the mean over the
    rows of \\|accuracy - mean confidence\\| of their bin.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
    arXiv:1706.04599.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == y
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    # n_bin / n * |mean of correct - mean of confidence|: the counts cancel.
    gaps = np.bincount(bins, weights=correct - confidence)
    return float(np.abs(gaps).sum() / len(y))


def ranks(losses: Mapping[str, float]) -> dict[str, float]:
    """Rank of each model by its loss, 1 the best; equals share the mean of their ranks."""
    return dict(zip(losses, map(float, rankdata(list(losses.values()))), strict=True))
