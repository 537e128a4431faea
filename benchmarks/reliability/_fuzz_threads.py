"""Predictions from eight threads at once, while another estimator is fitted: the bits of a prediction alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd

from sknn import NeuralClassifier
from sknn.modules import MLP, FTTransformer, ResNet, TabM

__all__ = ["MODULES", "different_in_threads"]

# Every architecture that is built in, small, with dropout: what is random in training must not be so at predict.
MODULES: dict[Any, dict[str, Any]] = {
    MLP: {"hidden_sizes": (32, 32), "dropout": 0.3},
    ResNet: {"width": 32, "dropout": 0.3},
    FTTransformer: {"token_size": 16, "dropout": 0.3},
    TabM: {"width": 32, "dropout": 0.3},
}


def _table(seed: int, n: int = 300) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.choice(["x", "y", "z"], n)})
    return X, np.arange(n) % 3


def different_in_threads(module: Any, seed: int, n_threads: int = 8, n_calls: int = 4) -> list[str]:
    """What went wrong: predictions of other bits, or errors.

    Parameters
    ----------
    module : type
        One of `MODULES`.
    seed : int
    n_threads : int
    n_calls : int
        Of each thread, with all rows, a few and one.
    """
    X, y = _table(seed)
    params = {"module": module, "module_params": MODULES[module], "max_epochs": 2, "random_state": seed}
    model = NeuralClassifier(**params).fit(X, y)
    parts = [X, X.iloc[:1], X.iloc[7:90], X.iloc[::-1]]
    alone = [model.predict_proba(part) for part in parts]
    enough = threading.Event()
    wrong: list[str] = []

    def fit_others() -> None:
        other = NeuralClassifier(**{**params, "early_stopping": True})
        while not enough.is_set():
            other.fit(*_table(seed + 1, 150))

    def predict(thread: int) -> None:
        for call in range(n_calls * len(parts)):
            i = (thread + call) % len(parts)
            if not np.array_equal(model.predict_proba(parts[i]), alone[i]):
                wrong.append(f"{module.__name__}: thread {thread} predicted other bits for {len(parts[i])} rows")

    with ThreadPoolExecutor(n_threads + 1) as pool:
        fitting = pool.submit(fit_others)
        for future in [pool.submit(predict, thread) for thread in range(n_threads)]:
            error = future.exception()
            if error is not None:
                wrong.append(f"{module.__name__}: {type(error).__name__}: {error}")
        enough.set()
        error = fitting.exception()
    if error is not None:
        wrong.append(f"{module.__name__}: the fit beside: {type(error).__name__}: {error}")
    again = NeuralClassifier(**params).fit(X, y)
    if not np.array_equal(again.predict_proba(X), alone[0]):
        wrong.append(f"{module.__name__}: a fit afterwards is another one")
    return wrong
