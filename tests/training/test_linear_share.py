"""Networks for few rows are mixed with linear models, as far as held-out rows say."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss, r2_score

from sknn import NeuralClassifier, NeuralRegressor
from sknn._network.table_network import committee_of
from sknn._training import linear_share
from sknn.losses import Loss
from sknn.modules._linear_path import LinearPath

QUICK: dict[str, Any] = {"module_params": {"width": 32, "n_bins": 8}}


def table(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    random = np.random.default_rng(seed)
    X = random.normal(size=(n + 1000, 8))
    return X, X[:, 0] + X[:, 1], random


@pytest.mark.parametrize("n", [20, 60])
def test_few_rows_of_linear_truth_are_predicted_about_as_by_a_linear_model(n):
    losses, errors = [], []
    for seed in range(2):
        X, truth, random = table(seed, n)
        y = (1 / (1 + np.exp(-1.5 * truth)) > random.random(len(X))).astype(int)
        ours = NeuralClassifier(random_state=seed, **QUICK).fit(X[:n], y[:n])
        theirs = LogisticRegression().fit(X[:n], y[:n])
        losses.append([log_loss(y[n:], model.predict_proba(X[n:]).astype(float)) for model in (ours, theirs)])
        y = truth + 0.5 * random.normal(size=len(X))
        ours = NeuralRegressor(random_state=seed, **QUICK).fit(X[:n], y[:n])
        theirs = RidgeCV(np.logspace(-2, 3, 12)).fit(X[:n], y[:n])
        errors.append([r2_score(y[n:], model.predict(X[n:])) for model in (ours, theirs)])
    loss, reference = np.mean(losses, axis=0)
    assert loss < reference + 0.1
    score, reference = np.mean(errors, axis=0)
    assert score > reference - 0.1


def coefficients(model: Any) -> list[torch.Tensor]:
    """The coefficients of each network's linear model, times its share."""
    committee: Any = committee_of(model.net_.module_)
    return [one.linear.weight for one in committee.networks]


def shares(model: Any) -> list[float]:
    """The largest coefficient of each network's linear model."""
    return [float(weight.abs().max()) for weight in coefficients(model)]


def test_each_network_has_a_linear_model_of_its_own_rows():
    X, truth, _ = table(0, 60)
    model = NeuralRegressor(random_state=0, **QUICK).fit(X[:60], truth[:60])
    assert len({tuple(weight[:, 0].tolist()) for weight in coefficients(model)}) > 3
    assert min(shares(model)) > 0.1


def test_what_is_not_linear_is_left_to_the_network():
    X, _, _ = table(0, 200)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    assert max(shares(NeuralClassifier(random_state=0, **QUICK).fit(X[:200, :2], y[:200]))) < 0.05


def test_one_score_for_two_classes_and_several_labels_are_mixed_too():
    X, truth, _ = table(0, 60)
    y = (truth > 0).astype(int)
    one = NeuralClassifier(criterion=torch.nn.BCEWithLogitsLoss, random_state=0, **QUICK).fit(X[:60], y[:60])
    several = NeuralClassifier(random_state=0, **QUICK).fit(X[:60], np.stack([y, 1 - y], axis=1)[:60])
    assert min(shares(one) + shares(several)) > 0.1
    assert one.score(X[60:], y[60:]) > 0.8


def test_training_that_continues_keeps_what_was_mixed():
    X, truth, _ = table(0, 40)
    model = NeuralRegressor(random_state=0, warm_start=True, max_epochs=5, **QUICK)
    first = model.fit(X[:40], truth[:40]).score(X[40:], truth[40:])
    assert model.fit(X[:40], truth[:40]).score(X[40:], truth[40:]) > first - 0.05


def test_without_held_out_rows_nothing_is_mixed():
    X, truth, _ = table(0, 40)
    model = NeuralRegressor(random_state=0, early_stopping=False, max_epochs=2, **QUICK).fit(X[:40], truth[:40])
    assert max(shares(model)) == 0


@pytest.mark.parametrize("criterion", ["absolute_error", "huber"])
def test_a_wild_target_does_not_hide_what_the_other_rows_say(criterion):
    X, _, _ = table(0, 200)
    y = np.abs(X[:, 0])
    y[7] = 1e6
    assert max(shares(NeuralRegressor(criterion=criterion, random_state=0, **QUICK).fit(X[:200, :2], y[:200]))) < 0.05


