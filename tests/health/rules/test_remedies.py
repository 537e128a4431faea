"""Remedies propose nothing that is already in force."""

from __future__ import annotations

import pytest
import torch

from sknn._health.rules.remedies import lowest_lr
from sknn.modules import MLP
from tests.health.subjects import CANCER, classifier, record


def test_a_remedy_proposes_nothing_that_is_on_already():
    auto = record(classifier(MLP, optimizer=torch.optim.Adam, lr=50.0), *CANCER).findings
    none = record(classifier(MLP, optimizer=torch.optim.Adam, lr=50.0, gradient_clipping=None), *CANCER).findings
    assert "gradient_clipping=1.0 (it is 'auto')" in auto[0].remedy
    assert "gradient_clipping='auto'" in none[0].remedy


@pytest.mark.parametrize("lr", [1e-3, 0.1, 10.0])
def test_a_learning_rate_is_not_proposed_orders_below_the_present_one(lr):
    assert 1e-6 * lr <= lowest_lr(lr) <= 1e-3 * lr
    assert lowest_lr(1e6) == 1e-4  # whatever was given, a usual one


def test_much_momentum_lowers_the_proposal():
    def proposed(momentum: float) -> float:
        model = classifier(MLP, optimizer=torch.optim.SGD, lr=3.0, gradient_clipping=None, max_epochs=12)
        (finding,) = record(model.set_params(optimizer__momentum=momentum), *CANCER).findings
        return float(finding.remedy.split("lr=")[1].split(" ")[0])

    assert proposed(0.995) < 0.3 * proposed(0.9)
