"""What skorch's scoring callbacks ask a net for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .._data.rows import Batch, Rows, network_by_network

if TYPE_CHECKING:
    from skorch import NeuralNet as _Base
else:
    _Base = object

__all__ = ["ScoringFace"]


class ScoringFace(_Base):
    """Predictions and tags of a net whose targets are codes, indicators, or values in standardised units."""

    target_kind: str
    n_classes: int
    _own_rows: Any

    def forward_iter(self, X: Any, training: bool = False, device: Any = "cpu") -> Iterator[Tensor]:
        """Raw predictions of a batch after the other; of a committee's own rows, all in the order of ``X.y``.

        skorch's callbacks put what they have seen of an epoch in its place, in the order of the batches.
        """
        shares = X.shares if isinstance(X, Rows) else None
        if shares is None:
            yield from super().forward_iter(X, training=training, device=device)
            return
        with self._own_rows(X):
            outputs = list(super().forward_iter(X, training=training, device=device))
        yield network_by_network(outputs, len(shares))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Link output, for skorch's scoring callbacks."""
        outputs = [self.criterion_.inverse_link(raw).cpu() for raw in self.forward_iter(X, training=False)]
        return torch.cat(outputs).detach().numpy()  # a callback's cached training outputs carry gradients

    def predict(self, X: Any) -> np.ndarray:
        """Class codes, indicators, or values in standardised units, for skorch's scoring callbacks."""
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

    def evaluation_step(self, batch: Batch, training: bool = False) -> Tensor:
        """Raw prediction, for skorch's scoring callbacks."""
        self._set_training(training)
        with torch.set_grad_enabled(training):
            return self.infer(batch[0])
