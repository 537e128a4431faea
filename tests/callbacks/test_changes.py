"""Which changes a repair does not make."""

from __future__ import annotations

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import LRScheduler
from torch import nn

from sknn import NeuralRegressor
from sknn.callbacks import GradientHealth
from sknn.modules import MLP
from tests.health.subjects import CANCER, DIABETES, SCALED, fitted


def test_no_rate_is_repaired_that_a_scheduler_of_skorch_sets():
    net = NeuralNetClassifier(
        nn.Linear(30, 2), criterion=nn.CrossEntropyLoss, lr=1e-9, max_epochs=8, batch_size=32, verbose=0,
        callbacks=[GradientHealth(action="repair"), LRScheduler("StepLR", step_size=100)],
    )  # fmt: skip
    fitted(net, SCALED, CANCER[1])
    health = dict(net.callbacks_)["GradientHealth"].health_
    assert not any(repair.change.startswith("lr ") for repair in health.repairs)


def test_lbfgs_is_not_told_to_clip():
    model = NeuralRegressor(MLP, optimizer=torch.optim.LBFGS, lr=500.0, max_epochs=10, random_state=0)
    health = fitted(model, *DIABETES).health_
    assert health.findings
    assert "gradient_clipping" not in health.findings[0].remedy
