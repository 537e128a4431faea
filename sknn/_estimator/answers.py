"""What a fitted estimator answers beside predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .._settings import default_settings
from .fitted import FittedEstimator
from .prediction import hidden_layer

__all__ = ["Answers"]


class Answers(FittedEstimator):
    """Embeddings."""

    def embed(self, X: Any) -> np.ndarray:
        """Units of the last hidden layer: what the network has made of each row before its output layer.

        Rows that the network treats alike are near each other. The units of all networks of the committee, and of their
        members, stand side by side: those of two networks do not correspond, so they are not averaged.

        Parameters
        ----------
        X : table, texts, images, sequences or sounds of n_samples rows, as in `fit`

        Returns
        -------
        units : ndarray of shape (n_samples, width), float32
            For the default network of a table, the width is 512 up to 1,500 rows in `fit`, 1,024 up to 5,000, 512 up to
            50,000 and 128 beyond, if the table has at most 64 numeric columns.

        Raises
        ------
        ValueError
            The last hidden layer of a module of your own is unknown: give it a method ``forward_hidden`` that returns
            it. Without that it is the input of the linear layer that runs last.
        """
        X = self._check_X(X)
        with default_settings(foreign_code=self.net_.has_foreign_code), torch.inference_mode():
            return hidden_layer(self.net_, self._inputs, X).numpy()
