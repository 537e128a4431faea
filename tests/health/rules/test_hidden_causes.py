"""Causes that show in what the network computes: squares at its end, frozen weights, decay, schedules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_friedman1
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP, FTTransformer
from tests.health.subjects import CANCER, Deep, classifier, record

X, Y = make_friedman1(500, noise=1.0, random_state=0)


@pytest.mark.parametrize(
    "last", [lambda h: h**2, lambda h: h * h, lambda h: h.pow(2), lambda h: torch.sqrt(h**2 + 1e-6)]
)
def test_squares_are_never_negative(last):
    class EndsInSquare(Deep):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return last(super().forward(x))

    (finding,) = record(NeuralRegressor(EndsInSquare, max_epochs=5, random_state=0), X, Y).findings
    assert finding.symptom == "output_mismatch"


def test_products_of_two_tensors_may_be_negative():
    class Product(Deep):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = super().forward(x)
            return h * torch.tanh(h) * self.head.bias + self.head.bias

    health = record(NeuralRegressor(Product, max_epochs=5, random_state=0), X, Y)
    assert "output_mismatch" not in [f.symptom for f in health.findings]


def test_all_weight_matrices_frozen_while_biases_train():
    def freeze(module) -> None:
        for name, parameter in module.named_parameters():
            parameter.requires_grad_("bias" in name)

    health = record(classifier(module_params={"change": freeze}, max_epochs=20, lr=1e-3), *CANCER)
    if health.skill < 0.5:
        (finding,) = health.findings
        assert (finding.symptom, finding.cause) == ("not_learning", "frozen")
    health = record(NeuralRegressor(Deep, module_params={"change": freeze}, max_epochs=20, random_state=0), X, Y)
    (finding,) = health.findings
    assert (finding.symptom, finding.cause) == ("not_learning", "frozen")


@pytest.mark.parametrize("decay", [60.0, 200.0])
def test_weight_decay_that_forgets_within_an_epoch(decay):
    params = {"optimizer": torch.optim.AdamW, "optimizer_params": {"weight_decay": decay}, "max_epochs": 20}
    model = NeuralRegressor(MLP, batch_size=16, random_state=0, **params)
    (finding,) = record(model, X, Y).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "weight_decay")
    model.set_params(gradient_health="repair")
    health = record(model, X, Y)
    assert health.status == "repaired"
    assert health.skill > 0.6


@pytest.mark.parametrize("schedule", [(torch.optim.lr_scheduler.ExponentialLR, {"gamma": 0.05})])
def test_a_schedule_that_ends_training_too_early(schedule):
    model = NeuralRegressor(
        MLP, optimizer=torch.optim.SGD, lr=0.01, lr_schedule=schedule[0], lr_schedule_params=schedule[1],
        max_epochs=20, random_state=0,
    )  # fmt: skip
    (finding,) = record(model, X, Y).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "schedule")


def test_rows_that_become_equal_at_once_do_not_vanish():
    class MeanOfBatch(nn.Module):
        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(in_features, 32), nn.Linear(32, 32)
            self.head = nn.Linear(32, out_features)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.relu(self.first(x))
            h = torch.relu(self.second(h.mean(0, keepdim=True).expand_as(h)))
            return self.head(h)

    (finding,) = record(NeuralClassifier(MeanOfBatch, max_epochs=15, random_state=0), *CANCER).findings
    assert finding.symptom == "not_learning"
    assert finding.cause in ("constant_outputs", "ignores_inputs")


def test_a_loss_that_is_scaled_to_nothing_gets_no_lower_learning_rate():
    class Scaled(nn.Module):
        def forward(self, prediction, target):
            return 1e-12 * nn.functional.mse_loss(prediction, target)

    model = NeuralRegressor(
        MLP, criterion=Scaled, optimizer=torch.optim.SGD, lr=0.05, gradient_clipping=None, max_epochs=15, random_state=0
    )
    (finding,) = record(model, X, Y).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "small_updates")
    assert "nan" not in finding.evidence
    assert "0.1 times" not in finding.remedy


def test_a_plateau_at_the_beginning_is_not_reported_once_training_learns():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(800, 6))
    y = (rng.random(800) < 1 / (1 + np.exp(-(-4.5 + 2 * data[:, 0] + 1.5 * data[:, 1])))).astype(int)
    for seed in (0, 1):
        health = record(NeuralClassifier(FTTransformer, lr=3e-3, max_epochs=8, random_state=seed), data, y)
        assert "constant_outputs" not in [f.cause for f in health.findings] or health.skill < 0.03


def test_hardly_any_skill_beside_a_simple_model_is_a_fault():
    class OneHot(nn.Module):
        """Of the first layer only the largest unit is known, which has no gradient."""

        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(in_features, 16), nn.Embedding(16, 8)
            self.head = nn.Linear(8, out_features)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.second(self.first(x).argmax(1)))

    rng = np.random.default_rng(0)
    data = rng.normal(size=(600, 12))
    y = data @ rng.normal(size=12)
    health = record(NeuralRegressor(OneHot, max_epochs=60, batch_size=32, random_state=0), data, y)
    assert health.skill < 0.25
    assert health.status == "unhealthy"
    radius = (np.square(data[:, :3]).sum(1) > 2.4).astype(int)
    health = record(NeuralClassifier(Directions, max_epochs=20, batch_size=32, random_state=0), data[:, :3], radius)
    assert health.status == "unhealthy"


class Directions(Deep):
    """Reads the direction of a row, where the class is its length."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(nn.functional.normalize(x))


class LastStep(nn.Module):
    """Reads sequences of (batch, channels, time)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.cell = nn.RNN(2, 16, batch_first=True)
        with torch.no_grad():
            self.cell.get_parameter("weight_hh_l0").mul_(0.3)
        self.head = nn.Linear(16, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(x.transpose(1, 2))[0][:, -1])


def test_gradients_vanish_over_time_whichever_axis_that_is():
    rng = np.random.default_rng(0)
    sequences = rng.normal(size=(400, 2, 80)).astype(np.float32)
    y = (sequences[:, 0, :3].sum(1) > 0).astype(int)
    (finding,) = record(NeuralClassifier(LastStep, max_epochs=12, random_state=0), sequences, y).findings
    assert finding.symptom == "vanishing"
    assert "LSTM" in finding.remedy
