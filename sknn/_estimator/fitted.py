"""What a fitted estimator knows and answers, whatever its target."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from .._data.containers import is_plain
from .._data.inputs import Inputs
from .._data.tagged import untagged
from .._errors import refused_as
from .._network.table_network import committee_of, users_network
from .._settings import default_settings
from .._training.net import _Net
from .._training.one_pass import validation_score
from .._training.train import Ending
from .._versions import versions
from ..callbacks import GradientHealth
from ..callbacks.early_stopping import restored_epoch
from ..losses import Loss
from .component_params import ComponentParams
from .prediction import raw_prediction
from .reading import prepared_again

__all__ = ["FittedEstimator", "training_attributes"]


class FittedEstimator(ComponentParams):
    """Network outputs, history and pickles of an estimator."""

    warm_start: bool
    # These exist once it is fitted.
    net_: _Net  # holds the network, its loss and the history of its training
    n_features_in_: int
    best_epoch_: int
    n_networks_: int
    _inputs: Inputs  # what was learned about the columns of X
    _targets: Any  # what was learned about y; see the files of targets in _data/
    _random: np.random.RandomState  # where the random numbers of a further fit begin
    _built_with: dict[str, Any]  # values of the parameters that a fitted network keeps

    def __sklearn_is_fitted__(self) -> bool:
        return "net_" in vars(self)

    @property
    def module_(self) -> nn.Module:
        """The trained network, of the class given as `module`."""
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{type(self).__name__} has no module_ before fit.")
        return users_network(self.net_.module_)

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

    def _check_X(self, X: Any) -> Any:
        """X at predict, of the columns seen in fit."""
        fitted = vars(self)
        if "net_" not in fitted:
            check_is_fitted(self, "net_")  # raises
        inputs = self._inputs
        X = prepared_again(X, inputs)
        if inputs.has_columns and (
            "feature_names_in_" in fitted or not is_plain(X) or X.shape[1] != self.n_features_in_
        ):
            self._check_columns(untagged(X), reset=False)
        return X

    def _check_columns(self, X: Any, *, reset: bool) -> None:
        """Learn number and names of the columns of X, prepared for its kind, or compare them with those of fit."""
        with refused_as("X", "columns with distinct names, all of them strings or none"):
            try:
                validate_data(self, X, reset=reset, skip_check_array=True)
            except ValueError as error:
                raise (_other_columns(error) if "feature names should match" in str(error) else error) from error

    def _output(self, X: Any, *, linked: bool) -> np.ndarray:
        """Raw prediction float32 (n_samples, out_features); if `linked`, what the loss's inverse link makes of it."""
        X = self._check_X(X)
        with default_settings(foreign_code=self.net_.has_foreign_code), torch.inference_mode():
            raw = raw_prediction(self.net_, self._inputs, X)
            return (self._loss.inverse_link(raw) if linked else raw).numpy()

    @property
    def _loss(self) -> Loss:
        return self.net_.criterion_

    def __getstate__(self) -> dict[str, Any]:
        """Parameters, what was learned, and versions; the optimizer's state only for a ``warm_start``."""
        if self.__sklearn_is_fitted__():
            self.net_.keeps_optimizer = bool(self.warm_start)  # the parameter may have been set since fit
        return {**super().__getstate__(), "_versions": _versions()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """As written; warn once if a package has another version now."""
        state = dict(state)
        written, present = state.pop("_versions", {}), _versions()
        others = [package for package, version in written.items() if present.get(package) != version]
        if others:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=", ".join(f"{package} {present.get(package)}" for package in others),
                    original_sklearn_version=", ".join(f"{package} {written[package]}" for package in others),
                ),
                stacklevel=2,
            )
        super().__setstate__(state)


def _other_columns(error: ValueError) -> ValueError:
    """The error about other columns than those of fit, in the words of scikit-learn, with advice."""
    text = str(error).strip()
    if "must be in the same order" in text:
        advice = "Pass X[model.feature_names_in_], which is in the order of fit."
    elif "yet now missing" in text:
        advice = "Pass a table with all columns of fit."
    else:
        advice = "Pass X[model.feature_names_in_], which leaves the other columns out."
    return ValueError(f"X: {text}\n{advice}")


def _versions() -> dict[str, str]:
    in_use = versions()
    return {package: in_use[package] for package in ("sknn", "scikit-learn", "torch")}


def training_attributes(net: _Net, ending: Ending) -> dict[str, Any]:
    """Fitted attributes about the training."""
    history, committee = net.history, committee_of(net.module_)
    scores = [validation_score(record) for record in history]
    callbacks = [callback for _, callback in net.callbacks_]
    health = [callback.health_ for callback in callbacks if isinstance(callback, GradientHealth)][-1:]
    found = health[0].best_epoch if health else 0  # a repair may have restored the weights of another than the last
    best_epoch = restored_epoch(net) or ending.kept_epoch or found or len(history)
    if health:
        health[0].best_epoch = best_epoch
    return {
        "n_iter_": len(history),
        "loss_curve_": [record["train_loss"] for record in history],
        "validation_scores_": None if None in scores else scores,
        "best_epoch_": best_epoch,
        "n_networks_": 1 if committee is None else len(committee.networks),
        "stopped_by_": ending.stopped_by,
        "health_": health[0] if health else None,
        "n_repairs_": health[0].n_repairs if health else 0,
    }
