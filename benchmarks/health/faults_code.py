"""Faults in the code of a module or a loss: nothing else of the training run is unusual."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .case import Case, classifier, fault, regressor
from .networks import Perceptron
from .tables import blobs, digits, friedman, linear, sequences, with_X

__all__ = ["CASES"]


class Recorded(nn.Module):
    """A network whose layers are in a dict of Python, so that only the last one is trained."""

    def __init__(self, in_features: int, out_features: int, registers: bool = False, width: int = 40) -> None:
        super().__init__()
        parts = {"first": nn.Linear(in_features, width), "second": nn.Linear(width, 2)}
        self.parts: Any = nn.ModuleDict(parts) if registers else parts
        self.head = nn.Linear(2, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.parts["second"](torch.relu(self.parts["first"](x)))))


class Random(Perceptron):
    """Dropout in evaluation, too, or noise that is added in training."""

    def __init__(self, *args: Any, always: float = 0.0, noise: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.always, self.noise = always, noise

    def forward(self, x: Tensor) -> Tensor:
        if self.noise and self.training:
            x = x + self.noise * torch.randn_like(x)
        return super().forward(F.dropout(x, self.always))


class Factor(Perceptron):
    """Outputs times a constant."""

    def __init__(self, *args: Any, factor: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * super().forward(x)


class Gated(nn.Module):
    """A trained gate times a linear head; both may start at zero, where neither has a gradient."""

    def __init__(self, in_features: int, out_features: int, zero: bool = True, width: int = 48) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(in_features, width), nn.Linear(width, out_features, bias=False)
        self.gate = nn.Parameter(torch.full((out_features,), 0.0 if zero else 1.0))
        if zero:
            nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.gate * self.head(F.silu(self.body(x)))


class Flat(nn.Module):
    """A sequence as one vector."""

    def __init__(self, in_features: int, out_features: int, n_steps: int = 20) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(in_features * n_steps, 32), nn.ReLU(), nn.Linear(32, out_features))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1))


class OtherRows(nn.Module):
    """The squared error of each output with every target of the batch."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.reshape(-1, 1) - targets.reshape(1, -1)).square().mean()


class Sums(nn.Module):
    """The error of the sum over the batch."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.sum() - targets.sum()).abs() / len(outputs)


class OverRows(nn.Module):
    """A cross entropy whose softmax is over the rows."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return -outputs.log_softmax(0).mean() + 0.0 * targets.sum()


class Shrinking(nn.Module):
    """A penalty of large outputs that outweighs the error."""

    def __init__(self, factor: float = 400.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        outputs = outputs.reshape(targets.shape)
        return (outputs - targets).square().mean() + self.factor * outputs.square().mean()


def _one_large_channel(X: Any, rng: np.random.Generator) -> np.ndarray:
    return (X * np.array([1.0, 3e4])).astype(np.float32)


GOOD_LOSS = {"criterion": "squared_error"}

CASES: list[Case] = [
    fault("not_learning", "layers in a dict of Python", digits(), classifier(Recorded),
          fix={"module__registers": True, "lr": 0.003}),
    fault("not_learning", "layers in a dict of Python, regression", friedman(), regressor(Recorded),
          fix={"module__registers": True, "lr": 0.003}),
    fault("not_learning", "dropout of 0.95, also in evaluation", blobs(), classifier(Random, module__always=0.95),
          fix={"module__always": 0.0}),
    fault("not_learning", "noise of 40 on the inputs in training", linear(), regressor(Random, module__noise=40.0),
          fix={"module__noise": 0.0, "lr": 0.003}),
    fault("not_learning", "a loss of all pairs of rows", linear(), regressor(Perceptron, criterion=OtherRows, lr=0.003),
          fix=GOOD_LOSS),
    fault("not_learning", "a loss of sums over the batch", friedman(),
          regressor(Perceptron, criterion=Sums, lr=0.003), fix=GOOD_LOSS),
    fault("not_learning", "a softmax over the rows", digits(), classifier(Perceptron, criterion=OverRows, lr=0.003),
          fix={"criterion": "log_loss"}),
    fault("not_learning", "a penalty 400 times the error", friedman(),
          regressor(Perceptron, criterion=Shrinking, lr=0.003), fix=GOOD_LOSS),
    fault("not_learning", "smoothing of labels by 0.9998", blobs(),
          classifier(Perceptron, criterion__label_smoothing=0.9998, lr=0.003), fix={"criterion__label_smoothing": 0.0}),
    fault("not_learning", "outputs times 3e-4", friedman(), regressor(Factor, module__factor=3e-4),
          fix={"module__factor": 1.0}, repairable=True),
    fault("not_learning symmetric_init", "a gate and a head of zero", linear(), regressor(Gated),
          fix={"module__zero": False, "lr": 0.003}, repairable=True),
    fault("not_learning", "an eps of 300", linear(),
          regressor(Perceptron, optimizer=torch.optim.Adam, optimizer__eps=300.0), fix={"optimizer__eps": 1e-8},
          repairable=True),
    fault("input_scale exploding", "one channel of a sequence is large", with_X(sequences(20), _one_large_channel),
          classifier(Flat), good_source=sequences(20), repairable=True),
]  # fmt: skip
