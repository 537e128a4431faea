"""Remedies propose nothing that is already in force."""

from __future__ import annotations

import torch

from sknn.modules import MLP
from tests.health.subjects import CANCER, classifier, record


def test_a_remedy_proposes_nothing_that_is_on_already():
    auto = record(classifier(MLP, optimizer=torch.optim.Adam, lr=50.0), *CANCER).findings
    none = record(classifier(MLP, optimizer=torch.optim.Adam, lr=50.0, gradient_clipping=None), *CANCER).findings
    assert "gradient_clipping=1.0 (it is 'auto')" in auto[0].remedy
    assert "gradient_clipping='auto'" in none[0].remedy
