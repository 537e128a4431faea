"""Held-out rows that are unlike the training rows, and labels that only memory explains."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP
from tests.health.subjects import DIABETES, record


def texts(n: int, seed: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    good, bad = ["good", "fine", "nice", "great", "lovely"], ["bad", "poor", "awful", "sad", "cold"]
    other = ["the", "a", "room", "hotel", "staff", "we", "was", "very", "day", "food", "street", "bus", "morning"]
    return [" ".join([*rng.choice(other, 9), *rng.choice(good if k else bad, 2)]) for k in y], y


def test_texts_with_shuffled_labels_are_not_healthy():
    X, y = texts(400, 0)
    model = NeuralClassifier(max_epochs=15, random_state=0)
    assert record(model, X, y).status == "healthy"
    health = record(model, X, np.random.default_rng(0).permutation(y))
    assert health.status in ("unknown", "unhealthy")
    health = record(NeuralRegressor(max_epochs=15, random_state=0), X, np.random.default_rng(0).normal(size=len(y)))
    assert health.status in ("unknown", "unhealthy")


def test_a_column_that_gives_the_target_away_on_training_rows_only():
    for seed in (0, 1, 2):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1200, 8))
        y = np.sin(2 * X[:, 0]) + 0.8 * X[:, 1] + 0.5 * X[:, 2] * X[:, 3] + rng.normal(size=1200)
        leak = np.r_[y[:800] + 0.01 * rng.normal(size=800), rng.permutation(y[800:])]
        X = np.c_[X, leak]
        model = NeuralRegressor(MLP, module_params={"hidden_sizes": (64, 64)}, max_epochs=40, random_state=seed)
        health = record(model, X[:800], y[:800], X_val=X[800:], y_val=y[800:])
        assert [f.symptom for f in health.findings] == ["overfitting"]


def test_random_labels_of_many_classes():
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(900, 8)), rng.integers(0, 20, 900)
        model = NeuralClassifier(
            MLP, module_params={"hidden_sizes": (128, 128)}, max_epochs=40, early_stopping=False, random_state=seed
        )
        health = record(model, X[:600], y[:600], X_val=X[600:], y_val=y[600:])
        assert health.status == "unhealthy"


class Gated(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.cell = nn.GRU(in_features, 24, batch_first=True)
        self.head = nn.Linear(24, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(x)[0][:, -1])


def test_a_gated_network_on_noise_is_not_told_to_use_gates():
    for seed in (0, 1, 2):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(500, 24, 1)).astype(np.float32), rng.integers(0, 2, 500)
        health = record(NeuralClassifier(Gated, max_epochs=15, lr=0.01, random_state=seed), X, y)
        assert all("LSTM" not in finding.remedy for finding in health.findings)
        assert health.status in ("unhealthy", "unknown")


def test_no_skill_is_said_of_the_weights_that_a_repair_kept():
    X, y = DIABETES
    model = NeuralRegressor(
        MLP, module_params={"hidden_sizes": (256, 256)}, max_epochs=80, early_stopping=False, random_state=0,
        gradient_health="repair",
    )  # fmt: skip
    health = record(model, X[:90], y[:90], X_val=X[90:], y_val=y[90:])
    assert [f.symptom for f in health.findings] == ["overfitting"]
    assert health.skill > 0.2
    assert health.status == "repaired"
    assert health.notices == []


def test_the_skill_is_that_of_the_rows_however_few_are_inspected():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    y = 0.1 * X[:, 0] + rng.normal(size=3000)
    y[7] = 60.0
    model = NeuralRegressor(
        MLP, module_params={"hidden_sizes": (8,)}, max_epochs=6, early_stopping=False, random_state=0
    )
    health = record(model, X, y)
    true = 1 - np.mean((y - model.predict(X)) ** 2) / y.var()
    assert abs(health.skill - true) < 0.03


def test_few_large_steps_that_early_stopping_ended_are_judged():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(800, 6)), rng.integers(0, 3, 800)
    model = NeuralClassifier(
        MLP, batch_size=300, max_epochs=60, early_stopping=True, n_iter_no_change=5, random_state=0
    )
    health = record(model, X, y)
    assert 20 <= 3 * len(health.epochs) < 40
    assert [f.cause for f in health.findings] == ["unrelated_labels"]
