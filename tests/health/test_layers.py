"""Unusual weights are measured or skipped, and nothing fails."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from sknn import NeuralClassifier
from sknn.modules import MLP
from tests.health.subjects import CANCER, fitted


class Projected(nn.Module):
    def __init__(self, in_features, out_features) -> None:
        super().__init__()
        self.rnn, self.out = nn.LSTM(1, 8, proj_size=3, batch_first=True), nn.Linear(3, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.rnn(x[:, :12, None])[0][:, -1])


class NothingInside(MLP):
    def __init__(self, in_features, out_features) -> None:
        super().__init__(in_features, out_features, hidden_sizes=(8,))
        self.empty = nn.Linear(in_features, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + self.empty(x).sum(1, keepdim=True)


class Fourier(nn.Module):
    """Complex weights, as in Fourier neural operators."""

    def __init__(self, in_features, out_features) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.ones(in_features // 2 + 1, dtype=torch.cfloat))
        self.out = nn.Linear(in_features, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.fft.irfft(torch.fft.rfft(x) * self.filter, n=x.shape[1]))


@pytest.mark.parametrize(("module", "health"), [(Projected, "warn"), (NothingInside, "repair"), (Fourier, "repair")])
def test_odd_weights_are_watched_or_left_alone(module, health):
    settings = {"max_epochs": 3, "random_state": 0}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="LSTM with projections|Initializing zero-element")
        watched = NeuralClassifier(module, gradient_health=health, **settings).fit(*CANCER)
        unwatched = NeuralClassifier(module, gradient_health=None, **settings).fit(*CANCER)
    np.testing.assert_array_equal(watched.predict_proba(CANCER[0]), unwatched.predict_proba(CANCER[0]))


def test_tied_weights_are_known_by_their_first_name():
    class Tied(nn.Module):
        def __init__(self, in_features, out_features) -> None:
            super().__init__()
            self.first = nn.Linear(in_features, in_features)
            self.second, self.out = self.first, nn.Linear(in_features, out_features)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(torch.relu(self.second(torch.relu(self.first(x)))))

    model = fitted(NeuralClassifier(Tied, lr=1e-8, max_epochs=20, random_state=0, gradient_health="repair"), *CANCER)
    assert "first" in model.health_.epochs[0].layers
    assert model.health_.status == "repaired"
    assert model.score(*CANCER) > 0.9
