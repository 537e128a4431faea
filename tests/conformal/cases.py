"""Small estimators and tables of the tests of this folder."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP

N_TRAIN, N_TEST = 2000, 2000
QUICK = {
    "module_params": {"hidden_sizes": (16,)}, "n_networks": 4, "early_stopping": True, "max_epochs": 8, "lr": 0.01,
    "random_state": 0, "gradient_health": None,
}  # fmt: skip


def table(n: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Two numbers, a category that decides the spread, and targets around 5,000."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame({"a": random.normal(size=n), "b": random.normal(size=n), "where": random.choice(list("xyz"), n)})
    spread = np.where(X["where"] == "x", 20.0, 200.0)
    return X, 5000 + 300 * np.sin(X["a"].to_numpy()) + spread * random.normal(size=n)


def train_and_test():
    return *table(N_TRAIN), *table(N_TEST, seed=1)


def classes(X: pd.DataFrame, seed: int = 0) -> np.ndarray:
    """Three classes, of which "c" is rare."""
    noise = np.random.default_rng(100 + seed).normal(size=len(X))
    return np.array(["a", "b", "c"])[np.digitize(X["a"].to_numpy() + 0.7 * noise, [0.0, 1.6])]


def regressor(**settings) -> NeuralRegressor:
    return NeuralRegressor(MLP, **{**QUICK, **settings})


def classifier(**settings) -> NeuralClassifier:
    return NeuralClassifier(MLP, **{**QUICK, **settings})


def coverage(interval: np.ndarray, y: np.ndarray) -> float:
    return float(((interval[:, 0] <= y) & (y <= interval[:, 1])).mean())


def share_in_sets(sets: np.ndarray, y: np.ndarray, names: np.ndarray) -> float:
    return float(sets[np.arange(len(y)), np.searchsorted(names, y)].mean())
