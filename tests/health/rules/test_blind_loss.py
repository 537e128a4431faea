"""not_learning: a loss under which a constant is as good as any model, though the inputs tell the target."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_friedman1
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP
from tests.health.subjects import CANCER, DIGITS, record

FRIEDMAN = make_friedman1(500, random_state=0)


class AllPairs(nn.Module):
    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs.reshape(-1, 1) - targets.reshape(1, -1)).square().mean()


class Means(nn.Module):
    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs.mean() - targets.mean()).square()


class Penalty(nn.Module):
    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        outputs = outputs.reshape(targets.shape)
        return (outputs - targets).square().mean() + 200 * outputs.abs().mean()


class Zero(nn.Module):
    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return -outputs[:, :1].log_softmax(1).sum()


@pytest.mark.parametrize("criterion", [AllPairs, Means, Penalty])
def test_losses_of_numbers_that_hide_the_rows(criterion):
    health = record(NeuralRegressor(MLP, criterion=criterion, max_epochs=15, lr=0.003, random_state=0), *FRIEDMAN)
    (finding,) = health.findings
    assert (health.status, finding.symptom, finding.cause) == ("unhealthy", "not_learning", "loss")
    assert "under the squared error" in finding.evidence
    assert "loss" in finding.remedy


@pytest.mark.parametrize("params", [{"criterion": Zero}, {"criterion_params": {"label_smoothing": 0.9995}}])
def test_losses_of_classes_that_hide_the_rows(params):
    model = NeuralClassifier(MLP, max_epochs=15, lr=0.003, random_state=0, early_stopping=False).set_params(**params)
    assert [finding.cause for finding in record(model, *DIGITS).findings] == ["loss"]


def test_a_class_without_weight_is_no_diverging_loss():
    model = NeuralClassifier(MLP, class_weight={0: 1.0, 1: 1e-8}, max_epochs=15, early_stopping=False, random_state=0)
    health = record(model, *CANCER)
    assert [finding.cause for finding in health.findings] == ["loss"]
    assert np.isnan(health.skill)


def test_a_loss_of_zero_is_not_judged_where_nothing_can_be_told():
    rng = np.random.default_rng(0)
    health = record(
        NeuralClassifier(MLP, criterion=Zero, max_epochs=15, random_state=0),
        rng.normal(size=(400, 5)),
        rng.integers(0, 2, 400),
    )
    assert health.findings == []
    assert (health.status, health.notices[0].name) == ("unknown", "not_judged")


@pytest.mark.parametrize("params", [{"criterion": "quantile"}, {"criterion": "huber"}, {"criterion": "absolute_error"}])
def test_usual_losses_tell_rows_apart(params):
    health = record(NeuralRegressor(MLP, max_epochs=30, lr=0.003, random_state=0).set_params(**params), *FRIEDMAN)
    assert health.findings == []
