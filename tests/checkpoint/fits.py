"""Fits that tests interrupt."""

from __future__ import annotations

import functools
import os

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sknn import NeuralClassifier
from sknn.modules import MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5))
Y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)


def is_struck(net) -> bool:
    """By the environment, which is no parameter: code and what it refers to are."""
    return os.environ.get("POWER_CUT_AFTER") == str(len(net.history) - 1)


def cut_after(epochs: int | None) -> None:
    os.environ["POWER_CUT_AFTER"] = str(epochs)


class PowerCut(Callback):
    """Ends a fit in the middle of an epoch."""

    def on_epoch_begin(self, net, **kwargs):
        os.environ["EPOCHS_RUN"] = str(int(os.environ["EPOCHS_RUN"]) + 1)

    def on_batch_end(self, net, training=False, **kwargs):
        if training and is_struck(net):
            raise RuntimeError("power cut")


class Quiet(Callback):
    """As PowerCut, without looking at steps: these stay the quick ones."""

    def on_epoch_begin(self, net, **kwargs):
        if is_struck(net):
            raise RuntimeError("power cut")


class Counting(nn.Module):
    """A user's module with dropout, batch norm, and a number that is no tensor."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.n_calls = 0
        self.layers = nn.Sequential(
            nn.Linear(in_features, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, out_features)
        )

    def forward(self, x):
        self.n_calls += 1
        return self.layers(x) * (1 + 1e-3 * (self.n_calls % 7)) if self.training else self.layers(x)


def same_bits(a, b) -> bool:
    return (
        np.array_equal(a.predict(X), b.predict(X))
        and all(map(torch.equal, a.module_.state_dict().values(), b.module_.state_dict().values()))
        and a.loss_curve_ == b.loss_curve_
        and a.validation_scores_ == b.validation_scores_
        and a.best_epoch_ == b.best_epoch_
        and str(a.health_) == str(b.health_)
    )


def cut_off(make, path, after, X=X, y=Y):
    cut_after(after)
    with pytest.raises(RuntimeError, match="power cut"):
        make(checkpoint=path).fit(X, y)
    cut_after(None)


@functools.cache
def unbroken():
    """A fit that nothing interrupts and that writes no checkpoint, for comparisons."""
    return quick().fit(X, Y)


def quick(**kwargs):
    """A fit of some milliseconds an epoch."""
    params = dict(module=MLP, module_params={"hidden_sizes": (8,)}, max_epochs=6, random_state=0, callbacks=[Quiet()])
    return NeuralClassifier(**{**params, "checkpoint_every_epochs": 1, **kwargs})
