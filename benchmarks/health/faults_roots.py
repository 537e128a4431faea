"""Faults whose first sign is a consequence: overflows, divergence in finite numbers, memory instead of learning."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sknn.modules import TabM

from . import starts
from .case import Case, classifier, fault, regressor
from .limited_results import noise, shuffled
from .networks import Convolutions, Perceptron, Recurrent, Residual
from .tables import blobs, digits, friedman, images, linear, sequences, with_validation, with_y

__all__ = ["CASES", "Scaled"]

SGD, Adam, RMSprop = torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop
NO_STOP: dict[str, Any] = {"early_stopping": False, "max_epochs": 30, "lr": 0.003}


class Scaled(nn.Module):
    """A trained factor of each unit in front of a bounded activation."""

    def __init__(self, in_features: int, out_features: int, factor: float = 60.0, width: int = 48) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(in_features, width), nn.Linear(width, width)])
        self.factors = nn.Parameter(torch.full((2, width), factor))
        self.out = nn.Linear(width, out_features)

    def forward(self, x: Tensor) -> Tensor:
        for layer, factor in zip(self.layers, self.factors, strict=True):
            x = torch.tanh(layer(x) * factor)
        return self.out(x)


class Recurrence(nn.Module):
    """A recurrent cell by hand."""

    def __init__(self, in_features: int, out_features: int, gain: float = 3.0, width: int = 24) -> None:
        super().__init__()
        self.x, self.h, self.out = (
            nn.Linear(in_features, width),
            nn.Linear(width, width),
            nn.Linear(width, out_features),
        )
        nn.init.orthogonal_(self.h.weight, gain)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), self.h.in_features)
        for i in range(x.shape[1]):
            state = torch.relu(self.x(x[:, i]) + self.h(state))
        return self.out(state)


def _times(scale: float, shift: float = 0.0):
    return lambda y, rng: (scale * y + shift).astype(np.float32)


GROWTH = [
    fault("exploding", "24 layers of N(0, 1): an overflow in the first step", digits(),
          classifier(Perceptron, module__sizes=(64,) * 24, module__start=starts.normal(1.0)),
          fix={"module__start": starts.he}),
    fault("exploding", "24 layers of N(0, 1), regression, SGD", linear(),
          regressor(Perceptron, module__sizes=(64,) * 24, module__start=starts.normal(1.0), optimizer=SGD, lr=0.01),
          fix={"module__start": starts.he}),
    fault("exploding", "60 blocks without norms", blobs(),
          classifier(Residual, module__n_blocks=60, module__start=starts.scaled(2.0)),
          fix={"module__start": None, "module__n_blocks": 6}),
    fault("exploding", "twelve convolutions of N(0, 1)", images(),
          classifier(Convolutions, module__channels=(12,) * 12, module__start=starts.normal(1.0)),
          fix={"module__start": starts.he, "lr": 0.003}, repairable=True),
    fault("exploding", "a recurrent ReLU of gain 3, by hand", sequences(60),
          classifier(Recurrence, lr=0.003), fix={"module__gain": 0.95}, repairable=True),
    fault("exploding", "a recurrent ReLU of gain 3, SGD", sequences(50, what="decay"),
          regressor(Recurrent, module__cell=nn.RNN, module__nonlinearity="relu", optimizer=SGD, lr=0.01,
                    module__start=starts.recurrent(gain=3.0)),
          fix={"module__start": starts.recurrent(gain=0.7)}),
    fault("exploding", "targets of 1e5, SGD", with_y(friedman(), _times(1e5), test=True),
          regressor(Perceptron, preprocessing=False, optimizer=SGD, lr=0.01),
          fix={"preprocessing": True, "optimizer__momentum": 0.9}),
    fault("exploding", "targets around 1e6, momentum", with_y(friedman(), _times(1.0, 1e6), test=True),
          regressor(Perceptron, preprocessing=False, optimizer=SGD, optimizer__momentum=0.9, lr=0.01),
          fix={"preprocessing": True}),
    fault("exploding not_learning", "targets of 1e12, Adam", with_y(friedman(), _times(1e12), test=True),
          regressor(Perceptron, preprocessing=False, lr=0.003), fix={"preprocessing": True}),
]  # fmt: skip

FINITE = [
    fault("loss_diverging exploding dead_units", "Adam at 3, regression", linear(),
          regressor(Perceptron, optimizer=Adam, lr=3.0), fix={"lr": 0.003}, repairable=True),
    fault("loss_diverging exploding dead_units", "Adam at 3, five epochs", linear(),
          regressor(Perceptron, optimizer=Adam, lr=3.0, max_epochs=5), fix={"lr": 0.01}, repairable=True),
    fault("loss_diverging dead_units", "momentum of 0.95 at 5, clipped to 0.5", digits(),
          classifier(Perceptron, optimizer=SGD, optimizer__momentum=0.95, lr=5.0, gradient_clipping=0.5,
                     lr_schedule="constant"), fix={"lr": 0.02}),
    fault("loss_diverging exploding", "RAdam at 3, tanh", friedman(),
          regressor(Perceptron, module__activation=torch.tanh, optimizer=torch.optim.RAdam, lr=3.0), fix={"lr": 0.003}),
    fault("loss_diverging exploding", "linear model, momentum beyond its limit", linear(n_features=30),
          regressor(Perceptron, module__sizes=(), optimizer=SGD, optimizer__momentum=0.9, lr=0.2,
                    gradient_clipping=None, lr_schedule="constant"), fix={"lr": 0.003}, repairable=True),
    fault("loss_diverging exploding non_finite dead_units", "TabM at 10", friedman(),
          regressor(TabM, lr=10.0, max_epochs=12), fix={"lr": 0.01}, repairable=True),
]  # fmt: skip

MEMORY = [
    fault("not_learning", "numbers of other rows, TabM", with_y(friedman(2000), shuffled),
          regressor(TabM, max_epochs=10), good_source=friedman(2000)),
    fault("not_learning", "labels of other rows, the default", with_y(blobs(900), shuffled), classifier(),
          good_source=blobs(900)),
    fault("overfitting not_learning", "noise by heart, wide", with_validation(noise(600, classes=False)),
          regressor(Perceptron, module__sizes=(256, 256), **NO_STOP), good_source=with_validation(linear())),
    fault("overfitting not_learning", "noise by heart, three classes", with_validation(with_y(blobs(600), shuffled)),
          classifier(Perceptron, module__sizes=(256, 256), **NO_STOP), good_source=with_validation(blobs())),
    fault("exploding saturated_units", "fifteen tanh layers of gain 2.5", friedman(),
          regressor(Perceptron, module__sizes=(32,) * 15, module__activation=torch.tanh,
                    module__start=starts.scaled(2.5), lr=0.002), fix={"module__start": starts.xavier}, repairable=True),
]  # fmt: skip

SATURATED = [
    fault("saturated_units", "a factor of 60 in front of tanh", digits(), classifier(Scaled, lr=0.001),
          fix={"module__factor": 1.0, "lr": 0.003}, repairable=True),
    fault("saturated_units", "a factor of 100 in front of tanh, SGD", friedman(),
          regressor(Scaled, module__factor=100.0, optimizer=SGD, lr=0.01),
          fix={"module__factor": 1.0, "optimizer__momentum": 0.9}),
    fault("saturated_units exploding", "twelve tanh layers of gain 4", blobs(),
          classifier(Perceptron, module__sizes=(32,) * 12, module__activation=torch.tanh,
                     module__start=starts.scaled(4.0), lr=0.002),
          fix={"module__start": starts.xavier}, repairable=True),
]  # fmt: skip

CASES: list[Case] = [*GROWTH, *FINITE, *MEMORY, *SATURATED]
