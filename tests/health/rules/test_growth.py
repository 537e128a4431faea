"""exploding: what made outputs and losses too large before the first step, also where they overflow at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_regression
from torch import nn

from sknn import NeuralRegressor
from sknn.modules import MLP
from tests.health.subjects import CANCER, classifier, record

X, Y = (part.astype(np.float32) for part in make_regression(300, 6, noise=5.0, random_state=0)[:2])
SEQUENCES = np.random.default_rng(0).normal(size=(200, 60, 2)).astype(np.float32)
SIGNS = (SEQUENCES[:, :, 0].sum(1) > 0).astype(int)


class Chain(nn.Module):
    """Linear layers of weights from N(0, gain^2 / width)."""

    def __init__(self, in_features, out_features, depth=24, gain=8.0, is_residual=False) -> None:
        super().__init__()
        self.first, self.out = nn.Linear(in_features, 32), nn.Linear(32, out_features)
        self.layers = nn.ModuleList(nn.Linear(32, 32) for _ in range(depth))
        for layer in self.layers:
            nn.init.normal_(layer.weight, 0, gain / 32**0.5)
        self.is_residual = is_residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for layer in self.layers:
            x = torch.relu(layer(x)) + (x if self.is_residual else 0)
        return self.out(x)


class Recurrence(nn.Module):
    """A state that is multiplied with an orthogonal matrix times a factor in each step."""

    def __init__(self, in_features, out_features, factor=3.0) -> None:
        super().__init__()
        self.x, self.h = nn.Linear(in_features, 16), nn.Linear(16, 16)
        nn.init.orthogonal_(self.h.weight, factor)
        self.out = nn.Linear(16, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = x.new_zeros(len(x), 16)
        for i in range(x.shape[1]):
            state = self.x(x[:, i]) + self.h(state)
        return self.out(state)


class Logarithm(MLP):
    """Takes the logarithm of columns that are negative in half of the rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.log(x))


def regressor(**params) -> NeuralRegressor:
    settings = {"max_epochs": 6, "batch_size": 32, "random_state": 0, "optimizer": torch.optim.SGD, "lr": 0.01}
    return NeuralRegressor(MLP, module_params={"hidden_sizes": (16,)}).set_params(**{**settings, **params})


@pytest.mark.parametrize(
    ("params", "data", "cause"),
    [
        ({"module": Chain}, CANCER, "initial_weights"),
        ({"module": Chain, "module_params": {"depth": 90, "gain": 1.5, "is_residual": True}}, CANCER, "depth"),
        ({"module": Recurrence}, (SEQUENCES, SIGNS), "recurrence"),
    ],
)
def test_an_overflow_in_the_first_step_names_what_made_outputs_grow(params, data, cause):
    (finding,) = record(classifier(**params), *data).findings
    assert (finding.symptom, finding.cause, finding.epoch) == ("exploding", cause, 1)
    assert finding.layer is not None
    assert "In step 1" in finding.evidence
    assert "lr=" not in finding.remedy


@pytest.mark.parametrize(("scale", "shift"), [(1e4, 0.0), (1.0, 1e6)])
def test_a_target_that_is_not_scaled_is_the_cause_of_losses_that_overflow(scale, shift):
    (finding,) = record(regressor(preprocessing=False), X, scale * Y + shift).findings
    assert (finding.symptom, finding.layer, finding.cause) == ("exploding", "y", "target_scale")
    assert "preprocessing=True" in finding.remedy
    assert record(regressor(preprocessing=True), X, scale * Y + shift).findings == []


def test_an_operation_without_a_result_is_not_growth():
    (finding,) = record(classifier(Logarithm), *CANCER).findings
    assert (finding.symptom, finding.cause) == ("non_finite", "first_step")


def test_steps_that_are_too_long_for_usual_weights_are_not_growth():
    (finding,) = record(regressor(lr=1e4, gradient_clipping=None), X, Y).findings
    assert finding.cause not in ("initial_weights", "target_scale", "depth", "recurrence")
    assert "lr=" in finding.remedy
