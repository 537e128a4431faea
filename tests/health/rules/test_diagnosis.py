"""Each fault is one finding, whatever else follows from it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sknn._health.rules.diagnosis import RULES
from sknn.callbacks._report import WARNINGS
from tests.health.subjects import CANCER, DIGITS, below_zero, classifier, constant, findings, huge, huge_body

FAULTS = {
    "exploding": [classifier(module_params={"depth": 6, "change": huge})],
    "vanishing": [
        classifier(module_params={"depth": 12, "activation": nn.Sigmoid}),
        classifier(module_params={"depth": 16, "activation": nn.Sigmoid}, optimizer=torch.optim.SGD, lr=0.1),
    ],
    "dead_units": [classifier(module_params={"change": below_zero})],
    "saturated_units": [classifier(module_params={"activation": nn.Tanh, "depth": 4, "change": huge_body})],
    "symmetric_init": [classifier(module_params={"change": constant}, optimizer=optimizer) for optimizer in (
        torch.optim.AdamW, torch.optim.SGD)],
    "output_mismatch": [
        classifier(module_params={"last": nn.Softmax(1)}),
        classifier(module_params={"last": nn.ReLU()}),
        classifier(module_params={"last": nn.Tanh()}),
        classifier(module_params={"last": nn.Softmax(1)}, criterion=nn.CrossEntropyLoss),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("symptom", "model"),
    [(symptom, model) for symptom, models in FAULTS.items() for model in models],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_faulty_module_is_one_finding(symptom, model):
    (finding,) = findings(model, *CANCER)
    assert finding.symptom == symptom
    assert finding.evidence
    assert finding.remedy


@pytest.mark.parametrize("lr", [1e4, 1e2])
@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_a_far_too_large_learning_rate_is_one_finding(lr, optimizer):
    (finding,) = findings(classifier(lr=lr, optimizer=optimizer, max_epochs=12, gradient_clipping=None), *DIGITS)
    assert finding.symptom in ("non_finite", "exploding", "loss_diverging")


def test_every_symptom_belongs_to_rules_in_the_order_of_causes():
    names = [rule.find.__name__ for rule in RULES]
    assert set(WARNINGS) - set(names) == {"non_finite"}
    assert RULES[0].before_training
    assert names.index("input_scale") < names.index("exploding") < names.index("not_learning")
