"""Inputs of the wrong scale, outputs that do not fit the loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .case import Case, Source, Table, classifier, fault, plain_classifier, plain_regressor, regressor
from .mistakes import BatchSoftmax
from .networks import Convolutions, Perceptron, Recurrent, softmax
from .tables import blobs, digits, friedman, from_sklearn, images, labels, linear, sequences, with_X, with_y

__all__ = ["CASES"]

SGD = torch.optim.SGD


def _column(factor: float, shift: float = 0.0, column: int = 0):
    def change(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        X[..., column] = X[..., column] * factor + shift
        return X

    return change


def _times(factor: float):
    return lambda X, rng: (X * factor).astype(np.float32)


def _flat_y(source: Source) -> Source:
    """y of shape (n,) for a net that returns (n, 1)."""

    def make(seed: int) -> Table:
        table = source(seed)
        return Table(table.task, table.X, table.y[:, 0], table.X_test, table.y_test)

    return make


INPUT_SCALE = [
    fault("input_scale", "wine, raw columns", from_sklearn("wine", raw=True),
          classifier(Perceptron, preprocessing=False, batch_size=16), fix={"preprocessing": True, "lr": 0.003},
          repairable=True),
    fault("input_scale", "a column of account numbers", with_X(blobs(), _column(1e6, 5e6)),
          classifier(Perceptron, preprocessing=False), fix={"preprocessing": True}, repairable=True),
    fault("input_scale", "seconds since 1970, regression", with_X(friedman(), _column(1e7, 1.6e9, 8)),
          regressor(Perceptron, preprocessing=False), fix={"preprocessing": True}, repairable=True),
    fault("input_scale not_learning", "inputs of 1e-5", with_X(digits(), _times(1e-5)),
          classifier(Perceptron, preprocessing=False), fix={"preprocessing": True}, repairable=True),
    fault("input_scale", "sequences of 1e5", with_X(sequences(12), _times(1e5)),
          classifier(Recurrent, lr=0.003, module__cell=nn.LSTM), good_source=sequences(12), repairable=True),
    fault("input_scale exploding", "inputs of 1e4, plain skorch", with_X(blobs(), _times(1e4)),
          plain_classifier(Perceptron, lr=0.001), good_source=blobs()),
    fault("input_scale not_learning", "images of 1e-6", images(scale=1e-6),
          classifier(Convolutions, lr=0.001), good_source=images(), fix={"lr": 0.003}, repairable=True),
]  # fmt: skip

OUTPUT_MISMATCH = [
    fault("output_mismatch", "softmax before log loss", digits(), classifier(Perceptron, module__last=softmax),
          fix={"module__last": None}, mild=True),
    fault("output_mismatch", "softmax before cross-entropy, convolutions", images(),
          plain_classifier(Convolutions, module__last=softmax), fix={"module__last": None}, mild=True),
    fault("output_mismatch", "sigmoid before a loss on raw scores", labels(),
          classifier(Perceptron, module__last=torch.sigmoid), fix={"module__last": None}, mild=True),
    fault("output_mismatch", "sigmoid before BCEWithLogits", blobs(n_classes=2),
          classifier(Perceptron, criterion=nn.BCEWithLogitsLoss, module__last=torch.sigmoid),
          fix={"module__last": None}, mild=True),
    fault("output_mismatch", "ReLU last, classes", digits(), classifier(Perceptron, module__last=torch.relu),
          fix={"module__last": None}, mild=True),
    fault("output_mismatch", "ReLU last, targets of both signs", linear(),
          regressor(Perceptron, module__last=torch.relu, lr=0.003), fix={"module__last": None}),
    fault("output_mismatch", "sigmoid last, targets of 10 to 90",
          with_y(friedman(), lambda y, rng: 50 + 15 * y, test=True),
          regressor(Perceptron, preprocessing=False, module__last=torch.sigmoid, lr=0.003),
          fix={"module__last": None, "preprocessing": True}),
    fault("output_mismatch", "tanh last, standardised targets", linear(noise=0.1),
          plain_regressor(Perceptron, module__last=torch.tanh), fix={"module__last": None}, mild=True),
    fault("output_mismatch", "(n, 1) against (n,)", _flat_y(friedman()), plain_regressor(Perceptron),
          good_source=friedman()),
    fault("output_mismatch", "softmax over the rows", blobs(), classifier(BatchSoftmax),
          fix={"module": Perceptron}),
]  # fmt: skip

CASES: list[Case] = [*INPUT_SCALE, *OUTPUT_MISMATCH]
