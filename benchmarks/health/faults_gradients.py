"""Non-finite numbers, exploding and vanishing gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from . import starts
from .case import Case, classifier, fault, plain_classifier, plain_regressor, regressor
from .mistakes import HandLogLoss, LogFeatures, RootDistance, RowNorm, SummedGain
from .networks import Attention, Convolutions, Perceptron, Recurrent, Residual, log_softmax, softmax
from .tables import blobs, circles, digits, friedman, from_sklearn, images, linear, sequences, with_X, with_y

__all__ = ["CASES"]

SGD, Adam, RMSprop = torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop


def _put(value: float, share: float):
    """Some numbers of the training rows replaced."""

    def change(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        array[rng.choice(len(array), max(1, int(share * len(array))), replace=False), ..., 0] = value
        return array

    return change


def _some_rows_empty(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    X[rng.random(len(X)) < 0.02] = 0
    return X


def _once(value: float, rows: Sequence[int]):
    """A number in the fourth column of some rows."""

    def change(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        X[list(rows), ..., 3] = value
        return X

    return change


def _counts(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.floor(np.exp(np.clip(X, -3, 3))).astype(np.float32)


NON_FINITE = [
    fault("non_finite", "a gap in three rows", with_X(blobs(), _once(np.nan, (5, 50, 300)), test=False),
              plain_classifier(Perceptron),
          good_source=blobs()),
    fault("non_finite", "a target that is infinite", with_y(friedman(), _put(np.inf, 0.004)),
          plain_regressor(Perceptron), good_source=friedman()),
    fault("non_finite exploding input_scale", "1e30 in three rows, plain skorch",
          with_X(blobs(), _once(1e30, (5, 50, 300)), test=False),
          plain_classifier(Perceptron), good_source=blobs(), mild=True),
    fault("non_finite exploding input_scale", "1e30 in three rows",
          with_X(friedman(), _once(1e30, (5, 50, 300)), test=False),
          regressor(Perceptron, preprocessing=False, lr=0.003), good_source=friedman(), mild=True),
    fault("non_finite", "log of counts", with_X(blobs(), _counts), classifier(LogFeatures, preprocessing=False),
          fix={"module__eps": 1.0}),
    fault("non_finite", "division by a norm of 0", blobs(), classifier(RowNorm), fix={"module__eps": 0.01}),
    fault("non_finite", "root of a distance of 0", blobs(), classifier(RootDistance, lr=0.01),
          fix={"module__eps": 0.01}),
    fault("non_finite", "log loss by hand, without eps", from_sklearn("breast_cancer"),
          classifier(Perceptron, criterion=HandLogLoss, lr=0.1, lr_schedule="constant", gradient_clipping=None),
          fix={"criterion__eps": 1e-6, "lr": 0.001}, repairable=True),
    fault("non_finite", "a sequence of padding only", with_X(sequences(12), _some_rows_empty),
          classifier(Attention, module__safe=False, lr=0.01), fix={"module__safe": True}),
    fault("non_finite output_mismatch", "log of raw scores", blobs(),
          plain_classifier(Perceptron, criterion=nn.NLLLoss), fix={"module__last": softmax}),
    fault("non_finite output_mismatch", "log of log-softmax", digits(),
          plain_classifier(Perceptron, criterion=nn.NLLLoss, module__last=log_softmax),
          fix={"module__last": softmax}),
    fault("non_finite exploding loss_diverging", "learning rate 1e4", friedman(),
          regressor(Perceptron, optimizer=SGD, lr=1e4, gradient_clipping=None), fix={"lr": 0.01}, repairable=True),
    fault("non_finite exploding loss_diverging", "learning rate 1e6, convolutions", images(),
          classifier(Convolutions, lr=1e6), fix={"lr": 0.003}, repairable=True),
]  # fmt: skip

EXPLODING = [
    fault("exploding", "ten layers of N(0, 1)", digits(),
          classifier(Perceptron, module__sizes=(48,) * 10, module__start=starts.normal(1.0)),
          fix={"module__start": starts.he}, repairable=True),
    fault("exploding", "sums without a factor, functional", blobs(), classifier(SummedGain),
          fix={"module__keep": True}, repairable=True),
    fault("exploding", "gain 4, regression", friedman(),
          regressor(Perceptron, module__sizes=(64,) * 8, module__start=starts.scaled(4.0), optimizer=Adam),
          fix={"module__start": starts.he}, repairable=True),
    fault("exploding", "convolutions of N(0, 0.5)", images(),
          classifier(Convolutions, module__channels=(12,) * 6, module__start=starts.normal(0.5)),
          fix={"module__start": starts.he, "lr": 0.003}, repairable=True),
    fault("exploding", "residual stream that doubles", blobs(),
          classifier(Residual, module__n_blocks=24, module__start=starts.scaled(2.0)),
          fix={"module__start": None}, repairable=True),
    fault("exploding non_finite", "recurrent ReLU of gain 2", sequences(40),
          classifier(Recurrent, module__cell=nn.RNN, module__nonlinearity="relu", lr=0.003,
                     module__start=starts.recurrent(gain=2.0)),
          fix={"module__start": starts.recurrent(gain=0.9)}, repairable=True),
    fault("exploding non_finite", "recurrent ReLU, plain skorch", sequences(30, what="decay"),
          plain_regressor(Recurrent, module__cell=nn.RNN, module__nonlinearity="relu",
                          module__start=starts.recurrent(gain=1.8)),
          fix={"module__start": starts.recurrent(gain=0.7)}),
    fault("exploding loss_diverging non_finite", "momentum and a large rate", digits(),
          classifier(Perceptron, optimizer=SGD, optimizer__momentum=0.9, lr=3.0, gradient_clipping=None),
          fix={"lr": 0.01}, repairable=True),
    fault("exploding not_learning", "targets of 1e5", with_y(friedman(), lambda y, rng: 1e5 + 2e4 * y, test=True),
          regressor(Perceptron, preprocessing=False), fix={"preprocessing": True}),
    fault("exploding non_finite loss_diverging", "targets of 1e4, SGD",
          with_y(linear(), lambda y, rng: 1e4 * y, test=True),
          plain_regressor(Perceptron, optimizer=SGD, lr=0.01), good_source=linear()),
]  # fmt: skip

VANISHING = [
    fault("vanishing", "eight sigmoid layers", digits(),
          classifier(Perceptron, module__sizes=(48,) * 8, module__activation=torch.sigmoid),
          fix={"module__activation": torch.relu}),
    fault("vanishing", "six sigmoid layers, SGD", blobs(),
          classifier(Perceptron, module__sizes=(48,) * 6, module__activation=torch.sigmoid, optimizer=SGD, lr=0.1,
                     optimizer__momentum=0.9), fix={"module__activation": torch.relu}),
    fault("vanishing", "twenty plain ReLU layers", digits(),
          classifier(Perceptron, module__sizes=(48,) * 20),
          fix={"module__start": starts.he}, repairable=True),
    fault("vanishing", "ten tanh layers of gain 0.1", blobs(),
          classifier(Perceptron, module__sizes=(48,) * 10, module__activation=torch.tanh,
                     module__start=starts.scaled(0.1)),
          fix={"module__start": starts.xavier}, repairable=True),
    fault("vanishing", "fifteen leaky layers, regression", friedman(),
          regressor(Perceptron, module__sizes=(32,) * 15, module__activation=nn.functional.leaky_relu,
                    module__start=starts.scaled(0.4)),
          fix={"module__start": starts.he}, repairable=True),
    fault("vanishing not_learning", "weights of N(0, 0.01^2)", digits(),
          classifier(Perceptron, module__sizes=(64,) * 6, module__start=starts.normal(0.01)),
          fix={"module__start": starts.he}, repairable=True),
    fault("vanishing", "sigmoid convolutions", images(),
          classifier(Convolutions, module__channels=(8,) * 6, module__activation=torch.sigmoid),
          fix={"module__activation": torch.relu, "module__start": starts.he}),
    fault("vanishing not_learning", "a recurrent net that forgets the first step", sequences(40, what="first"),
          classifier(Recurrent, module__cell=nn.RNN, module__start=starts.recurrent(gain=0.3), lr=0.003),
          fix={"module__start": starts.recurrent(gain=1.0)}, repairable=True),
    fault("vanishing not_learning", "an LSTM whose forget gates are shut", sequences(25, what="first"),
          classifier(Recurrent, module__cell=nn.LSTM, module__start=starts.recurrent(forget=-6.0), lr=0.01),
          fix={"module__start": starts.recurrent(forget=2.0)}, repairable=True),
    fault("vanishing", "twelve sigmoid layers, plain skorch", circles(),
          plain_classifier(Perceptron, module__sizes=(24,) * 12, module__activation=torch.sigmoid),
          fix={"module__activation": torch.relu}),
]  # fmt: skip

CASES: list[Case] = [*NON_FINITE, *EXPLODING, *VANISHING]
