"""Steps against a slow, obvious loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import GradientNormClipping
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._data.rows import Rows
from sknn.callbacks import GradientClipping
from sknn.losses import SquaredError
from sknn.modules import MLP

from .nets import BATCH, EPOCHS, Network, make_net, make_network, make_rows, train
from .test_skorch_scoring import X, Y


def reference_batches(n_rows: int, generator: torch.Generator) -> list[Tensor]:
    """Shuffled row numbers in batches; a last batch of one row joins its neighbour."""
    batches = list(torch.randperm(n_rows, generator=generator).split(BATCH))
    if len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def reference_training(
    rows: Rows,
    optimizer: type,
    params: dict[str, Any],
    *,
    lr: float = 0.01,
    clip: float | None = None,
    factor: Any = None,
    epochs: int = EPOCHS,
) -> tuple[Network, list[float]]:
    """Train as any tutorial does: one tensor per parameter, a cross-entropy of torch, a loop."""
    network = make_network(rows.store.x.dtype)
    exempt = [*network.norm.parameters(), network.first.bias, network.second.bias, network.scale]
    decayed = [network.first.weight, network.second.weight]
    if optimizer is torch.optim.LBFGS:
        stepper = optimizer(network.parameters(), lr=lr, **params)
    else:
        stepper = optimizer([{"params": decayed}, {"params": exempt, "weight_decay": 0.0}], lr=lr, **params)
    generator = torch.Generator().manual_seed(11)
    losses = []
    step, n_steps = 0, epochs * len(reference_batches(len(rows), torch.Generator()))
    for _ in range(epochs):
        total = 0.0
        for index in reference_batches(len(rows), generator):
            x, y = rows.store.x[index], rows.y[index]
            weight = torch.ones(len(index)) if rows.weight is None else rows.weight[index]
            if factor is not None:
                for group in stepper.param_groups:
                    group["lr"] = lr * factor(step / n_steps)
            evaluations: list[float] = []

            def closure(x=x, y=y, weight=weight, evaluations=evaluations) -> Tensor:
                stepper.zero_grad()
                loss = (nn.functional.cross_entropy(network(x), y, reduction="none") * weight).sum() / len(y)
                loss.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(network.parameters(), clip)
                evaluations.append(loss.item())
                return loss

            stepper.step(closure)
            total += evaluations[0] * len(index)
            step += 1
        losses.append(total / len(rows))
    return network, losses


def assert_same_weights(network: nn.Module, expected: nn.Module, rtol: float = 1e-4, atol: float = 2e-6) -> None:
    for (name, got), wanted in zip(network.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(got, wanted, rtol=rtol, atol=atol, msg=lambda text, name=name: f"{name}: {text}")
    assert not torch.equal(expected.first.weight, make_network(expected.scale.dtype).first.weight), (
        "the reference did not move"
    )


OPTIMIZERS: dict[str, tuple[type, dict[str, Any], float]] = {
    "sgd": (torch.optim.SGD, {"weight_decay": 0.1}, 0.1),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}, 0.05),
    "adam": (torch.optim.Adam, {"weight_decay": 0.05}, 0.01),
    "amsgrad": (torch.optim.Adam, {"amsgrad": True}, 0.01),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.2}, 0.01),
    "rmsprop": (torch.optim.RMSprop, {"momentum": 0.5, "centered": True, "weight_decay": 0.05}, 0.005),
    "nadam": (torch.optim.NAdam, {"weight_decay": 0.05}, 0.01),
    "radam": (torch.optim.RAdam, {"weight_decay": 0.05}, 0.01),
    "adamax": (torch.optim.Adamax, {"weight_decay": 0.05}, 0.01),
    "adadelta": (torch.optim.Adadelta, {"weight_decay": 0.05}, 0.5),
    "adagrad": (torch.optim.Adagrad, {"weight_decay": 0.05}, 0.05),
    "asgd": (torch.optim.ASGD, {"weight_decay": 0.05}, 0.05),
    "lbfgs": (torch.optim.LBFGS, {"max_iter": 3}, 0.01),
}


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("clip", [None, 0.3], ids=["unclipped", "clipped"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_equals_the_reference(name: str, clip: float | None, weighted: bool) -> None:
    optimizer, params, lr = OPTIMIZERS[name]
    rows = make_rows(weighted)
    # LBFGS divides by small differences between gradients, so that float32 rounding soon fills all digits.
    dtype = torch.float64 if name == "lbfgs" else torch.float32
    rows.store.x = rows.store.x.to(dtype)
    net = make_net(optimizer, params, [] if clip is None else [GradientClipping(clip)], lr=lr, dtype=dtype)
    assert bool(net.flat_parameters) == (name not in ("asgd", "lbfgs"))
    train(net, rows)
    expected, losses = reference_training(rows, optimizer, params, lr=lr, clip=clip)
    assert_same_weights(net.module_, expected)
    np.testing.assert_allclose([record["train_loss"] for record in net.history], losses, rtol=1e-5)


def test_clipping_and_weights_and_decay_each_change_the_reference() -> None:
    """Else the comparisons above would prove less than they say."""
    rows, optimizer = make_rows(), torch.optim.SGD
    plain, _ = reference_training(rows, optimizer, {}, lr=0.1)
    others = [
        reference_training(rows, optimizer, {}, lr=0.1, clip=0.3)[0],
        reference_training(make_rows(weighted=True), optimizer, {}, lr=0.1)[0],
        reference_training(rows, optimizer, {"weight_decay": 0.1}, lr=0.1)[0],
    ]
    for other in others:
        assert (other.first.weight - plain.first.weight).abs().max() > 1e-3


SCHEDULES: dict[str, Any] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda p: max(p / 0.05, 1e-3) if p < 0.05 else 0.5 * (1 + math.cos(math.pi * (p - 0.05) / 0.95)),
    "one_cycle": lambda p: (
        1.0 + (0.04 - 1.0) * 0.5 * (1 + math.cos(math.pi * p / 0.3))
        if p < 0.3
        else 1e-4 + (1 - 1e-4) * 0.5 * (1 + math.cos(math.pi * (p - 0.3) / 0.7))
    ),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_equal_their_formula_at_every_step(schedule: str) -> None:
    rows = make_rows()
    net = make_net(torch.optim.AdamW, {"weight_decay": 0.1}, lr_schedule=schedule)
    train(net, rows)
    expected, losses = reference_training(rows, torch.optim.AdamW, {"weight_decay": 0.1}, factor=SCHEDULES[schedule])
    assert_same_weights(net.module_, expected)
    np.testing.assert_allclose([record["train_loss"] for record in net.history], losses, rtol=1e-5)


def test_the_last_single_row_joins_the_batch_before() -> None:
    rows = make_rows(n_rows=4 * BATCH + 1)
    net = make_net(lr=0.1, epochs=2)
    train(net, rows)
    expected, _ = reference_training(rows, torch.optim.SGD, {}, lr=0.1, epochs=2)
    assert_same_weights(net.module_, expected)
    assert net.history[-1, "train_batch_count"] == 4


def test_skorchs_gradient_clipping_equals_ours() -> None:
    def weights(**params: Any) -> Tensor:
        model = NeuralClassifier(MLP, max_epochs=2, random_state=0, optimizer=torch.optim.SGD, lr=0.1, **params)
        return next(model.fit(X, Y).module_.parameters())

    ours = weights(gradient_clipping=0.05)
    skorchs = weights(gradient_clipping=None, callbacks=[GradientNormClipping(0.05)])
    torch.testing.assert_close(skorchs, ours, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(weights(gradient_clipping=None), ours, atol=1e-4)


def test_the_criterion_trains_too_where_it_has_parameters() -> None:
    class Scaled(SquaredError):
        def __init__(self) -> None:
            super().__init__()
            self.log_scale = nn.Parameter(torch.tensor(0.7))

        def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
            return super().pointwise(raw_prediction, y) * torch.exp(-self.log_scale) + self.log_scale

    model = NeuralRegressor(MLP, criterion=Scaled, max_epochs=2, random_state=0).fit(X, X[:, 0])
    assert model.net_.criterion_.log_scale.item() != pytest.approx(0.7, abs=1e-6)
