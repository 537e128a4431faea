"""symmetric_init of layers that stack the units of several gates."""

from __future__ import annotations

import torch
from torch import nn

from tests.health.subjects import CANCER, classifier, record


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
