"""Modules, tables and helpers of the tests of training health."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, make_circles
from torch import nn

from sknn import NeuralClassifier
from sknn.callbacks import GradientHealth
from sknn.exceptions import GradientHealthWarning

CIRCLES = make_circles(400, noise=0.05, factor=0.5, random_state=0)
IRIS = load_iris(return_X_y=True)
IRIS32 = ((IRIS[0] - IRIS[0].mean(0)) / IRIS[0].std(0)).astype(np.float32)


CANCER = load_breast_cancer(return_X_y=True)


SCALED = ((CANCER[0] - CANCER[0].mean(0)) / CANCER[0].std(0)).astype(np.float32)


DIGITS = tuple(part[:700] for part in load_digits(return_X_y=True))


DIABETES = load_diabetes(return_X_y=True)


class Deep(nn.Module):
    """Layers of 24 units; a function changes their weights at the start."""

    def __init__(self, in_features, out_features, depth=3, activation=nn.ReLU, change=None, last=None) -> None:
        super().__init__()
        sizes = [in_features, *[24] * (depth - 1)]
        layers = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), activation()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(24, out_features)
        self.last = nn.Identity() if last is None else last
        if change is not None:
            change(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.head(self.body(x)))


def classifier(module=Deep, module_params=None, **params) -> NeuralClassifier:
    settings = {"max_epochs": 8, "batch_size": 32, "random_state": 0}
    return NeuralClassifier(module, module_params=module_params, **{**settings, **params})


@torch.no_grad()
def huge(module) -> None:
    for parameter in module.parameters():
        parameter.mul_(60.0)


@torch.no_grad()
def huge_body(module) -> None:
    for parameter in module.body.parameters():
        parameter.mul_(60.0)


@torch.no_grad()
def below_zero(module) -> None:
    module.body[0].bias.fill_(-100.0)


@torch.no_grad()
def constant(module) -> None:
    for parameter in module.parameters():
        parameter.fill_(0.05)


def record(model, X, y, **fit_params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, **fit_params)
    if hasattr(model, "health_"):
        return model.health_
    return next(cb for _, cb in model.callbacks_ if isinstance(cb, GradientHealth)).health_


def findings(model, X, y, **fit_params) -> list:
    return record(model, X, y, **fit_params).findings


def fitted(model, *data, **fit_params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        return model.fit(*data, **fit_params)
