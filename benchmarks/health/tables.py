"""Small tables, images and sequences, of scikit-learn and made ones. Each source is a callable of a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn import datasets
from sklearn.model_selection import train_test_split

from .case import Source, Table

__all__ = ["blobs", "categories", "circles", "digits", "friedman", "from_sklearn", "images", "labels", "linear"]
__all__ += ["sequences", "text", "with_X", "with_validation", "with_y"]

Change = Callable[[Any, np.random.Generator], Any]


def _split(task: str, X: Any, y: np.ndarray, seed: int, n_train: int | None = None, test_size: float = 0.3) -> Table:
    stratify = y if task == "classes" else None
    test_rows = test_size if n_train is None else len(y) - n_train
    X, X_test, y, y_test = train_test_split(X, y, test_size=test_rows, random_state=seed, stratify=stratify)
    return Table(task, X, y, X_test, y_test)


def _standard(table: Table) -> Table:
    """Columns, and numbers to predict, of mean 0 and standard deviation 1 among the training rows; float32."""
    X, X_test = _scaled(table.X, table.X_test)
    if table.task != "real":
        return replace(table, X=X, X_test=X_test)
    y, y_test = _scaled(table.y, table.y_test)
    return replace(table, X=X, X_test=X_test, y=y, y_test=y_test)


def _scaled(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centre, scale = train.mean(0), train.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    return ((train - centre) / scale).astype(np.float32), ((test - centre) / scale).astype(np.float32)


@lru_cache
def _loaded(name: str) -> tuple[np.ndarray, np.ndarray]:
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return X, y


def from_sklearn(name: str, *, raw: bool = False, n_train: int | None = None) -> Source:
    """iris, wine, breast_cancer, digits, diabetes or linnerud; standardised unless raw."""
    task = "real" if name in ("diabetes", "linnerud") else "classes"

    def make(seed: int) -> Table:
        X, y = _loaded(name)
        table = _split(task, X.astype(np.float32), y.astype(np.float32) if task == "real" else y, seed, n_train)
        return table if raw else _standard(table)

    return make


def digits(n_train: int = 600) -> Source:
    """The 64 pixels of digits, standardised."""
    return from_sklearn("digits", n_train=n_train)


def images(n_train: int = 600, scale: float = 1 / 16, shape: tuple[int, ...] = (1, 8, 8)) -> Source:
    """Digits as images, or as sequences of shape (8, 8); pixels are 0 to 16 times scale."""

    def make(seed: int) -> Table:
        X, y = _loaded("digits")
        return _split("classes", (X * scale).astype(np.float32).reshape(-1, *shape), y, seed, n_train)

    return make


def blobs(n_train: int = 600, n_classes: int = 3, n_features: int = 20, **params: Any) -> Source:
    """Classes of several Gaussian clusters each, among useless columns; params of make_classification."""

    def make(seed: int) -> Table:
        given = {"n_informative": 8, "n_clusters_per_class": 2, "class_sep": 1.5, "flip_y": 0.0, **params}
        X, y = datasets.make_classification(
            n_train + 500, n_features, n_classes=n_classes, random_state=seed, **given
        )  # fmt: skip
        return _standard(_split("classes", X, y, seed, n_train))

    return make


def circles(n_train: int = 500, noise: float = 0.1) -> Source:
    """One ring inside another: no line tells them apart."""

    def make(seed: int) -> Table:
        X, y = datasets.make_circles(n_train + 500, noise=noise, factor=0.4, random_state=seed)
        return _standard(_split("classes", X, y, seed, n_train))

    return make


def friedman(n_train: int = 600, noise: float = 1.0) -> Source:
    """Friedman's first function of five columns of ten."""

    def make(seed: int) -> Table:
        X, y = datasets.make_friedman1(n_train + 500, noise=noise, random_state=seed)
        return _standard(_split("real", X, y[:, None], seed, n_train))

    return make


def linear(n_train: int = 600, noise: float = 0.3, n_features: int = 10, n_targets: int = 1) -> Source:
    """A linear function of all columns, with noise in units of its standard deviation."""

    def make(seed: int) -> Table:
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n_train + 500, n_features))
        signal = X @ rng.normal(size=(n_features, n_targets))
        y = signal / signal.std(0) + noise * rng.normal(size=signal.shape)
        return _standard(_split("real", X, y, seed, n_train))

    return make


