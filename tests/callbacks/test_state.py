"""What is saved and restored of a net."""

from __future__ import annotations

import numpy as np
import torch
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback
from torch import nn

from sknn.callbacks import EarlyStopping
from tests.health.subjects import DIABETES


def test_buffers_that_a_module_replaces_go_back_to_the_best_epoch():
    class Remembers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(10, 1)
            self.register_buffer("n_batches", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                self.n_batches = self.n_batches + 1
            return self.layer(x)

    best = []

    class Notes(Callback):
        def on_epoch_end(self, net, **kwargs):
            best.append((net.history[-1, "valid_loss"], float(net.module_.n_batches)))

    y = ((DIABETES[1] - DIABETES[1].mean()) / DIABETES[1].std()).astype(np.float32).reshape(-1, 1)
    net = NeuralNetRegressor(
        Remembers, lr=1.5, max_epochs=8, verbose=0, callbacks=[Notes(), EarlyStopping(patience=100)]
    )
    net.fit(DIABETES[0].astype(np.float32) * 20, y)
    assert float(net.module_.n_batches) == min(best)[1]
