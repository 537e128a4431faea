"""A table and a network that the tests of this directory share."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from sknn._network.build import build_network

GENERATOR = np.random.default_rng(0)


X = GENERATOR.normal(size=(60, 5)).astype(np.float32)


Y = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]


def build(module: Any, params: dict[str, Any] | None = None, **shape: Any) -> nn.Module:
    shape = {"in_features": 5, "in_shape": (5,), "cat_cardinalities": (), "out_features": 3, **shape}
    return build_network(module, params or {}, **shape)


class SimpleNN(nn.Module):
    """The tutorials' two-layer network."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(input_size, hidden_size)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden_size, output_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.relu(self.fc1(x)))
