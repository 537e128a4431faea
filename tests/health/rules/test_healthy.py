"""No rule reports hard but healthy training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP, FTTransformer, ResNet, TabM
from tests.health.subjects import CANCER, DIABETES, DIGITS, classifier, findings


class Recurrent(nn.Module):
    def __init__(self, kind, out_features: int) -> None:
        super().__init__()
        self.cell = kind(8, 16, batch_first=True)
        self.head = nn.Linear(16, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.cell(x)
        return self.head(states[:, -1])


class Convolutional(nn.Module):
    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3)
        self.head = nn.Linear(128, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.norm(self.first(x)))
        return self.head(torch.relu(self.second(hidden)).flatten(1))


class Attention(nn.Module):
    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 32, batch_first=True)
        self.head = nn.Linear(8, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x).mean(dim=1))


class Residual(nn.Module):
    """Branches that begin at zero."""

    def __init__(self, in_features: int, out_features: int, depth: int = 12) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, 32)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(depth)
        )
        for branch in self.branches:
            nn.init.zeros_(branch[2].weight)
        self.head = nn.Linear(32, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for branch in self.branches:
            x = x + branch(x)
        return self.head(x)


class Gated(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(in_features, 32), nn.Linear(in_features, 32)
        nn.init.constant_(self.gate.bias, -8.0)
        self.head = nn.Linear(32, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.sigmoid(self.gate(x)) * self.value(x) * 100)


IMAGES, SEQUENCES = DIGITS[0].reshape(-1, 1, 8, 8) / 16, DIGITS[0].reshape(-1, 8, 8) / 16


HEALTHY = [
    (classifier(MLP), *CANCER),
    (classifier(TabM, max_epochs=4), *CANCER),
    (classifier(ResNet, max_epochs=6), *CANCER),
    (classifier(FTTransformer, {"n_blocks": 1, "token_size": 16}, max_epochs=5), *CANCER),
    (classifier(Recurrent, {"kind": nn.LSTM}, lr=0.01), SEQUENCES, DIGITS[1]),
    (classifier(Recurrent, {"kind": nn.GRU}, lr=0.01), SEQUENCES, DIGITS[1]),
    (classifier(Recurrent, {"kind": nn.RNN}, lr=0.01), SEQUENCES, DIGITS[1]),
    (classifier(Convolutional), IMAGES * 255, DIGITS[1]),
    (classifier(Attention, lr=0.01, max_epochs=8), SEQUENCES, DIGITS[1]),
    (classifier(Residual, max_epochs=6), *DIGITS),
    (classifier(Gated), *CANCER),
    (classifier(optimizer=torch.optim.SGD, lr=0.05, optimizer_params={"momentum": 0.9}), *DIGITS),
    (classifier(criterion_params={"label_smoothing": 0.2}), *DIGITS),
    (classifier(max_epochs=2), *CANCER),
    (NeuralRegressor(MLP, max_epochs=12, random_state=0), *DIABETES),
    (NeuralRegressor(Residual, max_epochs=5, criterion="quantile", random_state=0), *DIABETES),
    (NeuralRegressor(MLP, max_epochs=12, criterion="poisson", random_state=0), *DIABETES),
]


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: f"{type(case[0]).__name__}-{case[0].module.__name__}")
def test_nothing_is_found_where_nothing_is_wrong(case):
    assert findings(*case) == []


def test_noisy_labels_are_no_fault():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(1500, 12))
    y = (X[:, 0] + X[:, 1] > 0) ^ (rng.random(1500) < 0.4)
    assert findings(classifier(MLP), X, y.astype(int)) == []


def test_rare_classes_are_no_fault():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(2500, 10))
    y = (X[:, 0] + 0.4 * rng.normal(size=2500) > 2.1).astype(int)
    assert 0.01 < y.mean() < 0.04
    assert findings(classifier(MLP), X, y) == []


def test_targets_of_any_scale_are_no_fault():
    X, y = DIABETES
    for scale in (1e-6, 1e6):
        assert findings(NeuralRegressor(MLP, max_epochs=8, random_state=0), X, y * scale) == []


def test_fine_tuning_with_tiny_steps_is_no_fault():
    X, y = DIGITS
    X = X[:, X.std(axis=0) > 0]  # a network that is passed on has a weight for each column, idle ones excepted
    model = classifier(MLP, max_epochs=4).fit(X, y)
    tuned = NeuralClassifier(model.module_, lr=1e-7, max_epochs=8, batch_size=32, random_state=0)
    assert findings(tuned, X, y) == []


def test_frozen_layers_are_no_fault():
    def freeze(module) -> None:
        module.body[0].requires_grad_(False)

    assert findings(classifier(module_params={"change": freeze}), *CANCER) == []


def test_sparse_inputs_are_no_fault():
    from scipy import sparse

    X = sparse.random(1000, 200, 0.01, format="csr", random_state=3)
    y = (np.asarray(X[:, :100].sum(axis=1)).ravel() > np.asarray(X[:, 100:].sum(axis=1)).ravel()).astype(int)
    assert findings(classifier(MLP), X, y) == []


@pytest.mark.parametrize("n_rows", [300, 1000])
@pytest.mark.parametrize("criterion", ["absolute_error", "huber"])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_wild_targets_that_a_robust_loss_ignores_are_no_fault(criterion, early_stopping, n_rows):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 5))
    y = X @ [1.0, 2.0, 0.0, 0.0, 1.0]
    three, tenth = y.copy(), y.copy()
    three[[10, 50, n_rows - 1]] = 1e12
    tenth[rng.permutation(n_rows)[: n_rows // 10]] += 1e3
    for wild in (three, tenth):
        model = NeuralRegressor(MLP, criterion=criterion, early_stopping=early_stopping, max_epochs=20, random_state=0)
        assert findings(model, X, wild) == []


@pytest.mark.parametrize("counts", [False, True])
def test_a_robust_loss_does_not_hide_that_targets_are_shuffled(counts):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 5))
    y = (rng.random(1000) < 0.2) * rng.exponential(size=1000) if counts else rng.standard_t(3, size=1000)
    (finding,) = findings(NeuralRegressor(MLP, criterion="absolute_error", max_epochs=20, random_state=0), X, y)
    assert finding.cause == "unrelated_labels"
