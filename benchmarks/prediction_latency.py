"""Microseconds of predict_proba for one row, and its cost for many rows relative to the bare forward pass.

    python -m benchmarks.prediction_latency [--threads 1] [--rounds 300]

All models are fitted on the same 5,000 x 32 float32 rows; sknn and scikit-learn's MLP have two hidden layers of 256
units. The bare forward pass is the module called on a float32 tensor under ``torch.inference_mode()``, with softmax.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from benchmarks._timing import machine, measure, print_table
from benchmarks.training_speed import make_table
from sknn import NeuralClassifier
from sknn.modules import MLP


def models(X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Fitted classifiers."""
    found: dict[str, Any] = {
        "sknn": NeuralClassifier(MLP, max_epochs=3, random_state=0),
        "scikit-learn MLP": MLPClassifier((256, 256), max_iter=3, random_state=0),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
    }
    try:
        from lightgbm import LGBMClassifier

        found["LightGBM"] = LGBMClassifier(random_state=0, verbose=-1)
    except ImportError:
        print("LightGBM is missing: pip install 'sknn[bench]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {name: model.fit(X, y) for name, model in found.items()}


def main() -> None:
    """Print one table for one row, and one for many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=300)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    threadpool_limits(args.threads)
    print(f"{machine()}\n")
    X, y = make_table(5_000, 32)
    fitted = models(X, y)
    warnings.simplefilter("ignore", UserWarning)  # LightGBM misses feature names
    row = X[:1]

    def ten_calls(model: Any) -> Callable[[], object]:
        return lambda: [model.predict_proba(row) for _ in range(10)]

    times = measure({name: ten_calls(model) for name, model in fitted.items()}, args.rounds)
    rows = [
        [name, f"{times.median(name) / 10 * 1e6:.0f}", f"{times.ratio(name, 'scikit-learn MLP'):.2f}"]
        for name in fitted
    ]
    print_table(["one row", "microseconds", "/ scikit-learn MLP"], rows)

    many, _ = make_table(100_000, 32)
    net = fitted["sknn"]
    module, encoded = net.module_, torch.from_numpy(many)

    def bare() -> None:
        with torch.inference_mode():
            module(encoded).softmax(dim=1).numpy()

    calls = {"bare forward": bare, **{name: lambda m=model: m.predict_proba(many) for name, model in fitted.items()}}
    times = measure(calls, max(5, args.rounds // 30))
    rows = [[name, f"{times.median(name) * 1e3:.0f}", f"{times.ratio(name, 'bare forward'):.2f}"] for name in calls]
    print()
    print_table(["100,000 rows", "milliseconds", "/ bare forward"], rows)


if __name__ == "__main__":
    main()
