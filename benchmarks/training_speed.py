"""Seconds of an epoch of training, relative to a loop written by hand.

    python -m benchmarks.training_speed [--threads 1] [--rounds 9]

sknn trains with its defaults: gradient clipping, gradient health, history and schedule. "hand" is a good plain loop:
tensors in memory, one indexing operation per batch, fused AdamW, no clipping. All train the same layers on the same
float32 rows, one after another; the figures are medians of the ratios within a round, per epoch.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks._loops import hand_loop, scikit_learn_fit, skorch_fit
from benchmarks._timing import machine, measure, print_table
from sknn import NeuralClassifier
from sknn.modules import MLP

# rows, features, hidden sizes, rows per batch, epochs of a fit
SIZES = [
    (10_000, 32, (256, 256), 128, 10),
    (10_000, 32, (64, 64), 32, 10),
    (10_000, 32, (100, 100), 200, 10),
    (20_000, 100, (512, 512), 512, 4),
]
BARS = [0.85, 0.85, 0.90, 1.00]


def make_table(n_samples: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes that overlap."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features)).astype(np.float32)
    score = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=n_samples)
    return X, np.digitize(score, [-0.7, 0.7]).astype(np.int64)


def compare(
    n_samples: int, n_features: int, hidden: tuple[int, int], batch: int, epochs: int, *, bar: float, rounds: int
) -> list[str]:
    """One row of the table."""
    X, y = make_table(n_samples, n_features)
    model = NeuralClassifier(
        MLP, module_params={"hidden_sizes": hidden}, batch_size=batch, max_epochs=epochs, early_stopping=False
    )
    fits = {
        "hand": lambda: hand_loop(X, y, hidden, batch, epochs),
        "hand + clipping": lambda: hand_loop(X, y, hidden, batch, epochs, clip=1.0),
        "sknn": lambda: model.fit(X, y),
        "skorch + clipping": lambda: skorch_fit(X, y, hidden, batch, epochs),
        "scikit-learn MLP": lambda: scikit_learn_fit(X, y, hidden, batch, epochs),
    }
    times = measure(fits, rounds)
    return [
        f"{n_samples:,} x {n_features}, {hidden[0]}-{hidden[1]}, {batch}",
        f"{times.median('hand') / epochs * 1e3:.0f} ms",
        f"{times.ratio('hand + clipping', 'hand'):.2f}",
        f"{times.ratio('sknn', 'hand'):.2f}",
        f"{bar:.2f}",
        f"{times.ratio('skorch + clipping', 'hand'):.2f}",
        f"{times.ratio('sknn', 'skorch + clipping'):.2f}",
        f"{times.ratio('sknn', 'scikit-learn MLP'):.2f}",
        f"{times.dropped}/{rounds}",
    ]


def main() -> None:
    """Print one row per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="*", default=range(len(SIZES)))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    threadpool_limits(args.threads)  # the BLAS of numpy, which scikit-learn multiplies with
    print(f"{machine()}\n")
    head = ["rows x features, net, batch", "hand, epoch", "hand + clipping", "sknn", "bar", "skorch + clipping"]
    head += ["sknn / skorch", "sknn / scikit-learn", "disturbed rounds"]
    print_table(head, (compare(*SIZES[i], bar=BARS[i], rounds=args.rounds) for i in args.sizes))


if __name__ == "__main__":
    main()
