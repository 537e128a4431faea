"""skorch's scoring callbacks measure what the estimators do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EpochScoring

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(240, 4)).astype(np.float32)
Y = np.array(["blue", "green", "red"])[np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])]
TRAIN, VALID = slice(160), slice(160, None)


def fit_with(callback: Any, **params: Any) -> NeuralClassifier:
    small = {"module": MLP, "module_params": {"hidden_sizes": (8,)}}
    model = NeuralClassifier(
        callbacks=[callback], max_epochs=3, early_stopping=False, random_state=0, **small, **params
    )
    return model.fit(X[TRAIN], Y[TRAIN], X_val=X[VALID], y_val=Y[VALID])


def accuracy(net: Any, X: Any, y: Any = None) -> float:
    """A skorch scorer as users write them; y are the class codes."""
    return float((net.predict(X) == np.asarray(y)).mean())


@pytest.mark.parametrize("use_caching", [True, False], ids=["cached", "uncached"])
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", accuracy], ids=["accuracy", "log loss", "function"])
def test_epoch_scoring_on_validation_rows(scoring: Any, use_caching: bool) -> None:
    from sklearn.metrics import log_loss

    # The temperature is fitted after the last epoch.
    params = {"criterion_params": {"temperature_scaling": False}}
    model = fit_with(EpochScoring(scoring, name="watched", lower_is_better=False, use_caching=use_caching), **params)
    expected = (
        -log_loss(Y[VALID], model.predict_proba(X[VALID]))
        if scoring == "neg_log_loss"
        else model.score(X[VALID], Y[VALID])
    )
    assert len(model.net_.history[:, "watched"]) == 3
    assert model.net_.history[-1, "watched"] == pytest.approx(expected, rel=1e-5)
    assert "watched_best" in model.net_.history[-1]


@pytest.mark.parametrize("use_caching", [True, False], ids=["cached", "uncached"])
@pytest.mark.parametrize("scoring", ["accuracy", accuracy], ids=["accuracy", "function"])
def test_epoch_scoring_on_rows_that_a_committee_holds_out(scoring: Any, use_caching: bool) -> None:
    watched = EpochScoring(scoring, name="watched", lower_is_better=False, use_caching=use_caching)
    model = NeuralClassifier(callbacks=[watched], scoring="accuracy", max_epochs=3, random_state=0).fit(X, Y)
    assert len(model.module_.networks) > 1
    assert model.net_.history[:, "watched"] == pytest.approx(model.validation_scores_)


@pytest.mark.parametrize("use_caching", [True, False], ids=["cached", "uncached"])
def test_epoch_scoring_on_training_rows(use_caching: bool) -> None:
    model = fit_with(EpochScoring("accuracy", on_train=True, name="watched", use_caching=use_caching))
    watched = model.net_.history[-1, "watched"]
    # Cached outputs are those of the steps, before the weights of the epoch's end.
    assert watched == pytest.approx(model.score(X[TRAIN], Y[TRAIN]), abs=0.1 if use_caching else 1e-9)


@pytest.mark.parametrize("use_caching", [True, False], ids=["cached", "uncached"])
def test_epoch_scoring_of_a_regressor(use_caching: bool) -> None:
    scoring = EpochScoring("r2", name="watched", lower_is_better=False, use_caching=use_caching)
    y = 5 * X[:, 0] + 100
    model = NeuralRegressor(MLP, callbacks=[scoring], max_epochs=3, early_stopping=False, random_state=0)
    model.fit(X[TRAIN], y[TRAIN], X_val=X[VALID], y_val=y[VALID])
    # R^2 is the same in the standardised unit, in which the net works.
    assert model.net_.history[-1, "watched"] == pytest.approx(model.score(X[VALID], y[VALID]), abs=1e-4)


class Predicts(Callback):
    """With the net itself, at the end of each epoch."""

    def __init__(self, X: Any = None) -> None:
        self.X = X

    def on_epoch_end(self, net: Any, dataset_valid: Any = None, **kwargs: Any) -> None:
        self.predicted = net.predict_proba(dataset_valid if self.X is None else self.X)


def test_a_callback_may_predict_the_rows_that_it_is_given() -> None:
    callback = Predicts()
    assert fit_with(callback).predict_proba(X[VALID]).shape == callback.predicted.shape


@pytest.mark.parametrize("kind", [np.array, np.ndarray.tolist, torch.tensor], ids=["array", "list", "tensor"])
def test_a_net_refuses_rows_that_are_not_encoded(kind: Any) -> None:
    with pytest.raises(TypeError, match=r"net: expected rows .*dataset_valid.* predict_proba of the fitted estimator"):
        fit_with(Predicts(kind(X)))
    with pytest.raises(TypeError, match=r"net: expected rows"):
        fit_with(Predicts()).net_.predict(kind(X))
