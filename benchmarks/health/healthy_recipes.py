"""Healthy training runs with unusual losses, scales, optimizers and schedules."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import lr_scheduler

from . import starts
from .case import Case, Source, classifier, healthy, plain_classifier, plain_regressor, regressor
from .networks import Convolutions, NormFirst, Perceptron, log_softmax, softmax
from .tables import (
    blobs,
    circles,
    digits,
    friedman,
    from_sklearn,
    images,
    labels,
    linear,
    with_validation,
    with_X,
    with_y,
)

__all__ = ["CASES"]

SGD, Adam, RMSprop, LBFGS = torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.LBFGS


class ScaledLoss(nn.Module):
    """Cross-entropy times a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        return self.factor * F.cross_entropy(raw_prediction, y)


class GaussianLoss(nn.Module):
    """Negative log-likelihood with a standard deviation of 0.05 around the prediction, which may be negative."""

    def forward(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        return (0.5 * ((raw_prediction - y) / 0.05) ** 2).mean() + np.log(0.05 * np.sqrt(2 * np.pi))


def _small(x: Tensor) -> Tensor:
    return 1e-6 * x


def _times(factor: float):
    return lambda array, rng: (array * factor).astype(np.float32)


def _between_0_and_1(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (1 / (1 + np.exp(-1.5 * y))).astype(np.float32)


def _signs(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sign(y).astype(np.float32)


def _warmup(epoch: int) -> float:
    return min(1.0, (epoch + 1) / 8)


def _fine_tuned(source: Source, epochs: int, lr: float, seed: int) -> Any:
    """A net trained on the same rows before, and now with a tiny rate."""
    table = source(seed)
    before = classifier(Perceptron, lr=0.003, random_state=seed, gradient_health=None).fit(table.X, table.y)
    return classifier(before.module_, max_epochs=epochs, lr=lr, preprocessing=False, early_stopping=False)


LOSSES = [
    healthy("label smoothing of 0.2", digits(), classifier(Perceptron, criterion__label_smoothing=0.2, lr=0.003)),
    healthy("losses of 1e-6", blobs(), classifier(Perceptron, criterion=ScaledLoss, criterion__factor=1e-6, lr=0.003,
            optimizer=Adam, optimizer__eps=1e-16)),
    healthy("losses of 1e6", blobs(), classifier(Perceptron, criterion=ScaledLoss, criterion__factor=1e6, lr=0.003)),
    healthy("a negative loss", linear(noise=0.05), regressor(Perceptron, criterion=GaussianLoss, lr=0.003)),
    healthy("a negative loss, plain skorch", linear(noise=0.05), plain_regressor(Perceptron, criterion=GaussianLoss)),
    healthy("targets of 1e-6, scaled by sknn", with_y(friedman(), _times(1e-6), test=True),
            regressor(Perceptron, lr=0.003)),
    healthy("targets of 1e-6, as they are", with_y(friedman(), _times(1e-6), test=True),
            regressor(Perceptron, preprocessing=False, module__last=_small, optimizer=Adam, optimizer__eps=1e-30,
                      lr=0.003)),
    healthy("sigmoid and BCELoss", blobs(n_classes=2),
            classifier(Perceptron, criterion=nn.BCELoss, module__last=torch.sigmoid, lr=0.003)),
    healthy("sigmoid and BCELoss, labels", labels(),
            classifier(Perceptron, criterion=nn.BCELoss, module__last=torch.sigmoid, lr=0.003), 0.15),
    healthy("log-softmax and NLLLoss", digits(),
            classifier(Perceptron, criterion=nn.NLLLoss, module__last=log_softmax)),
    healthy("log-softmax and cross-entropy", digits(), classifier(Perceptron, module__last=log_softmax)),
    healthy("softmax and skorch's NLLLoss", digits(),
            plain_classifier(Perceptron, criterion=nn.NLLLoss, module__last=softmax)),
    healthy("sigmoid and squared error on shares", with_y(friedman(), _between_0_and_1, test=True),
            regressor(Perceptron, preprocessing=False, module__last=torch.sigmoid, lr=0.003)),
    healthy("softplus and positive targets", with_y(friedman(), lambda y, rng: np.exp(0.7 * y), test=True),
            regressor(Perceptron, preprocessing=False, module__last=F.softplus, lr=0.003)),
    healthy("tanh and targets of -1 and 1", with_y(linear(noise=0.0), _signs, test=True),
            plain_regressor(Perceptron, module__last=torch.tanh)),
    healthy("hinge loss", blobs(), classifier(Perceptron, criterion=nn.MultiMarginLoss, lr=0.003)),
    healthy("absolute error", friedman(), regressor(Perceptron, criterion="absolute_error", lr=0.003)),
]  # fmt: skip

SCALES = [
    healthy("pixels of 0 to 255", images(scale=255 / 16, shape=(64,)),
            classifier(Perceptron, preprocessing=False, batch_size=32)),
    healthy("pixels of 0 to 255, plain skorch", images(scale=255 / 16), plain_classifier(Convolutions, lr=0.001)),
    healthy("inputs of 0.05", with_X(digits(), _times(0.05)), classifier(Perceptron, preprocessing=False, lr=0.01)),
    healthy("raw columns into batch norm", from_sklearn("breast_cancer", raw=True),
            classifier(NormFirst, preprocessing=False, lr=0.003)),
    healthy("raw columns into layer norm, plain skorch", from_sklearn("wine", raw=True),
            plain_classifier(NormFirst, module__norm_first=nn.LayerNorm, batch_size=16), 0.2),
    healthy("columns of 0.3 to 30", with_X(blobs(), lambda X, rng: X * np.geomspace(0.3, 30, 20, dtype=np.float32)),
            classifier(Perceptron, preprocessing=False, lr=0.003), 0.2),
]  # fmt: skip

OPTIMIZERS = [
    healthy("LBFGS", from_sklearn("wine"),
            classifier(Perceptron, optimizer=LBFGS, lr=0.5, batch_size=200, max_epochs=8), 0.5),
    healthy("LBFGS, regression", linear(300), regressor(Perceptron, module__sizes=(16,), optimizer=LBFGS, lr=0.3,
            batch_size=400, max_epochs=10)),
    healthy("RMSprop", digits(), classifier(Perceptron, optimizer=RMSprop)),
    healthy("Adagrad", blobs(), classifier(Perceptron, optimizer=torch.optim.Adagrad, lr=0.05)),
    healthy("SGD, momentum, decay", images(), classifier(Convolutions, optimizer=SGD, lr=0.1, optimizer__momentum=0.9,
            optimizer__weight_decay=1e-3, optimizer__nesterov=True)),
    healthy("weight decay of 0.3", digits(), classifier(Perceptron, optimizer__weight_decay=0.3, lr=0.003)),
    healthy("Adam at 1e-4", digits(), classifier(Perceptron, lr=1e-4, max_epochs=40, lr_schedule="constant"), 0.3),
    healthy("SGD at 3e-4", linear(),
            regressor(Perceptron, optimizer=SGD, optimizer__momentum=0.9, lr=3e-4, max_epochs=60,
            gradient_clipping=None, batch_size=16), 0.3),
    healthy("SGD near its limit: noisy, but learns", linear(n_features=30),
            regressor(Perceptron, module__sizes=(), optimizer=SGD, lr=0.4, lr_schedule="constant", batch_size=16,
                      gradient_clipping=None)),
    healthy("clipping to 1e-3 under Adam", blobs(),
            classifier(Perceptron, optimizer=Adam, gradient_clipping=1e-3, lr=0.003)),
    healthy("batches of 4", from_sklearn("wine"), classifier(Perceptron, batch_size=4), 0.6),
    healthy("all rows in one batch", blobs(), classifier(Perceptron, batch_size=600, lr=0.01, max_epochs=60)),
    healthy("weight average", blobs(), classifier(Perceptron, ema_decay=0.95, lr=0.003)),
]  # fmt: skip

SCHEDULES = [
    healthy("one epoch", digits(1200), classifier(Perceptron, max_epochs=1, lr=0.01, early_stopping=False)),
    healthy("two epochs, plain skorch", digits(1200), plain_classifier(Perceptron, max_epochs=2)),
    healthy("three epochs, regression", friedman(1000), regressor(Perceptron, max_epochs=3, lr=0.005)),
    healthy("one epoch at a small rate", digits(1200),
            classifier(Perceptron, max_epochs=1, lr=5e-4, lr_schedule="constant"), 0.02),
    healthy("one cycle", digits(), classifier(Perceptron, lr_schedule="one_cycle", lr=0.01)),
    healthy("warm-up from a small rate", blobs(),
            classifier(Perceptron, lr=0.01, lr_schedule=lr_scheduler.LambdaLR,
                    lr_schedule_params={"lr_lambda": _warmup})),
    healthy("linear warm-up from 1e-4 of the rate", blobs(),
            classifier(Perceptron, lr=0.003, lr_schedule=lr_scheduler.LinearLR,
                       lr_schedule_params={"start_factor": 1e-4, "total_iters": 8})),
    healthy("warm restarts", digits(),
            classifier(Perceptron, lr=0.02, lr_schedule=lr_scheduler.CosineAnnealingWarmRestarts,
                       lr_schedule_params={"T_0": 5})),
    healthy("plateaus", friedman(), regressor(Perceptron, lr=0.01, lr_schedule="plateau", max_epochs=40)),
    healthy("fine-tuning at 1e-6", digits(), partial(_fine_tuned, digits(), 5, 1e-6), 0.7),
    healthy("fine-tuning at 1e-5, fifteen epochs", blobs(), partial(_fine_tuned, blobs(), 15, 1e-5), 0.3),
    healthy("wide, few rows, stopped early", with_y(friedman(150), lambda y, rng: y + 0.5 * rng.normal(size=y.shape)),
            regressor(Perceptron, module__sizes=(256, 256), early_stopping=True, max_epochs=60), 0.2),
    healthy("wide on diabetes, stopped early", with_validation(from_sklearn("diabetes")),
            regressor(Perceptron, module__sizes=(256, 256), max_epochs=60, n_iter_no_change=5), 0.2),
    healthy("a gap that does not grow", with_validation(circles(300, noise=0.15)),
            classifier(Perceptron, early_stopping=False, lr=0.003), 0.4),
    healthy("60 % of units at 0", digits(),
            classifier(Perceptron, module__start=starts.all_of(starts.he, starts.biases(-0.7)), lr=0.003)),
]  # fmt: skip

CASES: list[Case] = [*LOSSES, *SCALES, *OPTIMIZERS, *SCHEDULES]