def labels(n_train: int = 600) -> Source:
    """Five labels for each row."""

    def make(seed: int) -> Table:
        X, y = datasets.make_multilabel_classification(
            n_train + 500, n_features=20, n_classes=5, n_labels=2, random_state=seed
        )
        return _standard(_split("multilabel", X, y, seed, n_train))

    return make


def text(n_train: int = 600, n_words: int = 400) -> Source:
    """Counts of words in a sparse matrix, 97 % zeros; two topics differ in some words."""

    def make(seed: int) -> Table:
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, n_train + 500)
        frequency = rng.dirichlet(np.full(n_words, 0.3), size=2)
        X = np.stack([rng.multinomial(15, frequency[topic] * 0.4 + frequency.mean(0) * 0.6) for topic in y])
        return _split("classes", sparse.csr_matrix(X.astype(np.float32)), y, seed, n_train)

    return make


def categories(n_train: int = 600) -> Source:
    """A DataFrame: numbers with gaps, and two columns of words, one of 40 of them."""

    def make(seed: int) -> Table:
        rng = np.random.default_rng(seed)
        n = n_train + 500
        town, colour, size = rng.integers(0, 40, n), rng.integers(0, 3, n), rng.normal(size=n)
        effect = rng.normal(size=40)
        y = (effect[town] + 0.7 * (colour == 1) * size + 0.3 * rng.normal(size=n) > 0).astype(int)
        X = pd.DataFrame({"town": [f"t{i}" for i in town], "colour": np.array(["red", "green", "blue"])[colour]})
        X["size"] = np.where(rng.random(n) < 0.1, np.nan, size)
        X["noise"] = rng.normal(size=n)
        return _split("classes", X, y, seed, n_train)

    return make


def sequences(n_steps: int, n_train: int = 600, what: str = "mean", n_features: int = 2) -> Source:
    """Noise of shape (n_steps, n_features).

    The class is the sign of the sum over time ("mean"), of the first step ("first"), or whether the largest value comes
    in the second half ("peak"); "decay" has a number to predict, a sum that forgets.
    """

    def make(seed: int) -> Table:
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n_train + 500, n_steps, n_features)).astype(np.float32)
        first = X[:, :, 0]
        if what == "first":
            X[:, 0, 0] += 2 * np.sign(X[:, 0, 0])
        if what == "peak":
            position = rng.integers(0, n_steps, len(X))
            X[np.arange(len(X)), position, 0] = 5.0
            return _split("classes", X, (position >= n_steps // 2).astype(int), seed, n_train)
        if what == "decay":
            y = first @ (0.8 ** np.arange(n_steps)[::-1])
            return _split("real", X, (y / y.std()).astype(np.float32)[:, None], seed, n_train)
        y = first.sum(1) if what == "mean" else first[:, 0]
        return _split("classes", X, (y > 0).astype(int), seed, n_train)

    return make


def with_X(source: Source, change: Change, *, test: bool = True) -> Source:
    """The columns changed, of the training rows and, if test, of those held out."""
    return _changed(source, "X", change, test=test)


def with_y(source: Source, change: Change, *, test: bool = False) -> Source:
    """The targets changed, among the training rows only unless test."""
    return _changed(source, "y", change, test=test)


def _changed(source: Source, part: str, change: Change, *, test: bool) -> Source:
    def make(seed: int) -> Table:
        table = source(seed)
        rng = np.random.default_rng(seed)
        names = [part, f"{part}_test"] if test else [part]
        return replace(table, **{name: change(np.array(getattr(table, name)), rng) for name in names})

    return make


def with_validation(source: Source) -> Source:
    """A quarter of the training rows given to fit as X_val, y_val."""

    def make(seed: int) -> Table:
        table = source(seed)
        X, X_val, y, y_val = train_test_split(table.X, table.y, test_size=0.25, random_state=seed)
        return replace(table, X=X, y=y, fit={**table.fit, "X_val": X_val, "y_val": y_val})

    return make
