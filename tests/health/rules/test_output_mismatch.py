"""output_mismatch: bounded outputs, and shapes that the loss broadcasts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sknn import NeuralRegressor
from sknn.callbacks import GradientHealth
from tests.health.subjects import CANCER, DIABETES, SCALED, Deep, findings, record


def test_outputs_that_cannot_reach_the_targets():
    X, y = DIABETES
    params = {"max_epochs": 5, "random_state": 0}
    (finding,) = findings(NeuralRegressor(Deep, module_params={"last": nn.Sigmoid()}, **params), X, y)
    assert finding.symptom == "output_mismatch"
    assert "% of the targets" in finding.evidence
    unit = (y - y.min()) / (y.max() - y.min())
    inside = NeuralRegressor(Deep, module_params={"last": nn.Sigmoid()}, preprocessing=False, **params)
    assert findings(inside, X / X.std(), unit) == []
    positive = NeuralRegressor(Deep, module_params={"last": nn.Softplus()}, preprocessing=False, **params)
    assert findings(positive, X / X.std(), unit) == []


class Flat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_column_against_a_vector_in_plain_skorch():
    X, y = DIABETES
    target = ((y - y.mean()) / y.std()).astype(np.float32)
    settings = {"train_split": None, "verbose": 0, "max_epochs": 3, "callbacks": [GradientHealth()]}
    (finding,) = findings(NeuralNetRegressor(Flat, **settings), X.astype(np.float32), target)
    assert finding.symptom == "output_mismatch"
    assert "(n, n)" in finding.evidence
    assert findings(NeuralNetRegressor(Flat, **settings), X.astype(np.float32), target.reshape(-1, 1)) == []


def test_a_softmax_that_the_loss_expects_is_no_mismatch():
    class Probabilities(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(30, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x).softmax(dim=1)

    settings = {"train_split": None, "verbose": 0, "max_epochs": 5, "lr": 0.1, "callbacks": [GradientHealth()]}
    assert findings(NeuralNetClassifier(Probabilities, **settings), SCALED, CANCER[1].astype(np.int64)) == []
    (finding,) = findings(
        NeuralNetClassifier(Probabilities, criterion=nn.CrossEntropyLoss, **settings),
        SCALED,
        CANCER[1].astype(np.int64),
    )
    assert finding.symptom == "output_mismatch"


def test_three_outputs_for_one_target_in_plain_skorch():
    y = DIABETES[1]
    target = ((y - y.mean()) / y.std()).astype(np.float32).reshape(-1, 1)
    net = NeuralNetRegressor(nn.Linear(10, 3), max_epochs=3, verbose=0, callbacks=[GradientHealth()])
    (finding,) = record(net, DIABETES[0].astype(np.float32), target).findings
    assert finding.symptom == "output_mismatch"
    assert "(n, 3)" in finding.evidence


def test_a_loss_of_two_different_outputs_is_no_mismatch():
    class Gaussian(nn.Module):
        def forward(self, output, target):
            return nn.functional.gaussian_nll_loss(output[:, :1], target, output[:, 1:].exp())

    y = DIABETES[1]
    target = ((y - y.mean()) / y.std()).astype(np.float32).reshape(-1, 1)
    net = NeuralNetRegressor(
        nn.Linear(10, 2), criterion=Gaussian, lr=0.05, max_epochs=10, verbose=0, callbacks=[GradientHealth()]
    )
    assert record(net, DIABETES[0].astype(np.float32) * 20, target).findings == []
