"""symmetric_init of cells with several gates, and saturated_units where only a model of curves shows a relation."""

from __future__ import annotations

import torch
from torch import nn

from sknn.modules import MLP
from tests.health.subjects import CANCER, CIRCLES, DIGITS, Deep, classifier, findings, record


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


def test_the_units_of_each_gate_of_a_cell_are_alike():
    class Cell(nn.Module):
        def __init__(self, in_features, out_features) -> None:
            super().__init__()
            self.x, self.h = nn.Linear(in_features, 48), nn.Linear(24, 48)
            self.out = nn.Linear(24, out_features)
            for parameter in [*self.x.parameters(), *self.h.parameters(), *self.out.parameters()]:
                nn.init.constant_(parameter, 0.05)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = x.new_zeros(len(x), 24)
            for part in x.split(10, dim=1):
                gate, new = (self.x(torch.nn.functional.pad(part, (0, 20))) + self.h(hidden)).chunk(2, dim=1)
                hidden = torch.sigmoid(gate) * hidden + torch.tanh(new)
            return self.out(hidden)

    (finding,) = record(classifier(Cell), *CANCER).findings
    assert finding.symptom == "symmetric_init"


class Factor(nn.Module):
    """A factor of each unit, all alike, in front of tanh."""

    def __init__(self, in_features, out_features, factor=60.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(in_features, 32), nn.Linear(32, 32)])
        self.factors = nn.Parameter(torch.full((2, 32), factor))
        self.out = nn.Linear(32, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer, factor in zip(self.layers, self.factors, strict=True):
            x = torch.tanh(layer(x) * factor)
        return self.out(x)


def test_a_factor_in_front_of_an_activation_saturates_it_and_is_repaired():
    model = classifier(Factor, max_epochs=20, lr=0.001, gradient_health="repair")
    health = record(model, *DIGITS)
    assert {finding.symptom for finding in health.findings} == {"saturated_units"}
    assert health.status == "repaired"


def test_equal_factors_of_units_are_not_symmetric_weights():
    assert record(classifier(Factor, module_params={"factor": 1.0}, lr=0.01), *CANCER).findings == []


@torch.no_grad()
def _all_above(module) -> None:
    module.body[0].bias.fill_(50.0)


@torch.no_grad()
def _shifted(module) -> None:
    module.body[0].bias.fill_(2.0)


class Functional6(Deep):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.nn.functional.relu6(self.body[0](x)))


def test_units_above_the_upper_bound_of_relu6_are_dead():
    for module, activation in ((Deep, nn.ReLU6), (Functional6, nn.Identity)):
        params = {"activation": activation, "change": _all_above, "depth": 2}
        (finding,) = findings(classifier(module, params, max_epochs=12), *DIGITS)
        assert (finding.symptom, finding.layer) == ("dead_units", "body.0")


def test_units_of_relu6_between_its_bounds_are_not_saturated():
    params = {"activation": nn.ReLU6, "change": _shifted, "depth": 2}
    assert findings(classifier(Deep, params, max_epochs=12), *DIGITS) == []
