"""Peak memory and time of fits that are large in one direction, each in a process of its own.

The network is the default one; where an epoch takes long, there are two.

python -m benchmarks.reliability._fuzz_memory columns 0
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse

from sknn import NeuralClassifier, NeuralRegressor

__all__ = ["LARGE", "measured_apart"]

Rng = np.random.Generator


def _columns(rng: Rng) -> tuple[Any, Any, Any]:
    X = rng.normal(size=(300, 10_000))
    return NeuralClassifier(random_state=0), X, (X[:, 0] > 0).astype(int)


def _mixed_columns(rng: Rng) -> tuple[Any, Any, Any]:
    X = pd.DataFrame(rng.normal(size=(200, 5000)))
    labels = pd.DataFrame(rng.choice(list("abc"), (200, 1000))).add_prefix("c")
    return NeuralClassifier(random_state=0), pd.concat([X.add_prefix("n"), labels], axis=1), np.arange(200) % 2


def _classes(rng: Rng) -> tuple[Any, Any, Any]:
    y = np.arange(10_000) % 5000
    return NeuralClassifier(random_state=0, max_epochs=2), rng.normal(size=(10_000, 5)) + y[:, None] % 7, y


def _categories(rng: Rng) -> tuple[Any, Any, Any]:
    codes = np.arange(60_000) % 50_000
    X = pd.DataFrame({"id": [f"id {code}" for code in codes], "number": rng.normal(size=60_000)})
    return NeuralRegressor(categorical_features=["id"], random_state=0, max_epochs=2), X, rng.normal(size=60_000)


def _sparse(rng: Rng) -> tuple[Any, Any, Any]:
    X = scipy.sparse.random_array((20_000, 20_000), density=5e-4, format="csr", rng=rng)
    return NeuralClassifier(random_state=0, max_epochs=2), X, np.arange(20_000) % 2


def _outputs(rng: Rng) -> tuple[Any, Any, Any]:
    return NeuralRegressor(random_state=0, max_epochs=2), rng.normal(size=(500, 10)), rng.normal(size=(500, 2000))


LARGE: dict[str, Callable[[Rng], tuple[Any, Any, Any]]] = {
    "columns": _columns,
    "mixed columns": _mixed_columns,
    "classes": _classes,
    "categories": _categories,
    "sparse columns": _sparse,
    "outputs": _outputs,
}


def measured_apart(name: str, seed: int, longest_s: float = 900) -> tuple[float, float] | str:
    """Peak memory in GB and seconds of one of `LARGE` in another process, or what went wrong."""
    command = [sys.executable, "-m", "benchmarks.reliability._fuzz_memory", name, str(seed)]
    root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=longest_s, check=False)
    except subprocess.TimeoutExpired:
        return f"{name}: longer than {longest_s:g} s"
    if done.returncode:
        return f"{name}: {(done.stderr.strip() or f'killed by signal {-done.returncode}').splitlines()[-1]}"
    record = json.loads(done.stdout.splitlines()[-1])
    return record["gigabytes"], record["seconds"]


def _measure(name: str, seed: int) -> None:
    started = time.perf_counter()
    estimator, X, y = LARGE[name](np.random.default_rng(seed))
    estimator.fit(X, y)
    prediction = estimator.predict(X)
    assert len(prediction) == X.shape[0]
    unit = 2**30 if sys.platform == "darwin" else 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(json.dumps({"gigabytes": peak, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    _measure(sys.argv[1], int(sys.argv[2]))
