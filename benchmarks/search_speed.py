"""cross_val_score with two processes against one, and the threads that are busy meanwhile.

python -m benchmarks.search_speed [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from sklearn.model_selection import cross_val_score

from benchmarks._timing import machine, print_table
from benchmarks.training_speed import make_table
from sknn import NeuralClassifier
from sknn.modules import MLP


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(f"{machine()}\n")
    X, y = make_table(10_000, 32)
    model = NeuralClassifier(MLP, max_epochs=15, early_stopping=False, random_state=0)

    def score(n_jobs: int) -> tuple[float, np.ndarray]:
        started = time.perf_counter()
        scores = cross_val_score(model, X, y, cv=5, n_jobs=n_jobs)
        return time.perf_counter() - started, scores

    score(2)  # the workers start, and import
    runs = [(score(1), score(2)) for _ in range(args.rounds)]
    one, two = (statistics.median(run[i][0] for run in runs) for i in (0, 1))
    speedup = statistics.median(run[0][0] / run[1][0] for run in runs)
    same = all(np.array_equal(run[0][1], run[1][1]) for run in runs)
    print_table(
        ["cross_val_score(cv=5)", "n_jobs=1", "n_jobs=2", "times faster", "same scores"],
        [["10,000 x 32, 15 epochs", f"{one:.1f} s", f"{two:.1f} s", f"{speedup:.2f}", same]],
    )


if __name__ == "__main__":
    main()
