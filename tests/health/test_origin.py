"""The column or layer in which a non-finite value arose is named."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn

from sknn import NeuralClassifier
from sknn.exceptions import (
    NonFiniteWarning,
)
from tests.callbacks.subjects import Net, Poison
from tests.health.subjects import IRIS


def test_the_column_is_named_as_the_table_names_it():
    table = load_iris(as_frame=True).data
    model = NeuralClassifier(Net, max_epochs=5, preprocessing=False, callbacks=[Poison(3, math.inf, "batch")])
    with pytest.warns(NonFiniteWarning, match=r"petal length \(cm\) of the input holds inf in \d+ row"):
        model.fit(table, IRIS[1])


def test_the_layer_that_makes_infinity_is_named():
    class Divides(nn.Module):
        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.first = nn.Linear(in_features, 8)
            self.norm = Norm()
            self.last = nn.Linear(8, out_features)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.norm(self.first(x)))

    class Norm(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / (x - x).norm(dim=1, keepdim=True)

    with pytest.warns(NonFiniteWarning, match="in norm in epoch 1: in step 1 the forward pass: div in norm gives"):
        NeuralClassifier(Divides, max_epochs=2).fit(*IRIS)


def test_half_precision_knows_its_own_infinity():
    from sknn._health.origin import has_overflown

    assert has_overflown(torch.tensor([torch.inf]).half())
    assert not has_overflown(torch.tensor([6e4]).half())
