"""loss_diverging: losses without a minimum."""

from __future__ import annotations

from torch import nn

from sknn import NeuralRegressor
from sknn.modules import MLP
from tests.health.subjects import CANCER, DIABETES, classifier, findings, record


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
