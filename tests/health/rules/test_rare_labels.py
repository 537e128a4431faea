"""Rare labels: a constant guess has a tiny loss, and few of the held-out rows say anything."""

from __future__ import annotations

import numpy as np
import pytest

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP
from tests.health.subjects import record


def rare(n: int, bias: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    p = 1 / (1 + np.exp(-(bias + 2.2 * X[:, 0] + 1.5 * X[:, 1])))
    return X, (rng.random(n) < p).astype(int)


@pytest.mark.parametrize("seed", [8, 9, 10])
@pytest.mark.parametrize(("n", "bias"), [(1500, -7.0), (4000, -8.0), (4000, -7.0)])
def test_a_loss_that_began_at_its_worst_and_only_fell_is_not_diverging(n, bias, seed):
    model = NeuralClassifier(MLP, module_params={"hidden_sizes": (32, 32)}, max_epochs=30, random_state=seed)
    assert record(model, *rare(n, bias, seed)).findings == []


def test_gradients_of_a_default_network_on_few_positives_do_not_explode():
    for seed in (8, 9, 10):
        assert record(NeuralClassifier(n_networks=1, random_state=seed), *rare(4000, -8.0, seed)).findings == []


def test_counts_far_below_one():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    y = rng.poisson(np.exp(0.5 * X[:, 0] + 0.5)) * 1e-6
    model = NeuralRegressor(MLP, criterion="poisson", max_epochs=20, preprocessing=False, random_state=0)
    health = record(model, X, y)
    assert "loss_diverging" not in [f.symptom for f in health.findings]
    assert health.status in ("unhealthy", "unknown")


def test_large_counts_have_a_best_constant():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    y = rng.poisson(np.exp(0.5 * X[:, 0] + 0.5)) * 1e6
    model = NeuralRegressor(MLP, criterion="poisson", max_epochs=20, preprocessing=False, random_state=0)
    health = record(model, X, y)
    assert np.isfinite(health.constant_loss)
    assert all("no minimum" not in finding.evidence for finding in health.findings)
    assert health.status == "unhealthy"
