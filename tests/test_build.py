"""From a user's module, of whatever kind, to a network of the right widths."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import make_classification
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._build import TableNetwork, build_network, check_batch_norm, check_network
from sknn._component_params import IN_FEATURES, OUT_FEATURES

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 5)).astype(np.float32)
Y = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]


def build(module: Any, params: dict[str, Any] | None = None, **shape: Any) -> nn.Module:
    shape = {"input_shape": (5,), "cat_cardinalities": (), "out_features": 3, **shape}
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


def test_the_tutorial_network() -> None:
    X, y = make_classification(300, 10, n_informative=6, n_classes=3, random_state=0)
    model = NeuralClassifier(
        SimpleNN,
        module__hidden_size=5,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.001,
        max_epochs=20,
        batch_size=32,
        random_state=0,
    ) if False else NeuralClassifier(
        SimpleNN,
        module_params={"hidden_size": 5},
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.001,
        max_epochs=20,
        batch_size=32,
        random_state=0,
    )
    model.fit(X, y)
    assert type(model.module_) is SimpleNN
    assert (model.module_.fc1.in_features, model.module_.fc1.out_features) == (10, 5)
    assert model.module_.fc2.out_features == 3
    assert model.n_iter_ == 20
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (300, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
