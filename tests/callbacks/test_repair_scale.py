"""Repairs of what is out of scale or stuck at zero: outputs, targets, gates, eps, channels of a sequence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_friedman1
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._health.record import Finding, Repair, TrainingHealth
from sknn.modules import MLP
from tests.health.subjects import fitted

X, Y = make_friedman1(500, random_state=0)
SETTINGS = {"max_epochs": 20, "batch_size": 32, "random_state": 0, "gradient_health": "repair"}


class Net(nn.Module):
    def __init__(self, in_features: int, out_features: int, factor: float = 1.0, zero: bool = False) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(in_features, 40), nn.Linear(40, out_features, bias=False)
        self.gate, self.factor = nn.Parameter(torch.ones(1)), factor
        if zero:
            nn.init.zeros_(self.gate)
            nn.init.zeros_(self.head.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * self.gate * self.head(torch.relu(self.body(x)))


@pytest.mark.parametrize("module_params", [{"factor": 2e-4}, {"zero": True}])
def test_small_outputs_get_larger_weights(module_params):
    model = fitted(NeuralRegressor(Net, module_params=module_params, **SETTINGS), X, Y)
    assert {finding.symptom for finding in model.health_.findings} == {"not_learning"}
    assert model.health_.status == "repaired"
    assert model.score(X, Y) > 0.6


@pytest.mark.parametrize("scale", [3e4, 1e7])
def test_targets_that_are_not_scaled(scale):
    model = fitted(NeuralRegressor(MLP, preprocessing=False, **{**SETTINGS, "max_epochs": 40}), X, Y * scale)
    assert model.health_.status == "repaired"
    assert model.score(X, Y * scale) > 0.6


def test_a_large_eps_is_replaced():
    params = {"optimizer": torch.optim.Adam, "optimizer_params": {"eps": 1e3}, "lr": 0.003}
    model = fitted(NeuralRegressor(MLP, **params, **SETTINGS), X, Y)
    (finding,) = model.health_.findings
    assert (finding.cause, finding.remedy) == ("small_updates", "optimizer__eps=1e-8 (it is 1e+03).")
    assert model.health_.status == "repaired"
    assert model.health_.repairs[-1].change == "eps 1e+03 -> 1e-08"


class Flat(nn.Module):
    def __init__(self, in_shape: tuple[int, ...], out_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(in_shape)), 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def test_channels_of_a_sequence_are_scaled_one_by_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3, 8)).astype(np.float32)
    y = (x[:, 0].sum(1) + x[:, 2, 0] > 0).astype(int)
    x[:, 1] *= 2e5
    model = fitted(NeuralClassifier(Flat, **{**SETTINGS, "max_epochs": 30}), x, y)
    assert model.health_.status == "repaired"
    assert model.score(x, y) > 0.9


def test_a_result_far_below_a_simple_model_is_not_repaired():
    health = TrainingHealth(
        [Finding("vanishing", None, 3, "", "")], repairs=[Repair("vanishing", 3, "", True, 0.0, 0.2)], skill=0.2
    )
    assert health.status == "repaired"
    health.falls_short = True
    assert health.status == "unhealthy"


def test_the_skill_of_a_run_that_overflowed_is_that_of_the_weights_put_back():
    schedule = {"lr_schedule": torch.optim.lr_scheduler.ExponentialLR, "lr_schedule_params": {"gamma": 2.2}}
    settings = {**SETTINGS, "gradient_health": "warn", "early_stopping": False, "lr": 0.003, "max_epochs": 30}
    model = fitted(NeuralRegressor(MLP, **schedule, **settings), X, Y)
    assert model.stopped_by_ == "health"
    assert model.health_.status == "unhealthy"
    assert model.health_.skill == pytest.approx(model.score(X, Y), abs=0.1)
