"""What a fitted estimator knows and answers, whatever its target."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from .._data.containers import as_table, is_plain
from .._data.inputs import Inputs
from .._errors import refused_as
from .._network.table_network import users_network
from .._training.net import _Net
from ..callbacks import EarlyStopping, GradientHealth
from ..losses import Loss
from .prediction import raw_prediction

__all__ = ["FittedNetworkMixin", "validation_score"]


class FittedNetworkMixin:
    """Raw predictions, the trained network, and the picture of its training."""

    net_: _Net
    n_features_in_: int
    n_iter_: int
    loss_curve_: list[float]
    validation_scores_: Any
    best_epoch_: int
    interrupted_: bool
    health_: Any
    n_repairs_: int
    _inputs: Inputs

    @property
    def module_(self) -> nn.Module:
        """The trained network, of the class given as `module`."""
        if "net_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no module_ before fit.")
        return users_network(self.net_.module_)

    def _check_X(self, X: Any) -> Any:
        """X at predict, of the columns seen in fit."""
        fitted = vars(self)
        if "net_" not in fitted:
            check_is_fitted(self, "net_")  # raises
        X = as_table(X)
        if "feature_names_in_" in fitted or not is_plain(X) or X.shape[1] != self.n_features_in_:
            self._check_columns(X, reset=False)
        return X

    def _check_columns(self, X: Any, *, reset: bool) -> None:
        """Learn number and names of the columns of X, as returned by `as_table`, or compare them with those of fit."""
        with refused_as("X", "columns with distinct names, all of them strings or none"):
            validate_data(self, X, reset=reset, skip_check_array=True)

    def _raw_prediction(self, X: Any) -> Tensor:
        """Raw prediction float32 (n_samples, out_features) on the CPU."""
        X = self._check_X(X)
        return raw_prediction(self.net_, self._inputs, X)

    def _link_output(self, X: Any) -> np.ndarray:
        """Raw prediction through the loss's inverse link, float32 (n_samples, n_values)."""
        with torch.inference_mode():
            raw = self._raw_prediction(X)
            return self._loss().inverse_link(raw).numpy()

    def _loss(self) -> Loss:
        return self.net_.criterion_

    def _record_training(self, kept_epoch: int | None) -> None:
        """Attributes that tell how training went, and whether it was broken off: then one epoch was kept."""
        history = self.net_.history
        self.n_iter_ = len(history)
        self.loss_curve_ = [record["train_loss"] for record in history]
        scores = [validation_score(record) for record in history]
        self.validation_scores_ = None if None in scores else scores
        callbacks = [callback for _, callback in self.net_.callbacks_]
        stoppers = [cb for cb in callbacks if isinstance(cb, EarlyStopping)]
        best_epochs = [stopper.best_epoch_ for stopper in stoppers[-1:]]
        self.best_epoch_ = next(filter(None, [*best_epochs, kept_epoch]), self.n_iter_)
        self.interrupted_ = kept_epoch is not None
        watchers = [cb for cb in callbacks if isinstance(cb, GradientHealth)]
        self.health_ = watchers[-1].health_ if watchers else None
        self.n_repairs_ = 0 if self.health_ is None else self.health_.n_repairs

    def plot_history(self, ax: Any = None) -> Any:
        """Draw training and validation loss over epochs, with the best epoch marked.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ax : matplotlib Axes

        Raises
        ------
        ImportError
            matplotlib is missing: ``pip install "sknn[plot]"``.
        """
        from .._plotting import draw_history

        check_is_fitted(self, "net_")
        return draw_history(self.net_.history, self.best_epoch_, ax)

    def __sklearn_is_fitted__(self) -> bool:
        return "net_" in vars(self)


def validation_score(record: dict[str, Any]) -> float | None:
    """Higher is better: the scorer's value, or minus the loss."""
    if "valid_score" in record:
        return record["valid_score"]
    return -record["valid_loss"] if "valid_loss" in record else None
