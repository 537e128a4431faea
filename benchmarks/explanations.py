"""Deletion curves of explanations, beside permutation SHAP on the same rows and baseline, and the time of both.

    python -m benchmarks.explanations [--data FOLDER] [--rows 50] [--seeds 1] [TABLE ...]

A column is deleted by giving it the value of the baseline row: medians, and the most frequent category. Columns of a
row are deleted in the order of their attributions, the largest first, and then the smallest first; an explanation is
good if the score falls early in the first case and rises early in the second one. *Area* is the mean distance of the
two curves, in spreads of the score over the rows; a random order has 0. *Shapley* is the distance from exact Shapley
values, where there are at most 10 columns: the mean absolute difference, divided by the mean absolute Shapley value.

The peer is ``shap.PermutationExplainer`` with 500 evaluations for each row. Seconds are processor time for 1,000 rows.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import shap
from sklearn.datasets import make_classification, make_friedman1
from sklearn.model_selection import train_test_split

from sknn import NeuralClassifier, NeuralRegressor

__all__ = ["area_between_deletions", "exact_shapley_values", "main"]

_MAX_EVALS = 500
_TRAINING_ROWS = 2000
_MOST_COLUMNS_FOR_EXACT = 10

# Scores of a table, (n,).
Score = Callable[[pd.DataFrame], np.ndarray]


class Task(NamedTuple):
    """A table, and its target."""

    name: str
    X: pd.DataFrame
    y: np.ndarray
    is_regression: bool


def tasks(data: str) -> Iterator[Task]:
    """Synthetic tables, and those of files NAME.parquet in the folder `data`."""
    X, y = make_friedman1(1500, 10, noise=1.0, random_state=0)
    yield Task("friedman", pd.DataFrame(X).add_prefix("x"), y, True)
    X, y = make_classification(1500, 10, n_informative=6, random_state=0)
    yield Task("clusters", pd.DataFrame(X).add_prefix("x"), y, False)
    yield _mixed()
    for path in sorted(Path(data).glob("*.parquet")):
        table = pd.read_parquet(path)
        y = table["target"].to_numpy()
        is_regression = y.dtype.kind in "fi"
        yield Task(path.stem, table.drop(columns=["target", "split"], errors="ignore"), y, is_regression)


def _mixed() -> Task:
    """Categories, gaps and interactions."""
    random = np.random.default_rng(0)
    n = 2000
    x, town = random.normal(size=(n, 4)), random.integers(0, 20, n)
    effects = random.normal(size=20)
    y = x[:, 0] * effects[town] + np.abs(x[:, 1]) + 0.5 * x[:, 2] + random.normal(size=n) / 4
    x[random.random(n) < 0.1, 1] = np.nan
    X = pd.DataFrame(x, columns=["a", "b", "c", "d"]).assign(town=[f"town {i}" for i in town])
    return Task("mixed", X, y, True)


def _score(model: Any, rows: pd.DataFrame) -> tuple[Score, int]:
    """What is explained, as a function of a table, and the position of this output."""
    if isinstance(model, NeuralRegressor):
        return model.predict, 0
    if len(model.classes_) == 2:
        return lambda X: np.diff(np.log(np.clip(model.predict_proba(X), 1e-30, 1)), axis=1)[:, 0], 0
    most_frequent = int(np.bincount(model.predict_proba(rows).argmax(axis=1)).argmax())

    def score(X: pd.DataFrame) -> np.ndarray:
        logarithms = np.log(np.clip(model.predict_proba(X), 1e-30, 1))
        return logarithms[:, most_frequent] - logarithms.mean(axis=1)

    return score, most_frequent


def baseline_of(X: pd.DataFrame) -> pd.DataFrame:
    """One row: medians of numbers, most frequent categories."""
    values = {name: [X[name].median() if X[name].dtype.kind in "fi" else X[name].mode().iloc[0]] for name in X}
    return pd.DataFrame(values).astype(X.dtypes)


def coalitions(row: pd.DataFrame, baseline: pd.DataFrame, present: np.ndarray) -> pd.DataFrame:
    """The row with columns of the baseline where they are not `present`, bool (n, n_columns)."""
    columns = {}
    for i, name in enumerate(row):
        pair = pd.concat([baseline[name], row[name]], ignore_index=True)
        columns[name] = pair.take(present[:, i].astype(int)).reset_index(drop=True)
    return pd.DataFrame(columns)


def area_between_deletions(score: Score, rows: pd.DataFrame, baseline: pd.DataFrame, values: np.ndarray) -> float:
    """Mean distance between deletions of the smallest first and of the largest first, in spreads of the score."""
    spread, areas = score(rows).std(), []
    for i in range(len(rows)):
        order = np.argsort(-values[i], kind="stable")
        kept = np.ones((2, len(order) + 1, len(order)), dtype=bool)
        for k, (first, last) in enumerate(zip(order, order[::-1], strict=True)):
            kept[0, k + 1 :, first] = kept[1, k + 1 :, last] = False
        largest, smallest = score(coalitions(rows[i : i + 1], baseline, kept.reshape(-1, len(order)))).reshape(2, -1)
        areas.append((smallest - largest)[1:-1].mean())
    return float(np.mean(areas) / spread)


def exact_shapley_values(score: Score, rows: pd.DataFrame, baseline: pd.DataFrame) -> np.ndarray:
    """Shapley values (n, n_columns) of all coalitions."""
    d = rows.shape[1]
    present = np.array(list(itertools.product([False, True], repeat=d)))
    sizes = present.sum(axis=1)
    weight = np.array([math.factorial(s) * math.factorial(d - s - 1) / math.factorial(d) for s in range(d)])
    values = np.empty((len(rows), d))
    for i in range(len(rows)):
        scores = score(coalitions(rows[i : i + 1], baseline, present))
        for column in range(d):
            without = ~present[:, column]
            gained = scores.reshape([2] * d)
            gained = (np.take(gained, 1, column) - np.take(gained, 0, column)).ravel()
            values[i, column] = (gained * weight[sizes[without]]).sum()
    return values


def _by_shap(score: Score, rows: pd.DataFrame, baseline: pd.DataFrame) -> np.ndarray:
    d = rows.shape[1]
    values = np.empty(rows.shape)
    for i in range(len(rows)):
        row = rows[i : i + 1]
        explainer = shap.PermutationExplainer(
            lambda present, row=row: score(coalitions(row, baseline, present > 0.5)), np.zeros((1, d)), seed=i
        )
        values[i] = explainer(np.ones((1, d)), max_evals=max(_MAX_EVALS, 2 * d + 1), silent=True).values[0]
    return values


def _seconds_for_thousand(function: Callable[[], np.ndarray], n_rows: int) -> tuple[np.ndarray, float]:
    started = time.process_time()
    found = function()
    return found, (time.process_time() - started) * 1000 / n_rows


def measure(task: Task, n_rows: int, seed: int) -> list[Any]:
    """One line of the table."""
    train, test, y_train, _ = train_test_split(
        task.X, task.y, train_size=min(_TRAINING_ROWS, len(task.X) * 2 // 3), random_state=seed
    )
    train, test = train.reset_index(drop=True), test.reset_index(drop=True)
    model = (NeuralRegressor if task.is_regression else NeuralClassifier)(random_state=seed).fit(train, y_train)
    rows, baseline = test[:n_rows].reset_index(drop=True), baseline_of(train)
    score, output = _score(model, train)

    def explain(X: pd.DataFrame, method: str) -> np.ndarray:
        found = model.explain(X, method=method, background=baseline)
        return found if found.ndim == 2 else found[..., output]

    gradients = explain(rows, "gradients")
    many = test[: min(len(test), 1000)]
    _, gradient_seconds = _seconds_for_thousand(lambda: explain(many, "gradients"), len(many))
    permutation, permutation_seconds = _seconds_for_thousand(lambda: explain(rows, "permutation"), len(rows))
    peer, peer_seconds = _seconds_for_thousand(lambda: _by_shap(score, rows, baseline), len(rows))
    found = [gradients, permutation, peer]
    areas = [area_between_deletions(score, rows, baseline, values) for values in found]
    distances = [math.nan] * 3
    if task.X.shape[1] <= _MOST_COLUMNS_FOR_EXACT:
        exact = exact_shapley_values(score, rows[:10], baseline)
        distances = [float(np.abs(values[:10] - exact).mean() / np.abs(exact).mean()) for values in found]
    return [task.name, task.X.shape[1], *areas, *distances, gradient_seconds, permutation_seconds, peer_seconds]


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description="Deletion curves of explanations.")
    parser.add_argument("tables", nargs="*", help="names of tables; all by default")
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    measures = ["area", "Shapley", "seconds for 1,000 rows"]
    ways = ["gradients", "permutation", "shap"]
    print("| table | columns |", " | ".join(f"{measure}, {way}" for measure in measures for way in ways), "|")
    print("|---" * (2 + len(measures) * len(ways)), "|", sep="")
    lines = []
    for task in tasks(args.data):
        if args.tables and task.name not in args.tables:
            continue
        found = [measure(task, args.rows, seed) for seed in range(args.seeds)]
        figures = np.array([line[2:] for line in found], dtype=float).mean(axis=0)
        lines.append(figures)
        print(f"| {task.name} | {found[0][1]} |", " | ".join(_shown(figure) for figure in figures), "|", flush=True)
    print("| mean | |", " | ".join(_shown(figure) for figure in np.nanmean(lines, axis=0)), "|")


def _shown(figure: float) -> str:
    return "" if math.isnan(figure) else f"{figure:.3f}" if figure < 10 else f"{figure:.0f}"


if __name__ == "__main__":
    main()
