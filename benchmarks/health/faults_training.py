"""Losses that diverge, nets that do not learn, nets that learn by heart."""

from __future__ import annotations

import numpy as np
import torch

from .case import Case, classifier, fault, plain_classifier, plain_regressor, regressor
from .mistakes import Detached, Frozen, IgnoresInput, NegatedLoss
from .networks import Convolutions, Encoder, Perceptron, Recurrent
from .tables import (
    blobs,
    digits,
    friedman,
    from_sklearn,
    images,
    labels,
    linear,
    sequences,
    with_validation,
    with_X,
    with_y,
)

__all__ = ["CASES"]

SGD, Adam, RMSprop = torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop
ExponentialLR, LambdaLR = torch.optim.lr_scheduler.ExponentialLR, torch.optim.lr_scheduler.LambdaLR


def _shuffled(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(y)


def _flipped(share: float):
    """A share of the labels drawn anew."""

    def change(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where(rng.random(len(y)) < share, rng.permutation(y), y)

    return change


def _noisy(spread: float):
    def change(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return (y + spread * rng.normal(size=y.shape)).astype(np.float32)

    return change


def _endless_warmup(epoch: int) -> float:
    return (epoch + 1) / 1e6


DIVERGING = [
    fault("loss_diverging", "uphill: maximize=True", blobs(),
          classifier(Perceptron, optimizer=SGD, lr=0.03, optimizer__maximize=True),
          fix={"optimizer__maximize": False, "optimizer__momentum": 0.9}),
    fault("loss_diverging exploding", "uphill, regression, Adam", friedman(),
          regressor(Perceptron, optimizer=Adam, lr=0.003, optimizer__maximize=True),
          fix={"optimizer__maximize": False}),
    fault("loss_diverging exploding non_finite", "the sign of a loss", friedman(),
          regressor(Perceptron, criterion=NegatedLoss, lr=0.003), fix={"criterion": "squared_error"}),
    fault("loss_diverging exploding", "linear model, rate beyond 2 / curvature", linear(n_features=30),
          regressor(Perceptron, module__sizes=(), optimizer=SGD, lr=0.7, gradient_clipping=None,
                    lr_schedule="constant", batch_size=16, early_stopping=False),
          fix={"lr": 0.02}, repairable=True),
    fault("loss_diverging exploding", "clipped steps that are far too long", linear(n_features=30),
          regressor(Perceptron, module__sizes=(), optimizer=SGD, lr=10.0, gradient_clipping=1.0,
                    lr_schedule="constant", batch_size=16),
          fix={"lr": 0.03}, repairable=True),
    fault("loss_diverging exploding", "a transformer with Adam at 1", sequences(12),
          classifier(Encoder, lr=1.0, optimizer=Adam, lr_schedule="constant", max_epochs=8),
          fix={"lr": 0.003}, repairable=True),
    fault("loss_diverging exploding non_finite", "a rate that grows by 3 each epoch", digits(),
          classifier(Perceptron, lr=1e-3, optimizer=Adam, lr_schedule=ExponentialLR,
                     lr_schedule_params={"gamma": 3.0}, early_stopping=False, max_epochs=14),
          fix={"lr_schedule": "cosine", "lr_schedule_params": None, "lr": 0.003}, repairable=True),
    fault("loss_diverging exploding non_finite", "momentum of 0.999", friedman(),
          plain_regressor(Perceptron, optimizer=SGD, optimizer__momentum=0.999, lr=0.05, max_epochs=25),
          fix={"optimizer__momentum": 0.9, "lr": 0.02}),
    fault("loss_diverging exploding dead_units", "RMSprop at 0.3", digits(),
          classifier(Perceptron, optimizer=RMSprop, lr=0.3, lr_schedule="constant"),
          fix={"lr": 0.001}, repairable=True),
]  # fmt: skip

NOT_LEARNING = [
    fault("not_learning", "Adam at 1e-8", digits(), classifier(Perceptron, lr=1e-8),
          fix={"lr": 0.003}, repairable=True),
    fault("not_learning", "SGD at 1e-6, regression", friedman(), regressor(Perceptron, optimizer=SGD, lr=1e-6),
          fix={"lr": 0.03, "optimizer__momentum": 0.9}, repairable=True),
    fault("not_learning", "a recurrent net at 1e-7", sequences(12), classifier(Recurrent, lr=1e-7),
          fix={"lr": 0.01}, repairable=True),
    fault("not_learning", "a warm-up without end", blobs(),
          classifier(Perceptron, lr=0.003, lr_schedule=LambdaLR, lr_schedule_params={"lr_lambda": _endless_warmup}),
          fix={"lr_schedule": "cosine", "lr_schedule_params": None}, repairable=True),
    fault("not_learning", "gradients clipped to 1e-7", blobs(),
          classifier(Perceptron, optimizer=SGD, lr=0.05, gradient_clipping=1e-7),
          fix={"gradient_clipping": 1.0, "optimizer__momentum": 0.9}, repairable=True),
    fault("not_learning", "everything frozen", digits(), classifier(Frozen), fix={"module__freeze": False}),
    fault("not_learning", "frozen, plain skorch", digits(), plain_classifier(Frozen), fix={"module__freeze": False}),
    fault("not_learning", "outputs independent of x", digits(), classifier(IgnoresInput, lr=0.003),
          fix={"module__ignore": False}),
    fault("not_learning", "detached, regression", with_X(friedman(), lambda X, rng: X),
          regressor(Detached, lr=0.01), fix={"module__detach": False}),
    fault("not_learning", "labels shuffled", with_y(blobs(n_train=1200), _shuffled),
          classifier(Perceptron, module__sizes=(16,), max_epochs=10), good_source=blobs(n_train=1200)),
    fault("not_learning", "numbers shuffled, plain skorch", with_y(friedman(n_train=2000), _shuffled),
          plain_regressor(Perceptron, module__sizes=(16,), max_epochs=10), good_source=friedman(n_train=2000)),
    fault("not_learning", "labels of other rows, multilabel", with_y(labels(), _shuffled),
          classifier(Perceptron, module__sizes=(16,), max_epochs=12), good_source=labels(), fix={"lr": 0.003}),
    fault("not_learning", "weight decay of 300", digits(),
          classifier(Perceptron, optimizer__weight_decay=300.0, lr=0.003), fix={"optimizer__weight_decay": 0.01}),
    fault("not_learning", "dropout of 0.99", blobs(), classifier(Perceptron, module__dropout=0.99),
          fix={"module__dropout": 0.1, "lr": 0.003}),
]  # fmt: skip

OVERFITTING = [
    fault("overfitting", "40 % wrong labels, wide", with_validation(with_y(digits(400), _flipped(0.4), test=True)),
          classifier(Perceptron, module__sizes=(256, 256), early_stopping=False, max_epochs=80, lr=0.003,
                     lr_schedule="constant"),
          fix={"early_stopping": True, "n_iter_no_change": 5}, repairable=True),
    fault("overfitting", "diabetes, wide", with_validation(from_sklearn("diabetes")),
          regressor(Perceptron, module__sizes=(256, 256), early_stopping=False, max_epochs=80, lr=0.002,
                    lr_schedule="constant"),
          fix={"early_stopping": True, "n_iter_no_change": 5}, repairable=True),
    fault("overfitting", "noisy function, 150 rows", with_validation(with_y(friedman(200), _noisy(1.0), test=True)),
          regressor(Perceptron, module__sizes=(128, 128, 128), early_stopping=False, max_epochs=80),
          fix={"early_stopping": True, "n_iter_no_change": 5}, repairable=True),
    fault("overfitting", "convolutions, 40 % wrong labels",
          with_validation(with_y(images(400), _flipped(0.4), test=True)),
          classifier(Convolutions, module__channels=(16, 24), early_stopping=False, max_epochs=50, lr=0.01,
                     lr_schedule="constant"),
          fix={"early_stopping": True, "n_iter_no_change": 5}, repairable=True),
    fault("overfitting", "sequences by heart", with_validation(with_y(sequences(12, 400), _flipped(0.3), test=True)),
          classifier(Recurrent, module__hidden_size=64, early_stopping=False, max_epochs=60, lr=0.01),
          fix={"early_stopping": True, "n_iter_no_change": 8}, repairable=True),
    fault("overfitting", "plain skorch, wrong labels", with_y(blobs(400), _flipped(0.3), test=True),
          plain_classifier(Perceptron, module__sizes=(256, 256), max_epochs=50),
          fix={"max_epochs": 4, "lr": 0.001}),
    fault("overfitting", "blobs, SGD with momentum",
          with_validation(with_y(blobs(400, n_classes=2), _flipped(0.4), test=True)),
          classifier(Perceptron, module__sizes=(128, 128), optimizer=SGD, optimizer__momentum=0.9, lr=0.02,
                     lr_schedule="constant", early_stopping=False, max_epochs=80),
          fix={"early_stopping": True, "n_iter_no_change": 10}, repairable=True),
]  # fmt: skip

CASES: list[Case] = [*DIVERGING, *NOT_LEARNING, *OVERFITTING]
