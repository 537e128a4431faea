"""Networks for few rows are mixed with linear models, as far as held-out rows say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss, r2_score

from sknn import NeuralClassifier, NeuralRegressor
from sknn._network.table_network import committee_of

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
