"""What classifier and regressor share: they learn from rows with a target each."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data.containers import without_tensor
from .answers import Answers
from .base import BaseNeuralEstimator

__all__ = ["SupervisedEstimator"]


class SupervisedEstimator(Answers, BaseNeuralEstimator):
    """Fit and score of an estimator that predicts a label or numbers for each row."""

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Any:
        """Learn from a table, texts, images, sequences or sounds.

        Parameters
        ----------
        X : n_samples rows of one kind
            * A table: array, sparse matrix or dataframe of shape (n_samples, n_features). Numbers, categories, texts,
              dates and missing values need no preparation.
            * Texts: list, array or series of str.
            * Images: uint8 (n_samples, height, width); (n_samples, height, width, channels) or (n_samples, channels,
              height, width) with 1, 3 or 4 channels; list of such images of several sizes, or of PIL. Other whole
              numbers from 0 to 255 (n_samples, side, side) are grey images, too, with a warning.
            * Sequences: float (n_samples, n_channels, n_timepoints), or list of arrays (n_channels, length_i).
            * Sounds, for a module that reads them: list of waveforms (length_i,).

            A module of your own is given other arrays of more than two dimensions, and float sequences and images of
            one shape, unchanged, unless its attribute ``reads`` says otherwise.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, label indicators, or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the training loss and in the validation score. Rows of weight zero are ignored.
        X_val, y_val : like X and y, default=None
            Validation rows, instead of a split of X.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation rows.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay on one side of the validation split; at least 2 groups.

        Returns
        -------
        self : estimator instance

        Raises
        ------
        ValueError, TypeError
            A parameter, column or target is invalid. The message says what was expected and the likely fix; the
            estimator stays as it was before.
        """
        return self._fit(X, y, sample_weight, validation=(X_val, y_val, sample_weight_val), groups=groups)

    def predict(self, X: Any) -> np.ndarray:
        """Labels or values of the rows of X."""
        raise NotImplementedError

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Quality of the predictions for X: accuracy for labels, R^2 for numbers, D^2 pinball score for quantiles.

        Of several quantile levels it is the mean of their scores. A loss of your own may bring another score.

        Parameters
        ----------
        X : table, texts, images or sequences of n_samples rows, as in `fit`
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True labels, label indicators or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            1 is perfect.
        """
        prediction = self.predict(X)
        y, sample_weight = without_tensor(y, "y"), without_tensor(sample_weight, "sample_weight")
        if self._targets.kind != "real":  # scikit-learn's metrics refuse numbers in object arrays
            y = self._targets.check(y)
        return self._loss.score(y, prediction, sample_weight, target=self._targets.kind)
