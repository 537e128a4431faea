"""saturated_units, where only a model of curves shows what could be learned."""

from __future__ import annotations

import torch
from torch import nn

from sknn.modules import MLP
from tests.health.subjects import CIRCLES, classifier, record


@torch.no_grad()
def _scale_hidden(module: nn.Module, factor: float) -> None:
    for parameter in [p for p in module.parameters() if p.ndim > 1][:-1]:
        parameter.mul_(factor)


class Steep(MLP):
    """Hidden weights are far too large; those of the last layer are as usual."""

    def __init__(self, in_features, out_features, factor=40.0) -> None:
        super().__init__(in_features, out_features, hidden_sizes=(16, 16, 16), activation=nn.Tanh)
        _scale_hidden(self, factor)


def test_a_model_of_curves_shows_that_a_network_could_learn():
    (finding,) = record(classifier(Steep), *CIRCLES).findings
    assert finding.symptom == "saturated_units"
    assert record(classifier(Steep, module_params={"factor": 1.0}, lr=0.01), *CIRCLES).findings == []
