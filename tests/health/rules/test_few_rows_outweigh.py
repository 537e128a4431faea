"""Few rows outweigh all others: by wild targets under a squared error, or by their weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_friedman1

from sknn import NeuralRegressor
from sknn.modules import MLP
from tests.health.subjects import record

X, Y = make_friedman1(700, noise=1.0, random_state=0)


def regressor(**params) -> NeuralRegressor:
    return NeuralRegressor(MLP, module_params={"hidden_sizes": (32, 32)}, max_epochs=25, random_state=0, **params)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("value", [1e5, -1e6])
@pytest.mark.parametrize("rows", [[17], [5, 88, 300, 411]])
def test_wild_targets_of_a_squared_error(early_stopping, value, rows):
    y = Y.copy()
    y[rows] = value
    health = record(regressor(early_stopping=early_stopping), X, y)
    assert health.status in ("unhealthy", "unknown")
    said = [*health.findings, *health.notices]
    assert any("absolute_error" in about.remedy for about in said)


def test_heavy_tails_that_are_learned_are_no_wild_targets():
    y = np.exp(0.25 * Y)
    health = record(regressor(), X, y)
    assert health.findings == []
    assert health.status in ("healthy", "not_converged")


def test_weights_of_five_rows_that_outweigh_the_others():
    weight = np.ones(len(X))
    weight[:5] = 1e7
    health = record(regressor(), X, Y, sample_weight=weight)
    assert health.status == "unknown"
    assert "weight" in health.notices[0].evidence


def test_weights_of_usual_range():
    weight = np.random.default_rng(0).uniform(0.2, 5, len(X))
    assert record(regressor(), X, Y, sample_weight=weight).status in ("healthy", "not_converged")


def test_targets_of_many_orders_of_magnitude_are_not_judged():
    health = record(regressor(), X, np.exp(2.5 * Y))
    assert health.status in ("unknown", "unhealthy")
    assert any("logarithm" in about.remedy for about in (*health.findings, *health.notices))


def test_weights_that_hide_the_relation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1200, 4))
    is_wrong = rng.random(1200) < 0.3
    y = np.where(is_wrong, -1, 1) * x[:, 0] + 0.1 * rng.normal(size=1200)
    (finding,) = record(regressor(), x, y, sample_weight=np.where(is_wrong, 7 / 3, 1.0)).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "unrelated_labels")
