"""loss_diverging: losses without a minimum; overfitting is reported only if nothing stops it."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import make_friedman1
from torch import nn

from sknn import NeuralRegressor
from sknn.modules import MLP
from tests.health.subjects import CANCER, DIABETES, DIGITS, Deep, classifier, findings, record


def test_the_sign_of_the_loss():
    class Rewards(nn.CrossEntropyLoss):
        def forward(self, raw_prediction, y):
            return -super().forward(raw_prediction, y)

    (finding,) = findings(classifier(criterion=Rewards, early_stopping=False, max_epochs=20), *CANCER)
    assert finding.symptom in ("loss_diverging", "exploding", "non_finite")


def test_a_loss_without_a_minimum_that_begins_at_its_largest():
    class NegatedMSE(nn.Module):
        def forward(self, prediction, target):
            return -nn.functional.mse_loss(prediction, target)

    model = NeuralRegressor(MLP, criterion=NegatedMSE, lr=0.01, max_epochs=15, early_stopping=False, random_state=0)
    (finding,) = record(model, *DIABETES).findings
    assert finding.symptom == "loss_diverging"
    assert "sign" in finding.remedy


def test_overfitting_is_found_only_where_nothing_stops_it():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20))
    y = (X[:, 0] + 1.5 * rng.normal(size=300) > 0).astype(int)
    params = {"max_epochs": 60, "module_params": {"hidden_sizes": (128, 128)}}
    params["criterion_params"] = {"temperature_scaling": False}  # which heals overconfidence
    rows = {"X_val": X[100:], "y_val": y[100:]}
    (finding,) = findings(classifier(MLP, early_stopping=False, **params), X[:100], y[:100], **rows)
    assert finding.symptom == "overfitting"
    assert findings(classifier(MLP, early_stopping=True, n_iter_no_change=50, **params), X[:100], y[:100], **rows) == []


def test_a_loss_that_is_never_below_that_of_a_constant_guess():
    model = classifier(
        MLP, optimizer=torch.optim.SGD, optimizer_params={"momentum": 0.95}, lr=5.0, gradient_clipping=0.5, max_epochs=16,
        lr_schedule="constant",
    )  # fmt: skip
    (finding,) = record(model, *DIGITS).findings
    assert finding.symptom in ("loss_diverging", "dead_units")
    assert "lr=" in finding.remedy


def test_a_deep_net_whose_gradients_grow_memorises_its_rows():
    class Chaotic(Deep):
        def __init__(self, in_features, out_features) -> None:
            super().__init__(in_features, out_features, depth=16, activation=nn.Tanh)
            for layer in self.body:
                if isinstance(layer, nn.Linear):
                    nn.init.normal_(layer.weight, 0, 2.5 / layer.in_features**0.5)

    X, y = make_friedman1(400, noise=0.5, random_state=0)
    model = NeuralRegressor(Chaotic, max_epochs=20, batch_size=32, lr=0.002, random_state=0)
    (finding,) = record(model, X, y).findings
    assert finding.symptom in ("exploding", "saturated_units")
