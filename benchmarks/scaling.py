"""Seconds of an epoch per row as the table grows, and the fixed cost of a fit.

    python -m benchmarks.scaling

An epoch's cost is the difference of fits of 3 epochs and 1 epoch over 2, with batches of 256 rows of 20 columns.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import numpy as np
import torch

from benchmarks._timing import machine, print_table
from sknn import NeuralRegressor
from sknn.modules import MLP


def seconds(X: np.ndarray, y: np.ndarray, epochs: int) -> float:
    """Of one fit."""
    started = time.perf_counter()
    NeuralRegressor(
        MLP,
        module_params={"hidden_sizes": (64, 64)},
        batch_size=256,
        max_epochs=epochs,
        early_stopping=False,
        random_state=0,
    ).fit(X, y)
    return time.perf_counter() - started


def import_seconds() -> tuple[float, float]:
    """Of torch and scikit-learn, and of sknn beyond these; the best of three processes each."""
    program = (
        "import time; a = time.perf_counter(); import torch, sklearn; b = time.perf_counter(); import sknn; "
        "print(b - a, time.perf_counter() - b)"
    )
    runs = [
        tuple(
            map(float, subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.split())
        )
        for _ in range(3)
    ]
    return min(run[0] for run in runs), min(run[1] for run in runs)


def main() -> None:
    """Print one row a size, then the fixed costs."""
    torch.set_num_threads(1)
    print(f"{machine()}\n")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1_000_000, 20), dtype=np.float32)
    y = X[:, 0] + X[:, 1] ** 2
    sizes = [10_000, 100_000, 1_000_000]
    seconds(X[:1000], y[:1000], 1)
    # Sizes in turn, so that a slow minute meets all of them.
    runs = [[(seconds(X[:n], y[:n], 3) - seconds(X[:n], y[:n], 1)) / 2 for n in sizes] for _ in range(5)]
    rows = []
    for i, n in enumerate(sizes):
        per_row = statistics.median(run[i] / n for run in runs)
        relative = statistics.median((run[i] / n) / (run[0] / sizes[0]) for run in runs)
        rows.append([f"{n:,}", f"{per_row * 1e6:.2f}", f"{relative:.2f}"])
    print_table(["rows", "microseconds an epoch and row", "/ 10,000 rows"], rows)

    small = [seconds(X[:100], y[:100], 1) for _ in range(21)]
    base, own = import_seconds()
    print(f"\nfit of 100 rows, 1 epoch: {statistics.median(small) * 1e3:.1f} ms")
    print(f"import sknn: {own:.2f} s beyond the {base:.2f} s of torch and scikit-learn")


if __name__ == "__main__":
    main()
