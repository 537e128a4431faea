"""Healthy training runs of unusual modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import starts
from .case import Case, classifier, healthy, plain_classifier, plain_regressor, regressor
from .faults_roots import Scaled
from .networks import Attention, Convolutions, Encoder, Perceptron, Recurrent, Residual
from .tables import blobs, circles, digits, friedman, images, labels, linear, sequences

__all__ = ["CASES"]

SGD = torch.optim.SGD


class FrozenBody(Perceptron):
    """Hidden layers stay as they are drawn; the last one learns."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, sizes=(128, 128), activation=torch.tanh)
        self.hidden.requires_grad_(False)


class Tied(nn.Module):
    """One layer, three times."""

    def __init__(self, in_features: int, out_features: int, width: int = 48) -> None:
        super().__init__()
        self.first, self.shared, self.out = (
            nn.Linear(in_features, width),
            nn.Linear(width, width),
            nn.Linear(width, out_features),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        for _ in range(3):
            x = torch.relu(self.shared(x))
        return self.out(x)


class Reconstruction(nn.Module):
    """Squeezes rows through two numbers, out again by the same weights, and classifies what comes out."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, in_features) / in_features**0.5)
        self.head = nn.Sequential(nn.Linear(in_features, 48), nn.ReLU(), nn.Linear(48, out_features))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(x @ self.weight.t()) @ self.weight)


class Gated(nn.Module):
    """Gated linear units; a table of vectors of which most are never looked up, and a layer that is never called."""

    def __init__(self, in_features: int, out_features: int, width: int = 48) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, 2 * width)
        self.vectors = nn.Embedding(200, 8)
        self.unused = nn.Linear(width, width)
        self.out = nn.Linear(width + 8, out_features)

    def forward(self, x: Tensor) -> Tensor:
        looked_up = self.vectors((x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long())
        return self.out(torch.cat([F.glu(self.first(x)), looked_up], 1))


class ReZero(nn.Module):
    """Each branch is multiplied by a number that begins at 0."""

    def __init__(self, in_features: int, out_features: int, width: int = 32, n_blocks: int = 10) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(n_blocks))
        self.gains = nn.Parameter(torch.zeros(n_blocks))
        self.out = nn.Linear(width, out_features)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for gain, block in zip(self.gains, self.blocks, strict=True):
            x = x + gain * torch.relu(block(x))
        return self.out(x)


class Experts(nn.Module):
    """Four linear experts, mixed by a softmax just before the end."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.gate = nn.Linear(in_features, 4)
        self.experts = nn.ModuleList(nn.Linear(in_features, out_features) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        shares = torch.softmax(self.gate(x), 1)
        scores = torch.stack([expert(x) for expert in self.experts], 2)
        return (scores * shares[:, None]).sum(2)


class Cosines(Perceptron):
    """Ten times the cosine between a hidden vector and a vector of each class."""

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.hidden[0](x))
        return 10 * F.linear(F.normalize(h, dim=1, eps=1e-6), F.normalize(self.out.weight, dim=1))


def _capped(x: Tensor) -> Tensor:
    return 20 * torch.tanh(x / 20)


TABLE_NETWORKS = [
    healthy("a mixture of experts", blobs(), classifier(Experts, lr=0.01)),
    healthy("cosines as scores", digits(), classifier(Cosines, lr=0.003)),
    healthy("capped scores", digits(), classifier(Perceptron, module__last=_capped, lr=0.003)),
    healthy("half of the first units dead, without harm", digits(),
            classifier(Perceptron, module__sizes=(128, 64), lr=0.003,
                       module__start=starts.biases(-30.0, share=0.5, layers=slice(1)))),
    healthy("steep tanh features", circles(),
            classifier(Perceptron, module__sizes=(128,), module__activation=torch.tanh,
            module__start=starts.scaled(6.0, hidden_only=True), lr=0.01)),
    healthy("frozen body", digits(), classifier(FrozenBody, lr=0.01)),
    healthy("frozen body, plain skorch", blobs(), plain_classifier(FrozenBody, lr=0.01)),
    healthy("one layer three times", digits(), classifier(Tied, lr=0.003)),
    healthy("weights used both ways", digits(), classifier(Reconstruction, lr=0.003)),
    healthy("gates, unused rows and layers", blobs(), classifier(Gated, lr=0.003)),
    healthy("branches that begin at 0", digits(),
            classifier(Residual, module__n_blocks=16, module__zero_branches=True)),
    healthy("ReZero", blobs(), classifier(ReZero, lr=0.003)),
    healthy("last layer that begins at 0", digits(), classifier(Perceptron, module__start=starts.last_zero, lr=0.003)),
    healthy("24 residual blocks, layer norm", digits(),
            classifier(Residual, module__n_blocks=24, module__norm=nn.LayerNorm)),
    healthy("12 residual blocks, batch norm, plain skorch", digits(),
            plain_classifier(Residual, module__norm=nn.BatchNorm1d, lr=0.001, max_epochs=10)),
    healthy("12 residual blocks without norm, regression", friedman(), regressor(Residual, module__width=24)),
    healthy("batch norm", digits(), classifier(Perceptron, module__norm=nn.BatchNorm1d, lr=0.003)),
    healthy("ten layers of batch norm", digits(), classifier(Perceptron, module__sizes=(48,) * 10,
            module__norm=nn.BatchNorm1d, lr=0.003)),
    healthy("dropout of 0.6", digits(),
            classifier(Perceptron, module__sizes=(128, 128), module__dropout=0.6, lr=0.003)),
    healthy("dropout of 0.5, plain skorch", friedman(), plain_regressor(Perceptron, module__dropout=0.5)),
    healthy("one sigmoid layer", blobs(), classifier(Perceptron, module__sizes=(64,), module__activation=torch.sigmoid,
            lr=0.01)),
    healthy("two sigmoid layers", digits(), classifier(Perceptron, module__activation=torch.sigmoid, lr=0.01)),
    healthy("eight tanh layers, Xavier", digits(), classifier(Perceptron, module__sizes=(48,) * 8,
            module__activation=torch.tanh, module__start=starts.xavier)),
    healthy("ten SELU layers", blobs(), classifier(Perceptron, module__sizes=(48,) * 10, module__activation=F.selu,
            module__start=starts.xavier)),
    healthy("eight ReLU layers, He", digits(),
            classifier(Perceptron, module__sizes=(48,) * 8, module__start=starts.he)),
    healthy("GELU, SGD", blobs(), classifier(Perceptron, module__activation=F.gelu, optimizer=SGD, lr=0.1,
            optimizer__momentum=0.9)),
    healthy("a bottleneck of two", circles(),
            classifier(Perceptron, module__sizes=(32, 2, 32), module__activation=torch.tanh, lr=0.01)),
    healthy("a linear model", linear(), regressor(Perceptron, module__sizes=(), lr=0.03)),
    healthy("a logistic regression, plain skorch", digits(), plain_classifier(Perceptron, module__sizes=(), lr=0.01)),
    healthy("five labels, tanh", labels(), classifier(Perceptron, module__activation=torch.tanh, lr=0.003), 0.15),
]  # fmt: skip

OTHER_NETWORKS = [
    healthy("trained factors of units, all alike", digits(), classifier(Scaled, module__factor=1.0, lr=0.003)),
    healthy("convolutions", images(), classifier(Convolutions, lr=0.003)),
    healthy("convolutions, batch norm", images(), classifier(Convolutions, module__norm=nn.BatchNorm2d, max_epochs=12)),
    healthy("convolutions, squeeze and excite", images(), classifier(Convolutions, module__gates=True, lr=0.005)),
    healthy("convolutions, plain skorch", images(), plain_classifier(Convolutions, max_epochs=12)),
    healthy("GRU", sequences(15), classifier(Recurrent, lr=0.01)),
    healthy("GRU that must remember", sequences(15, what="first"), classifier(Recurrent, lr=0.01)),
    healthy("LSTM, sum that forgets", sequences(20, what="decay"), regressor(Recurrent, module__cell=nn.LSTM, lr=0.01)),
    healthy("LSTM in both directions", sequences(12, what="peak"),
            classifier(Recurrent, module__cell=nn.LSTM, module__bidirectional=True, lr=0.01)),
    healthy("LSTM on pixels, plain skorch", images(shape=(8, 8)), plain_classifier(Recurrent, module__cell=nn.LSTM,
            module__hidden_size=32, lr=0.01)),
    healthy("a tanh recurrent net", sequences(10), classifier(Recurrent, module__cell=nn.RNN, lr=0.01)),
    healthy("a ReLU recurrent net of the identity", sequences(15),
            classifier(Recurrent, module__cell=nn.RNN, module__nonlinearity="relu", lr=0.003,
                       module__start=starts.recurrent(gain=1.0))),
    healthy("a transformer", sequences(12), classifier(Encoder, lr=0.003, max_epochs=12)),
    healthy("a transformer, norms last, plain skorch", sequences(12),
            plain_classifier(Encoder, module__norm_first=False, max_epochs=12, lr=0.001)),
    healthy("attention by hand", sequences(12), classifier(Attention, module__scale=1.0, lr=0.01)),
]  # fmt: skip

CASES: list[Case] = [*TABLE_NETWORKS, *OTHER_NETWORKS]
