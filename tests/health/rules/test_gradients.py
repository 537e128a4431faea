"""exploding: updates beyond the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sknn.modules import MLP
from tests.health.subjects import CANCER, classifier, record


@pytest.mark.parametrize(("optimizer", "lr"), [(torch.optim.Adam, 20.0), (torch.optim.Adagrad, 30.0)])
def test_updates_beyond_the_weights_name_the_learning_rate(optimizer, lr):
    (finding,) = record(
        classifier(MLP, optimizer=optimizer, lr=lr, module_params={"activation": nn.Tanh}), *CANCER
    ).findings
    if finding.symptom == "exploding":
        assert finding.cause == "updates"
    assert f"(it is {lr:g})" in finding.remedy
    proposed = float(finding.remedy.split("lr=")[1].split(" ")[0])
    assert proposed < 0.01 * lr
