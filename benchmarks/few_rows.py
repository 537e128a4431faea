"""Few rows, rare labels, and more columns than rows: sknn's default beside simple models, on made tables.

    python -m benchmarks.few_rows [--seeds 4]

Each task is drawn with each seed, and measured on 5,000 new rows, the rare labels on 200,000. A bar is the distance to
the best of the simple models by the means over the seeds: 0.02 of the area under the ROC curve (AUC), 0.1 of R2, or 0.1
of the log-loss.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.metrics import log_loss, r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._timing import machine, print_table
from sknn import NeuralClassifier, NeuralRegressor

_N_TEST = 5000


class Draw(NamedTuple):
    """Training and test rows of one task and seed."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


class Task(NamedTuple):
    """How rows are drawn, and the measure, larger is better, with the distance that is allowed."""

    draw: Callable[[np.random.Generator], Draw]
    measure: str
    allowed: float


def _split(X: np.ndarray, y: np.ndarray, n_rows: int) -> Draw:
    return Draw(X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:])


def _linear(n_rows: int, *, labels: bool) -> Callable[[np.random.Generator], Draw]:
    """A sum of five of eight columns, with a fifth of the variance noise, or labels by its logistic probability."""

    def draw(random: np.random.Generator) -> Draw:
        X = random.normal(size=(n_rows + _N_TEST, 8))
        score = X[:, :5] @ np.array([1.0, -0.8, 0.6, 0.5, -0.4])
        if labels:
            return _split(X, (2 * score + random.logistic(size=len(X)) > 0).astype(int), n_rows)
        return _split(X, score + 0.5 * score.std() * random.normal(size=len(X)), n_rows)

    return draw


def _rare(random: np.random.Generator) -> Draw:
    """14 positives among 20,000 rows of 10 columns, as likely as the exponential of a sum of four of them."""
    X = random.normal(size=(20_000, 10))
    chance = np.exp(X[:, :4] @ np.array([1.0, 0.8, -0.6, 0.5]))
    y = np.zeros(len(X), dtype=int)
    y[random.choice(len(X), 14, replace=False, p=chance / chance.sum())] = 1
    X_test = random.normal(size=(200_000, 10))
    chance = np.exp(X_test[:, :4] @ np.array([1.0, 0.8, -0.6, 0.5]))
    return Draw(X, y, X_test, (random.random(len(X_test)) < 7e-4 * chance / chance.mean()).astype(int))


def _wide(random: np.random.Generator) -> Draw:
    """Labels by three of 1,500 columns."""
    X = random.normal(size=(300 + _N_TEST, 1500))
    score = X[:, 10] - X[:, 700] + 0.8 * X[:, 1200]
    return _split(X, (2 * score + random.logistic(size=len(X)) > 0).astype(int), 300)


TASKS = {
    **{f"linear, {n} rows, R2": Task(_linear(n, labels=False), "R2", 0.1) for n in (20, 40, 60)},
    **{f"linear, {n} rows, log-loss": Task(_linear(n, labels=True), "-log-loss", 0.1) for n in (20, 40, 60)},
    "14 positives in 20,000 rows, AUC": Task(_rare, "AUC", 0.02),
    "300 rows x 1,500 columns, AUC": Task(_wide, "AUC", 0.02),
}


def _simple_models(task: Task) -> dict[str, Any]:
    if task.measure == "R2":
        ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13)))
        return {"constant": DummyRegressor(), "linear": ridge, "boosting": HistGradientBoostingRegressor()}
    models = {
        "constant": DummyClassifier(),
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "boosting": HistGradientBoostingClassifier(),
    }
    if task.draw is _wide:
        models["lasso"] = LogisticRegressionCV(penalty="l1", solver="liblinear", Cs=8)
    return models


def _score(model: Any, task: Task, draw: Draw) -> float:
    model.fit(draw.X, draw.y)
    if task.measure == "R2":
        return float(r2_score(draw.y_test, model.predict(draw.X_test)))
    probabilities = model.predict_proba(draw.X_test)
    if task.measure == "AUC":
        return float(roc_auc_score(draw.y_test, probabilities[:, 1]))
    return -float(log_loss(draw.y_test, probabilities))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of models that do not converge on so few rows
    rows = []
    for name, task in TASKS.items():
        scores: dict[str, list[float]] = {}
        for seed in range(arguments.seeds):
            draw = task.draw(np.random.default_rng(seed))
            estimator = NeuralRegressor if task.measure == "R2" else NeuralClassifier
            models = {"sknn": estimator(random_state=seed), **_simple_models(task)}
            for model_name, model in models.items():
                scores.setdefault(model_name, []).append(_score(model, task, draw))
        means = {model_name: float(np.mean(values)) for model_name, values in scores.items()}
        best = max((value, model_name) for model_name, value in means.items() if model_name != "sknn")
        behind = best[0] - means["sknn"]
        verdict = "met" if behind <= task.allowed else "missed"
        rows.append([name, f"{means['sknn']:.3f}", f"{best[0]:.3f} ({best[1]})", f"{behind:+.3f}", verdict])
    print(machine())
    print_table(["task", "sknn", "best simple model", "behind by", "bar"], rows)


if __name__ == "__main__":
    main()
