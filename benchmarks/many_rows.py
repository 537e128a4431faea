"""Skill and processor time of sknn's default and of LightGBM's on made tables of 100,000 to 1,000,000 rows.

    OMP_NUM_THREADS=1 python -m benchmarks.many_rows [--rows 100000 1000000] [--tables smooth steps categories clusters]

Each model has one thread. Skill is 1 - loss / loss of the constant on 50,000 new rows, where the loss is the mean
squared error, or the log-loss of the tables "steps" and "clusters", which are classified.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import make_classification

from benchmarks._timing import machine, print_table
from sknn import NeuralClassifier, NeuralRegressor

_N_TEST = 50_000


def smooth(n_rows: int) -> tuple[Any, np.ndarray]:
    """Sums of waves, two of 20 columns multiplied, some columns skewed or whole; a fifth of the variance is noise."""
    rows, truth = np.random.default_rng(0), np.random.default_rng(1)
    X = rows.normal(size=(n_rows, 20))
    weights = truth.normal(size=(20, 12)) / 4 * (truth.random((20, 12)) < 0.4)
    y = np.sin(2 * X @ weights + truth.normal(size=12)) @ truth.normal(size=12)
    y += 0.5 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 0.5 * (X[:, 2] - 0.5) ** 2 + np.abs(X[:, 3])
    X[:, 10:15], X[:, 15:] = np.exp(0.8 * X[:, 10:15]), np.round(3 * X[:, 15:])
    return X.astype(np.float32), y + 0.5 * y.std() * rows.normal(size=n_rows)


def steps(n_rows: int) -> tuple[Any, np.ndarray]:
    """Two classes, whose log-odds are a sum of 60 boxes in three of 12 columns each, as trees learn them."""
    rows, truth = np.random.default_rng(0), np.random.default_rng(1)
    X = rows.normal(size=(n_rows, 20)).astype(np.float32)
    score = np.zeros(n_rows)
    for _ in range(60):
        columns, ends, sides = truth.integers(0, 12, 3), 0.7 * truth.normal(size=3), truth.random(3) < 0.5
        score += truth.normal() * ((X[:, columns] > ends) == sides).all(axis=1)
    noise = 0.4 * score.std() * rows.logistic(size=n_rows)
    return X, (score - score.mean() + noise > 0).astype(int)


def categories(n_rows: int) -> tuple[Any, np.ndarray]:
    """12 numbers, and 8 categories of 3 to 300 values, each with an offset and a slope of one of the numbers."""
    rows, truth = np.random.default_rng(0), np.random.default_rng(1)
    X = pd.DataFrame(rows.normal(size=(n_rows, 12)).astype(np.float32), columns=[f"x{i}" for i in range(12)])
    values = X.to_numpy()
    y = np.sin(2 * values[:, 0]) + 0.5 * values[:, 1] * values[:, 2] + (values[:, 3] > 0.3) * values[:, 4]
    for i, size in enumerate((3, 5, 8, 12, 20, 50, 100, 300)):
        codes = np.minimum(rows.geometric(min(0.5, 4 / size), size=n_rows) - 1, size - 1)
        y += 0.5 * truth.normal(size=size)[codes] + 0.3 * truth.normal(size=size)[codes] * values[:, i]
        X[f"c{i}"] = pd.Categorical.from_codes(codes, [f"v{value}" for value in range(size)])
    return X, y + 0.6 * y.std() * rows.normal(size=n_rows)


def clusters(n_rows: int) -> tuple[Any, np.ndarray]:
    """Three classes of six clusters each, a tenth of the labels wrong."""
    X, y = make_classification(
        n_rows, 20, n_informative=8, n_redundant=4, n_classes=3, n_clusters_per_class=6, flip_y=0.1, random_state=0
    )
    return X.astype(np.float32), y


TABLES: dict[str, Callable[[int], tuple[Any, np.ndarray]]] = {
    table.__name__: table for table in (smooth, steps, categories, clusters)
}


def measured(model: Any, X: Any, y: np.ndarray, n_train: int) -> tuple[float, float]:
    """Skill on the rows behind the first `n_train`, and the processor time of the fit."""
    started = time.process_time()
    model.fit(X[:n_train], y[:n_train])
    seconds = time.process_time() - started
    known, new = y[:n_train], y[n_train:]
    if y.dtype.kind == "f":
        error = ((model.predict(X[n_train:]) - new) ** 2).mean()
        return 1 - error / ((new - known.mean()) ** 2).mean(), seconds
    probability = model.predict_proba(X[n_train:])[np.arange(len(new)), new]
    constant = (np.bincount(known) / n_train)[new]
    return 1 - np.log(np.clip(probability, 1e-7, 1)).mean() / np.log(constant).mean(), seconds


def main() -> None:
    """Print a row for each table and size."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{machine()}\n")
    cells = []
    for n_rows in args.rows:
        for name in args.tables:
            X, y = TABLES[name](n_rows + _N_TEST)
            is_real = y.dtype.kind == "f"
            (NeuralRegressor if is_real else NeuralClassifier)(max_epochs=1, random_state=0).fit(X[:500], y[:500])
            own, own_s = measured((NeuralRegressor if is_real else NeuralClassifier)(random_state=0), X, y, n_rows)
            trees = (LGBMRegressor if is_real else LGBMClassifier)(n_jobs=1, verbosity=-1)
            other, other_s = measured(trees, X, y, n_rows)
            ratio = f"{own_s / other_s:.1f}"
            cells.append([f"{n_rows:,}", name, f"{own:.4f}", f"{other:.4f}", f"{own_s:.0f}", f"{other_s:.1f}", ratio])
            print(*cells[-1], flush=True)
    head = ["rows", "table", "skill", "skill of LightGBM", "processor s", "of LightGBM", "ratio"]
    print()
    print_table(head, cells)


if __name__ == "__main__":
    main()
