"""What a fitted estimator answers beside predictions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch

from .._network.hidden import category_vectors
from .._settings import default_settings
from .fitted import FittedEstimator
from .prediction import hidden_layer

__all__ = ["Answers"]


class Answers(FittedEstimator):
    """Embeddings of rows and of categories."""

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
            For the default network of a table with at most 64 numeric columns, the width is 512 up to 1,500 rows in
            `fit`, 1,024 up to 5,000, 512 up to 50,000 and 128 beyond.

        Raises
        ------
        ValueError
            The last hidden layer of a module of your own is unknown: give it a method ``forward_hidden`` that returns
            it. Without that it is the input of the linear layer that runs last.
        """
        X = self._check_X(X)
        with default_settings(foreign_code=self.net_.has_foreign_code), torch.inference_mode():
            return hidden_layer(self.net_, self._inputs, X).numpy()

    @property
    def category_embeddings_(self) -> dict[Hashable, tuple[np.ndarray, np.ndarray]]:
        """Learned vectors of categories: name of a column, or position -> its values, and float32 (n_values, width).

        There are vectors of the columns with more than 8 values in `fit`; fewer are one-hot encoded. A `FTTransformer`
        has them of all categorical columns. Vectors of all networks of the committee stand side by side.
        """
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{type(self).__name__} has no category_embeddings_ before fit.")
        vectors = category_vectors(self.net_.module_, self._inputs.cardinalities)
        if not vectors:
            raise AttributeError(
                f"{type(self).__name__} has no category_embeddings_: the network has learned no vectors of categories. "
                "TabM, MLP and ResNet learn them for columns with more than 8 values, FTTransformer for all "
                "categorical columns."
            )
        categories = self._inputs.categories
        with torch.no_grad():
            return {  # without the codes of unknown and missing values, the first and the last
                name: (_array(values), vectors[i][1:-1].float().cpu().numpy().copy())
                for i, (name, values) in categories.items()
                if i in vectors
            }


def _array(values: Sequence[Hashable]) -> np.ndarray:
    """Values as an array; of objects, unless they are of one type that numpy knows."""
    if len({type(value) for value in values}) == 1 and isinstance(values[0], str | bool | int | float):
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
