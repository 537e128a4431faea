"""Modules as users write them: functional calls, no common base, weights drawn in the constructor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .starts import Start

__all__ = ["Attention", "Convolutions", "Encoder", "NormFirst", "Perceptron", "Recurrent", "Residual"]
__all__ += ["log_softmax", "softmax"]

Activation = Callable[[Tensor], Tensor]

softmax = partial(torch.softmax, dim=1)
log_softmax = partial(torch.log_softmax, dim=1)


class Perceptron(nn.Module):
    """Linear layers and functional activations."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        sizes: Sequence[int] = (64, 64),
        activation: Activation = torch.relu,
        start: Start | None = None,
        last: Activation | None = None,
        dropout: float = 0.0,
        norm: type[nn.Module] = nn.Identity,
        bias: bool = True,
    ) -> None:
        super().__init__()
        widths = [in_features, *sizes]
        self.hidden = nn.ModuleList(nn.Linear(a, b, bias=bias) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(norm(size) for size in sizes)
        self.out = nn.Linear(widths[-1], out_features)
        self.activation, self.last, self.dropout = activation, last, dropout
        if start is not None:
            start(self)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            x = F.dropout(self.activation(norm(layer(x))), self.dropout, self.training)
        x = self.out(x)
        return x if self.last is None else self.last(x)


class NormFirst(Perceptron):
    """Normalises its inputs itself."""

    def __init__(self, in_features: int, out_features: int, norm_first: type[nn.Module] = nn.BatchNorm1d) -> None:
        super().__init__(in_features, out_features)
        self.norm_first = norm_first(in_features)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.norm_first(x))


class Residual(nn.Module):
    """A stream that blocks of two layers add to."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 32,
        n_blocks: int = 12,
        norm: type[nn.Module] = nn.Identity,
        start: Start | None = None,
        zero_branches: bool = False,
    ) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(norm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(n_blocks)
        )
        self.norm = norm(width)
        self.out = nn.Linear(width, out_features)
        if start is not None:
            start(self)
        if zero_branches:
            for block in self.blocks:
                nn.init.zeros_(block[3].weight)  # pyright: ignore[reportIndexIssue]

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.out(self.norm(x))


class Convolutions(nn.Module):
    """3x3 convolutions on small images, mean over the pixels, one linear layer."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        channels: Sequence[int] = (8, 16),
        activation: Activation = torch.relu,
        norm: type[nn.Module] = nn.Identity,
        gates: bool = False,
        start: Start | None = None,
        last: Activation | None = None,
    ) -> None:
        super().__init__()
        widths = [in_features, *channels]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(norm(width) for width in channels)
        self.gates = nn.ModuleList(nn.Linear(width, width) for width in channels) if gates else None
        self.out = nn.Linear(widths[-1] * 16, out_features)
        self.activation, self.last = activation, last
        if start is not None:
            start(self)

    def forward(self, x: Tensor) -> Tensor:
        for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = self.activation(norm(convolution(x)))
            if self.gates is not None:  # squeeze and excite
                x = x * torch.sigmoid(self.gates[i](x.mean((2, 3))))[:, :, None, None]
            x = F.max_pool2d(x, 2) if i == 0 else x
        x = self.out(x.flatten(1))
        return x if self.last is None else self.last(x)


class Recurrent(nn.Module):
    """A recurrent cell, and a linear layer on its last output."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        cell: Callable[..., nn.RNNBase] = nn.GRU,
        hidden_size: int = 24,
        start: Start | None = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.cell = cell(in_features, hidden_size, batch_first=True, **params)
        self.out = nn.Linear(hidden_size * (1 + self.cell.bidirectional), out_features)
        if start is not None:
            start(self)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.cell(x)
        return self.out(outputs[:, -1])


class Encoder(nn.Module):
    """A projection, torch's transformer encoder, mean over the steps."""

    def __init__(
        self, in_features: int, out_features: int, width: int = 24, n_layers: int = 2, norm_first: bool = True
    ) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, width)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.1, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        self.position = nn.Parameter(0.1 * torch.randn(1, 64, width))
        self.out = nn.Linear(width, out_features)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x) + self.position[:, : x.shape[1]]
        return self.out(self.encoder(x).mean(1))


class Attention(nn.Module):
    """One head, by hand. Steps whose features are all 0 are padding; `safe` keeps the first step in any case."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 24,
        safe: bool = True,
        start: Start | None = None,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.keys, self.values = nn.Linear(in_features, width), nn.Linear(in_features, width)
        self.query = nn.Parameter(torch.randn(width))
        self.out = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, out_features))
        self.safe = safe
        self.scale = 1 / math.sqrt(width) if scale is None else scale
        if start is not None:
            start(self)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.keys(x) @ self.query * self.scale
        padding = (x == 0).all(2)
        if self.safe:
            padding[:, 0] = False
        weights = torch.softmax(scores.masked_fill(padding, -math.inf), dim=1)
        return self.out((weights[:, :, None] * self.values(x)).sum(1))
