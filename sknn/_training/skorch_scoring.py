"""What skorch's scoring callbacks ask a net for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import Tensor
from torch.utils.data import Dataset

from .._data.rows import Rows, network_by_network
from .._network.table_network import committee_of

__all__ = ["ScoredNet"]


class ScoredNet(NeuralNet):
    """A net whose targets are codes, indicators, or values in standardised units.

    `target_kind` is "classes", "multilabel" or "real", `n_classes` the columns of the targets; the criterion is a
    :class:`~sknn.losses.Loss`.
    """

    def __init__(self, module: Any, criterion: Any, *, target_kind: str, n_classes: int, **skorch_params: Any) -> None:
        super().__init__(module, criterion, **skorch_params)
        self.target_kind, self.n_classes = target_kind, n_classes

    def own_rows(self, rows: Rows) -> AbstractContextManager[Any]:
        """A context in which each network of a committee sees the rows that are its own."""
        committee = committee_of(self.module_)
        return nullcontext() if committee is None or rows.shares is None else committee.own_rows()

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """Rows are a dataset already; other datasets and dicts hold encoded rows as well.

        A TypeError for anything else: the net cannot encode the columns of a table.
        """
        if isinstance(X, Rows):
            return X
        if isinstance(X, Dataset | Mapping):
            return super().get_dataset(X, y)
        raise TypeError(
            f"net: expected rows as the network reads them, got {type(X).__name__}. A callback is given such rows as "
            "dataset_train and dataset_valid; for an X as in fit, use the predict_proba of the fitted estimator."
        )

    def forward_iter(self, X: Any, training: bool = False, device: Any = "cpu") -> Iterator[Tensor]:
        """Raw predictions of a batch after the other; of a committee's own rows, all in the order of ``X.y``.

        skorch's callbacks replace this method by what they have seen of an epoch, in the order of the batches.
        """
        shares = X.shares if isinstance(X, Rows) else None
        if shares is None:
            yield from super().forward_iter(X, training=training, device=device)
            return
        with self.own_rows(X):
            outputs = list(super().forward_iter(X, training=training, device=device))
        yield network_by_network(outputs, len(shares))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Link output."""
        outputs = [self.criterion_.inverse_link(raw).cpu() for raw in self.forward_iter(X, training=False)]
        return torch.cat(outputs).detach().numpy()  # a callback's cached training outputs carry gradients

    def predict(self, X: Any) -> np.ndarray:
        """Class codes, indicators, or values in standardised units."""
        values = self.predict_proba(X)
        if self.target_kind == "classes":
            return values.argmax(axis=1)
        return (values > 0.5).astype(np.int64) if self.target_kind == "multilabel" else values

    @property
    def classes_(self) -> np.ndarray:
        """Class codes, which scorers ask for."""
        if self.target_kind == "real":
            raise AttributeError("classes_")
        return np.arange(self.n_classes)

    def __sklearn_tags__(self) -> Any:
        """Tell scorers which kind of estimator this is."""
        from sklearn.utils import ClassifierTags, RegressorTags

        tags = super().__sklearn_tags__()
        if self.target_kind == "real":
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        else:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        return tags
