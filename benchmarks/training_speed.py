"""Seconds of an epoch of training, relative to a loop written by hand.

    python -m benchmarks.training_speed [--threads 1] [--rounds 9]

sknn trains with its defaults: gradient clipping, gradient health, history and schedule. "hand" is a good plain loop:
tensors in memory, one indexing operation per batch, fused AdamW, no clipping. All train the same layers on the same
float32 rows, one after another; the figures are medians of the ratios within a round, per epoch. For images and
sequences they are of the steps alone, without reading X.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from benchmarks._loops import hand_loop, mlp, scikit_learn_fit, skorch_fit
from benchmarks._timing import machine, measure, print_table
from sknn import NeuralClassifier, modules
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
        "hand": lambda: hand_loop(mlp(n_features, hidden, 3), [torch.from_numpy(X)], y, batch, epochs),
        "hand + clipping": lambda: hand_loop(
            mlp(n_features, hidden, 3), [torch.from_numpy(X)], y, batch, epochs, clip=1.0
        ),
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


def images() -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Colour images uint8, classes, and what the loop by hand trains on: images standardised, float32."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, size=(2_000, 32, 32, 3), dtype=np.uint8)
    x = torch.from_numpy(X).permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
    return X, rng.integers(0, 3, size=len(X)), (x - x.mean()) / x.std()


def sequences() -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Sequences, classes, and what the loop by hand trains on: as many features as sknn learns from the sequences."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2_000, 6, 60)).astype(np.float32)
    return X, rng.integers(0, 3, size=len(X)), torch.from_numpy(rng.normal(size=(len(X), 256)).astype(np.float32))


# data, and the network as the loop by hand makes it
NETWORKS: dict[str, tuple[Callable[[], tuple[np.ndarray, np.ndarray, torch.Tensor]], Callable[[], nn.Module]]] = {
    "ConvNet": (images, lambda: modules.ConvNet((3, 32, 32), 3).to(memory_format=torch.channels_last)),
    "SequenceNet": (sequences, lambda: modules.SequenceNet(256, 3)),
}


def compare_network(name: str, rounds: int, batch: int = 64, epochs: int = 3) -> list[str]:
    """One row of the table of networks for images and sequences: of their steps, without reading X."""
    make_data, make_net = NETWORKS[name]
    X, y, x = make_data()
    model = NeuralClassifier(
        getattr(modules, name), batch_size=batch, max_epochs=epochs, early_stopping=False, n_networks=1
    )
    fits = {
        "hand": lambda: hand_loop(make_net(), [x], y, batch, epochs),
        "hand + clipping": lambda: hand_loop(make_net(), [x], y, batch, epochs, clip=1.0),
        "sknn": lambda: float(sum(model.fit(X, y).net_.history[:, "dur"])),
    }
    times = measure(fits, rounds)
    return [
        f"{name}, {' x '.join(map(str, X.shape))}, {batch}",
        f"{times.median('hand') / epochs * 1e3:.0f} ms",
        f"{times.ratio('hand + clipping', 'hand'):.2f}",
        f"{times.ratio('sknn', 'hand'):.2f}",
        "1.00",
        f"{times.dropped}/{rounds}",
    ]


def main() -> None:
    """Print one row per size, and one per network for images and sequences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="*", default=range(len(SIZES)))
    parser.add_argument("--networks", nargs="*", choices=list(NETWORKS), default=list(NETWORKS))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    threadpool_limits(args.threads)  # the BLAS of numpy, which scikit-learn multiplies with
    print(f"{machine()}\n")
    head = ["rows x features, net, batch", "hand, epoch", "hand + clipping", "sknn", "bar", "skorch + clipping"]
    head += ["sknn / skorch", "sknn / scikit-learn", "disturbed rounds"]
    print_table(head, (compare(*SIZES[i], bar=BARS[i], rounds=args.rounds) for i in args.sizes))
    print()
    head = ["network, X, batch", "hand, epoch", "hand + clipping", "sknn", "bar", "disturbed rounds"]
    print_table(head, (compare_network(name, args.rounds) for name in args.networks))


if __name__ == "__main__":
    main()