def test_given_validation_rows_are_judged_once_by_the_mean_of_all_networks(monkeypatch):
    seen = []
    held_out = linear_share._held_out
    monkeypatch.setattr(linear_share, "_held_out", lambda *given: seen.append(held_out(*given)) or seen[-1])
    X, truth, _ = table(1, 60)
    model = NeuralRegressor(random_state=0, n_networks=3, max_epochs=2, **QUICK)
    model.fit(X[:60], truth[:60], X_val=X[60:70], y_val=truth[60:70])
    ((scores, y, weight),) = seen
    assert scores.shape == (2, 10, 3, 1)
    assert (len(y), len(weight)) == (10, 10)
    model.fit(X[:60], truth[:60])  # each network holds out its own rows
    scores, y, weight = seen[1]
    assert scores.shape == (2, len(y), 1, 1)
    assert len(y) > 20


class ScoresOfTwoKinds(Loss):
    """A normal distribution: means, and logarithms of spreads."""

    name = "normal"
    targets = frozenset({"real"})

    def out_features(self, n_targets: int) -> int:
        return 2 * n_targets

    def pointwise(self, raw_prediction: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        mean, log_spread = raw_prediction.chunk(2, dim=1)
        return (log_spread + 0.5 * ((y - mean) / log_spread.exp()).square()).mean(dim=1)


def test_scores_that_are_not_those_of_targets_have_no_linear_model():
    X, truth, _ = table(0, 60)
    y = np.stack([truth, -truth, truth], axis=1)[:60]
    model = NeuralRegressor(criterion=ScoresOfTwoKinds, random_state=0, max_epochs=2, **QUICK).fit(X[:60], y)
    assert max(shares(model)) == 0


class Below(Loss):
    """The squared error less a constant, so that it is negative."""

    name = "below"
    targets = frozenset({"real"})

    def pointwise(self, raw_prediction: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (raw_prediction - y).square().mean(dim=1) - 100


def test_negative_losses_decide_the_share_too():
    X, _, _ = table(0, 400)
    y = np.abs(X[:, 0]) * np.sign(X[:, 1])
    params: dict[str, Any] = {"random_state": 0, "n_networks": 2, **QUICK}
    ours = shares(NeuralRegressor(criterion=Below, **params).fit(X[:400, :2], y[:400]))
    assert max(ours) < 0.2


class InItsUnit(Below):
    target_scaling = None


def test_targets_in_their_own_unit_have_no_linear_model():
    X, truth, _ = table(0, 60)
    for params in ({"criterion": InItsUnit}, {"preprocessing": False}):
        model = NeuralRegressor(random_state=0, max_epochs=2, **params, **QUICK).fit(X[:60], 100 * truth[:60])
        assert max(shares(model)) == 0


class Logarithm(Loss):
    """Not defined for raw scores below -3."""

    name = "logarithm"
    targets = frozenset({"real"})

    def pointwise(self, raw_prediction: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return ((raw_prediction + 3.0).log() - (y.clamp(min=-2.0) + 3.0).log()).square().mean(dim=1)


@pytest.mark.parametrize("score", [-20.0, np.inf])
def test_shares_that_have_no_loss_do_not_count(monkeypatch, score):
    held_out = linear_share._held_out

    def with_far_scores(*given: Any) -> Any:
        scores, y, weight = held_out(*given)
        scores[1, :1] = score
        return scores, y, weight

    monkeypatch.setattr(linear_share, "_held_out", with_far_scores)
    X, truth, _ = table(0, 60)
    model = NeuralRegressor(criterion=Logarithm, random_state=0, max_epochs=2, **QUICK).fit(X[:60], truth[:60])
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize(("max_time", "n_fitted"), [(None, 3), (0.2, 1)])
def test_linear_models_that_take_long_are_left_out_where_time_is_limited(monkeypatch, max_time, n_fitted):
    fitted, calls = LinearPath.fitted, []

    def slow(path: LinearPath, rows: Any, latest: float) -> LinearPath | None:
        calls.append(time.sleep(0.2))
        return fitted(path, rows, latest)

    monkeypatch.setattr(LinearPath, "fitted", slow)
    X, truth, _ = table(0, 60)
    params: dict[str, Any] = {"random_state": 0, "n_networks": 3, "max_epochs": 2, **QUICK}
    model = NeuralRegressor(max_time=max_time, **params).fit(X[:60], truth[:60])
    assert len(calls) == n_fitted
    assert (max(shares(model)) > 0) == (max_time is None)
