"""The range of outputs is found for shifted, scaled and normalised outputs."""

from __future__ import annotations

import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from sknn import NeuralRegressor
from sknn.callbacks import GradientHealth
from sknn.modules import MLP
from tests.health.subjects import CANCER, DIABETES, SCALED, record


class Ends(MLP):
    def __init__(self, in_features, out_features, end) -> None:
        super().__init__(in_features, out_features, hidden_sizes=(16,))
        self.end = end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.end(super().forward(x))


ENDS = {
    "scaled": lambda z: 0.4 * torch.tanh(z),
    "moved": lambda z: 1.0 - 0.5 * torch.sigmoid(-z),
    "of unit length": lambda z: 0.2 * nn.functional.normalize(torch.cat([z, z + 1], dim=1), dim=1)[:, :1],
}


FREE_ENDS = {
    "wide enough": lambda z: 40.0 * torch.tanh(z / 40),
    "residual": lambda z: z + torch.tanh(z),
    "softsign of nothing": lambda z: z / 2 - 1.0,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_outputs_that_are_bounded_in_other_ways(end):
    model = NeuralRegressor(Ends, module_params={"end": end}, max_epochs=5, random_state=0)
    (finding,) = record(model, *DIABETES).findings
    assert (finding.symptom, finding.epoch) == ("output_mismatch", 0)


@pytest.mark.parametrize("end", FREE_ENDS.values(), ids=FREE_ENDS)
def test_outputs_with_a_sufficient_range(end):
    assert (
        record(NeuralRegressor(Ends, module_params={"end": end}, max_epochs=10, random_state=0), *DIABETES).findings
        == []
    )


def test_probing_the_bounds_restores_the_weights():
    params = {"module_params": {"end": FREE_ENDS["residual"]}, "max_epochs": 3, "random_state": 0}
    watched, unwatched = NeuralRegressor(Ends, **params), NeuralRegressor(Ends, gradient_health=None, **params)
    for a, b in zip(
        watched.fit(*DIABETES).module_.parameters(), unwatched.fit(*DIABETES).module_.parameters(), strict=True
    ):
        assert torch.equal(a, b)


class Cosine(nn.Module):
    """Logits are cosines, times a factor."""

    def __init__(self, factor) -> None:
        super().__init__()
        self.body, self.classes = nn.Linear(30, 16), nn.Parameter(torch.randn(2, 16))
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.body(x))
        return self.factor * nn.functional.linear(
            nn.functional.normalize(hidden, dim=1), nn.functional.normalize(self.classes, dim=1)
        )


def test_cosines_are_no_logits_until_they_are_scaled():
    def found(factor):
        torch.manual_seed(0)
        net = NeuralNetClassifier(
            Cosine(factor), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=0.01, max_epochs=15, verbose=0,
            callbacks=[GradientHealth()],
        )  # fmt: skip
        return [finding.symptom for finding in record(net, SCALED, CANCER[1]).findings]

    assert found(0.3) == ["output_mismatch"]
    assert found(12.0) == []
