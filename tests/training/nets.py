"""Nets without an estimator around them, for the tests of this directory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sknn._data.rows import Rows
from sknn._data.stores import Dense
from sknn._training import train as training
from sknn._training.net import _Net
from sknn._training.plan import TrainingPlan
from sknn.losses import LogLoss

CPU = torch.device("cpu")
N_ROWS, N_FEATURES, N_CLASSES, BATCH = 70, 4, 3, 16
EPOCHS = 4


class Network(nn.Module):
    """Weights and biases, a norm, and a lone scale: all kinds of parameter that weight decay tells apart."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(N_FEATURES, 8)
        self.norm = nn.LayerNorm(8)
        self.second = nn.Linear(8, N_CLASSES)
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.norm(torch.tanh(self.first(x)))) * self.scale


def make_network(dtype: torch.dtype = torch.float32) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Network().to(dtype)


def make_rows(weighted: bool = False, n_rows: int = N_ROWS, seed: int = 0) -> Rows:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_rows, N_FEATURES, generator=generator)
    y = (x[:, 0] + x[:, 1] > 0).long() + (x[:, 2] > 0.5).long()
    weight = torch.rand(n_rows, generator=generator) + 0.5 if weighted else None
    return Rows(Dense(x), y, None if weight is None else weight / weight.mean(), CPU)


def make_net(
    optimizer: type = torch.optim.SGD,
    params: dict[str, Any] | None = None,
    callbacks: Any = (),
    epochs: int = EPOCHS,
    dtype: torch.dtype = torch.float32,
    **plan: Any,
) -> _Net:
    wanted = make_plan(callbacks=list(callbacks), epochs=epochs, **{"shuffle_seed": 11, **plan})
    net = _Net(
        make_network(dtype), LogLoss(), target_kind="classes", n_classes=N_CLASSES, optimizer=optimizer,
        optimizer_params=params or {}, lr=wanted.lr, batch_size=BATCH, callbacks=wanted.callbacks, device="cpu",
        max_epochs=epochs,
    )  # fmt: skip
    return net.prepare(wanted)


def make_plan(**plan: Any) -> TrainingPlan:
    defaults = {"epochs": EPOCHS, "batch_size": BATCH, "lr": 0.01, "callbacks": [], "device": CPU}
    return TrainingPlan(**{**defaults, **plan})


def train(net: _Net, rows: Rows, valid: Rows | None = None) -> None:
    training.train(net, rows, valid, learned=(None, None))
