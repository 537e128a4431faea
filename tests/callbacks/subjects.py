"""A small network, a plain skorch net, and a callback that spoils values."""

from __future__ import annotations

import math

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def plain_net(**params) -> NeuralNetClassifier:
    settings = dict(criterion=nn.CrossEntropyLoss, verbose=0, lr=0.1, max_epochs=20, batch_size=32)
    settings["iterator_train__shuffle"] = True
    return NeuralNetClassifier(Net, **{**settings, **params})


class Poison(Callback):
    """Puts a value into a batch, a weight or a gradient, once or from then on."""

    def __init__(self, step: int, value: float = math.nan, where: str = "gradient", lasting: bool = False) -> None:
        self.step, self.value, self.where, self.lasting = step, value, where, lasting

    def on_train_begin(self, net, **kwargs):
        self.seen = 0

    def is_due(self) -> bool:
        return self.seen == self.step or (self.lasting and self.seen > self.step)

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if not training:
            return
        self.seen += 1
        if not self.is_due():
            return
        x = batch[0]["x"] if isinstance(batch[0], dict) else batch[0]
        if self.where == "batch":
            x[:, 2] = self.value
        if self.where == "weight":
            with torch.no_grad():
                net.module_.layers[0].weight[0, 0] = self.value

    def on_grad_computed(self, net, named_parameters, **kwargs):
        if self.where == "gradient" and self.is_due():
            dict(named_parameters)["layers.0.weight"].grad[0, 0] = self.value
