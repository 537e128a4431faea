"""Any scikit-learn scorer on raw validation predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import check_scoring

__all__ = ["validation_scorer"]


class _Predictions(BaseEstimator):
    """A fitted estimator whose X is the output of the link, so that a scorer needs no network."""

    def __init__(self, targets: Any = None) -> None:
        self.targets = targets

    def fit(self, X: Any, y: Any) -> Any:
        """Nothing to learn."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True


class _ValuePredictions(RegressorMixin, _Predictions):
    def predict(self, X: np.ndarray) -> np.ndarray:
        """Values in the unit of y."""
        return self.targets.predict(X)


class _ClassPredictions(ClassifierMixin, _Predictions):
    @property
    def classes_(self) -> np.ndarray:
        """Labels."""
        return self.targets.classes_

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Labels of the rows."""
        return self.targets.predict(self.predict_proba(X))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities."""
        return self.targets.probabilities(X)


def validation_scorer(
    scoring: Any, targets: Any, y: np.ndarray, weight: np.ndarray | None
) -> Callable[[np.ndarray], float]:
    """A function from link outputs (n_valid, n_values) to the score of `scoring`, higher is better."""
    predictions = (_ValuePredictions if targets.kind == "real" else _ClassPredictions)(targets)
    scorer = check_scoring(predictions, scoring)
    weights = {} if weight is None else {"sample_weight": weight}
    fix = "Use a scorer for this kind of y, pass X_val and y_val with all classes, or scoring='loss'."

    def score(values: np.ndarray) -> float:
        try:
            value = float(scorer(predictions, values, y, **weights))
        except (ValueError, TypeError) as error:
            weighted = " with sample_weight" if weights else ""
            raise ValueError(
                f"scoring={scoring!r} cannot score the validation rows{weighted}: {error}. {fix}"
            ) from error
        if np.isnan(value) and np.isfinite(values).all():
            raise ValueError(f"scoring={scoring!r} is NaN on the {len(y)} validation rows. {fix}")
        return value

    return score
