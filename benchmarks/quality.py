"""Test loss, skill and fit seconds of sknn's defaults on a suite of real tables, beside recorded peers.

    python -m benchmarks.quality --data ../shared/data

The folder holds ``NAME.parquet`` (columns, ``target``, ``split``), ``suite.json`` and ``peers.jsonl``.
loss: log-loss (probabilities clipped at 1e-7) or mean squared error on the test rows. skill: 1 - loss / loss of the
constant predictor fitted on the training rows.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sknn import NeuralClassifier, NeuralRegressor


def test_loss(task: str, model: Any, X: pd.DataFrame, y: np.ndarray) -> float:
    """Log-loss or mean squared error."""
    if task == "regression":
        return float(np.mean((model.predict(X).astype(np.float64) - y) ** 2))
    probabilities = np.clip(model.predict_proba(X).astype(np.float64), 1e-7, 1)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return float(-np.log(probabilities[np.arange(len(y)), np.searchsorted(model.classes_, y)]).mean())


def constant_loss(task: str, y_train: np.ndarray, y_test: np.ndarray) -> float:
    """Loss of the class frequencies, or of the mean."""
    if task == "regression":
        return float(np.mean((y_test - y_train.mean()) ** 2))
    classes, counts = np.unique(y_train, return_counts=True)
    return float(-np.log((counts / counts.sum())[np.searchsorted(classes, y_test)]).mean())


def run(folder: Path, spec: dict[str, Any], seeds: int) -> dict[str, float]:
    """Fit with raw columns, once a seed; medians."""
    table = pd.read_parquet(folder / f"{spec['name']}.parquet")
    train = table["split"].eq("train").to_numpy()
    X, y = table.drop(columns=["target", "split"]), table["target"].to_numpy()
    estimator = NeuralRegressor if spec["task"] == "regression" else NeuralClassifier
    losses, seconds = [], []
    for seed in range(seeds):
        started = time.perf_counter()
        model = estimator(random_state=seed).fit(X[train], y[train])
        seconds.append(time.perf_counter() - started)
        losses.append(test_loss(spec["task"], model, X[~train], y[~train]))
    loss = float(np.median(losses))
    constant = constant_loss(spec["task"], y[train], y[~train])
    return {"loss": loss, "skill": 1 - loss / constant, "fit_s": float(np.median(seconds))}


def main() -> None:
    """Print one row a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tables", default="", help="comma-separated names; all by default")
    args = parser.parse_args()
    suite = json.loads((args.data / "suite.json").read_text())
    peers: dict[str, dict[str, float]] = {}
    for line in (args.data / "peers.jsonl").read_text().splitlines():
        record = json.loads(line)
        peers.setdefault(record["data"], {})[record["model"]] = record["loss"]
    print(f"{platform.machine()}, Python {platform.python_version()}, medians over {args.seeds} seeds\n")
    print("| table | loss | / linear | / scikit-learn MLP 2x256 | / CatBoost | skill | fit s |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for spec in suite:
        if args.tables and spec["name"] not in args.tables.split(","):
            continue
        row = run(args.data, spec, args.seeds)
        known = peers[spec["name"]]
        ratios = [row["loss"] / known[peer] for peer in ("linear", "mlp_256x256", "catboost")]
        rows.append([*ratios, row["skill"], row["fit_s"]])
        cells = " | ".join(f"{ratio:.3f}" for ratio in ratios)
        print(f"| {spec['name']} | {row['loss']:.4g} | {cells} | {row['skill']:.3f} | {row['fit_s']:.1f} |", flush=True)
    columns = np.array(rows)
    print(
        f"\nworst loss / linear {columns[:, 0].max():.3f}, mean skill {columns[:, 3].mean():.4f}, "
        f"fit seconds in total {columns[:, 4].sum():.1f}"
    )


if __name__ == "__main__":
    main()
