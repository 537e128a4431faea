"""Modules and losses with a mistake in them, or a switch for one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .networks import Perceptron

__all__ = ["BatchSoftmax", "Detached", "Frozen", "HandLogLoss", "IgnoresInput", "LogFeatures", "NegatedLoss"]
__all__ += ["RootDistance", "RowNorm", "SummedGain"]


class LogFeatures(Perceptron):
    """Takes the logarithm of counts, which may be 0; `eps` is what was forgotten."""

    def __init__(self, in_features: int, out_features: int, eps: float = 0.0) -> None:
        super().__init__(in_features, out_features)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.log(x + self.eps))


class RowNorm(Perceptron):
    """Divides hidden vectors by their norm, which ReLU may make 0."""

    def __init__(self, in_features: int, out_features: int, eps: float = 0.0) -> None:
        super().__init__(in_features, out_features, sizes=(6, 32))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.hidden[0](x))
        h = h / (h.norm(dim=1, keepdim=True) + self.eps)
        return self.out(torch.relu(self.hidden[1](h)))


class RootDistance(nn.Module):
    """Distances between hidden vectors of a row, each one's to itself included; a root has no derivative at 0."""

    def __init__(self, in_features: int, out_features: int, eps: float = 0.0) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, 24)
        self.out = nn.Linear(36, out_features)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x).unflatten(1, (6, 4))
        squares = (h[:, None] - h[:, :, None]).square().sum(3)  # (batch, 6, 6)
        return self.out(torch.sqrt(squares + self.eps).flatten(1))


class HandLogLoss(nn.Module):
    """Binary cross-entropy of a sigmoid, by hand; `eps` is what was forgotten."""

    def __init__(self, eps: float = 0.0) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        p = torch.sigmoid(raw_prediction)
        if p.ndim == 2 and p.shape[1] == 2:
            p, y = torch.softmax(raw_prediction, 1)[:, 1], y.float()
        return -(y * torch.log(p + self.eps) + (1 - y) * torch.log(1 - p + self.eps)).mean()


class NegatedLoss(nn.Module):
    """Squared error, or cross-entropy, with the wrong sign."""

    def forward(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        if y.dtype == torch.int64:
            return -F.cross_entropy(raw_prediction, y)
        return -F.mse_loss(raw_prediction, y)


class IgnoresInput(Perceptron):
    """Multiplies by an input that is no longer there."""

    def __init__(self, in_features: int, out_features: int, ignore: bool = True) -> None:
        super().__init__(in_features, out_features)
        self.ignore = ignore

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * 0 if self.ignore else x)


class Detached(Perceptron):
    """Leaves the graph before a last layer of one unit, so that nothing behind it learns."""

    def __init__(self, in_features: int, out_features: int, detach: bool = True) -> None:
        super().__init__(in_features, out_features, sizes=(64, 1), activation=torch.tanh)
        self.detach = detach

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.hidden[1](torch.tanh(self.hidden[0](x))))
        return self.out(h.detach() if self.detach else h)


class Frozen(Perceptron):
    """Everything but the last bias is frozen."""

    def __init__(self, in_features: int, out_features: int, freeze: bool = True) -> None:
        super().__init__(in_features, out_features)
        for parameter in self.parameters():
            parameter.requires_grad_(not freeze)
        self.out.bias.requires_grad_(True)


class BatchSoftmax(Perceptron):
    """Softmax over the rows of the batch, rather than over the classes."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(super().forward(x), dim=0)


class SummedGain(nn.Module):
    """A deep net whose every layer adds up its inputs, without the factor that keeps the scale."""

    def __init__(
        self, in_features: int, out_features: int, width: int = 48, depth: int = 8, keep: bool = False
    ) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, width)
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(width, width)) for _ in range(depth))
        self.out = nn.Linear(width, out_features)
        self.factor = (2 / width) ** 0.5 if keep else 1.0

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        for weight in self.weights:
            x = torch.relu(x @ weight) * self.factor
        return self.out(x)
