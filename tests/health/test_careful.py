"""Health checks neither move random generators nor end training by their own errors."""

from __future__ import annotations

import random

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn

from sknn import NeuralClassifier
from sknn.callbacks import GradientHealth
from tests.health.subjects import CANCER, IRIS, SCALED


def test_random_numbers_of_numpy_and_python_are_the_same_without_health_checks():
    class Noisy(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return 200

        def __getitem__(self, i):
            noise = np.random.normal(size=30) + random.random()
            return (SCALED[i] + 0.1 * noise).astype(np.float32), CANCER[1][i]

    def weights(callbacks):
        np.random.seed(0)
        random.seed(0)
        torch.manual_seed(0)
        net = NeuralNetClassifier(
            nn.Linear(30, 2),
            criterion=nn.CrossEntropyLoss,
            train_split=None,
            max_epochs=3,
            verbose=0,
            callbacks=callbacks,
        )
        return net.fit(Noisy(), None).module_.weight.detach()

    assert torch.equal(weights([]), weights([GradientHealth()]))


def test_a_module_that_cannot_be_inspected_is_trained(monkeypatch):
    from sknn._health import careful

    monkeypatch.setattr(careful, "_raises", [False])

    class OnlyTrains(nn.Module):
        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.layer = nn.Linear(in_features, out_features)
            self.calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls == 2:  # the inspection before the first step
                raise RuntimeError("not now")
            return self.layer(x)

    model = NeuralClassifier(OnlyTrains, lr=0.05, max_epochs=20, early_stopping=False, random_state=0).fit(*IRIS)
    assert model.health_.status == "healthy"
    assert model.score(*IRIS) > 0.9
