"""Healthy training runs on tables, defaults first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import nn

from sknn.modules import MLP, FTTransformer, ResNet, TabM

from .case import Case, Source, Table, classifier, healthy, plain_regressor, regressor
from .networks import Perceptron
from .tables import (
    blobs,
    categories,
    digits,
    friedman,
    from_sklearn,
    labels,
    linear,
    text,
    with_validation,
    with_X,
    with_y,
)

__all__ = ["CASES"]


def _flipped(share: float):
    """A share of binary labels turned round."""
    return lambda y, rng: np.where(rng.random(len(y)) < share, 1 - y, y)


def _one_hot(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    codes = np.digitize(X, [-1.5, -0.7, 0.0, 0.7, 1.5])
    return np.eye(6, dtype=np.float32)[codes].reshape(len(X), -1)


def _weighted(source: Source) -> Source:
    """Rows of weights 0.01 to 10."""

    def make(seed: int) -> Table:
        table = source(seed)
        weight = 10 ** np.random.default_rng(seed).uniform(-2, 1, len(table.y))
        return replace(table, fit={"sample_weight": weight})

    return make


def _other_validation(source: Source) -> Source:
    """Validation rows whose columns have another centre and spread, so that their loss is much higher."""

    def make(seed: int) -> Table:
        table = with_validation(source)(seed)
        return replace(table, fit={**table.fit, "X_val": 1.5 * table.fit["X_val"] + 0.3})

    return make


def _poisson(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.poisson(np.exp(0.5 + 0.6 * y)).astype(np.float32)


def _heavy_tails(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (y + 0.3 * rng.standard_t(1.5, size=y.shape)).astype(np.float32)


DEFAULTS = [
    *(healthy(f"the default, {name}", from_sklearn(name, raw=True), classifier(), learns)
      for name, learns in [("iris", 0.7), ("wine", 0.8), ("breast_cancer", 0.7)]),
    healthy("the default, 300 digits", from_sklearn("digits", raw=True, n_train=300), classifier(max_epochs=30), 0.7),
    healthy("the default, diabetes", from_sklearn("diabetes", raw=True), regressor(), 0.25),
    healthy("the default, Friedman's function", friedman(400), regressor(), 0.6),
    healthy("the default, categories and gaps", categories(), classifier(max_epochs=40), 0.15),
    healthy("one network, three epochs", from_sklearn("breast_cancer", raw=True),
            classifier(TabM, max_epochs=3, n_networks=1), 0.3),
    healthy("FTTransformer", blobs(300, n_features=10), classifier(FTTransformer, max_epochs=12), 0.3),
    healthy("ResNet of eight blocks", blobs(), classifier(ResNet, module__n_blocks=8, module__width=48), 0.3),
    healthy("MLP with categories", categories(), classifier(MLP, lr=0.003), 0.1),
    healthy("MLP with batch norm and SELU", digits(),
            classifier(MLP, module__norm=nn.BatchNorm1d, module__activation=nn.SELU, module__hidden_sizes=(64,) * 4)),
]  # fmt: skip

DATA = [
    healthy("sparse words", text(), classifier(Perceptron, lr=0.003), 0.1),
    healthy("one-hot inputs", with_X(friedman(), _one_hot), regressor(Perceptron, preprocessing=False, lr=0.003), 0.5),
    healthy("40 % of labels flipped", with_y(blobs(2500, 2, n_clusters_per_class=1), _flipped(0.4), test=True),
            classifier(Perceptron, module__sizes=(16,)), 0.005),
    healthy("30 % of labels flipped, the default", with_y(from_sklearn("breast_cancer"), _flipped(0.3), test=True),
            classifier(), 0.02),
    healthy("2 % of one class", blobs(1500, 2, weights=[0.98], class_sep=2.0), classifier(Perceptron, lr=0.003), 0.2),
    healthy("2 % of one class, balanced weights", blobs(1500, 2, weights=[0.98], class_sep=2.0),
            classifier(Perceptron, class_weight="balanced"), 0.2),
    healthy("R2 of 0.05", linear(2000, noise=4.4), regressor(Perceptron, module__sizes=(16,)), 0.0),
    healthy("R2 of 0.05, plain skorch", linear(2000, noise=4.4),
            plain_regressor(Perceptron, module__sizes=(8,), lr=0.001, max_epochs=10), 0.0),
    healthy("R2 of 0.02, 6000 rows", linear(6000, noise=7.0),
            regressor(Perceptron, module__sizes=(16,), max_epochs=8), 0.0),
    healthy("R2 of 0.05, the default", linear(2000, noise=4.4), regressor(), 0.0),
    healthy("R2 of 0.05, TabM", linear(2000, noise=4.4), regressor(TabM, max_epochs=10), 0.0),
    healthy("45 % of labels flipped, 4000 rows",
            with_y(blobs(4000, 2, n_clusters_per_class=1), _flipped(0.45), test=True),
            classifier(Perceptron, module__sizes=(16,), max_epochs=8), -0.01),
    healthy("outliers, Huber's loss", with_y(friedman(), _heavy_tails),
            regressor(Perceptron, criterion="huber", lr=0.003)),
    healthy("counts, Poisson loss", with_y(linear(), _poisson, test=True), regressor(Perceptron, criterion="poisson")),
    healthy("three quantiles", friedman(), regressor(
        Perceptron, criterion="quantile", criterion__quantile=[0.1, 0.5, 0.9], lr=0.003), 0.5),
    healthy("weights of 0.01 to 10", _weighted(blobs()), classifier(Perceptron, lr=0.003)),
    healthy("five labels", labels(), classifier(Perceptron, lr=0.003), 0.15),
    healthy("three targets", from_sklearn("linnerud"), regressor(Perceptron, max_epochs=20, batch_size=4), -0.2),
    healthy("a useless constant column and 190 of noise", blobs(n_features=200), classifier(Perceptron), 0.1),
    healthy("thirty rows", from_sklearn("iris", n_train=30), classifier(Perceptron, lr=0.01, batch_size=8), 0.5),
    healthy("solved: loss near 0", blobs(class_sep=6.0, n_classes=2),
            classifier(Perceptron, lr=0.01, max_epochs=60, early_stopping=False), 0.8),
    healthy("solved: a linear function without noise", linear(noise=0.0),
            plain_regressor(Perceptron, module__sizes=(), lr=0.01, max_epochs=60), 0.95),
    healthy("validation rows of another distribution",
            _other_validation(blobs()), classifier(Perceptron, early_stopping=False, max_epochs=8),
            0.1),
]  # fmt: skip

CASES: list[Case] = [*DEFAULTS, *DATA]
