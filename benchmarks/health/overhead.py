"""What clipping and health cost, as a share of the time of training without them, on the engine's benchmark sizes.

Of a short fit, all that is done once at its beginning and end included; and of a further epoch, by fits of three times
as many epochs.

python -m benchmarks.health.overhead [--rounds 15] [--threads 1]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks._timing import machine, measure, print_table
from benchmarks.training_speed import SIZES, make_table
from sknn import NeuralClassifier
from sknn.modules import MLP

__all__ = ["HEAD", "main", "overhead_rows"]

HEAD = (
    "rows x features, net, batch", "epoch", "clipping", "health", "both", "both, a further epoch", "bar",
    "disturbed rounds",
)  # fmt: skip
_LONGER = 3


def overhead_rows(rounds: int) -> Iterator[tuple[str, ...]]:
    """A row of the table for each size: overheads in percent of the epoch."""
    for n_samples, n_features, hidden, batch, epochs in SIZES:
        X, y = make_table(n_samples, n_features)

        def fit(
            clipping: str | None, health: str | None, times=1, *, data=(X, y), hidden=hidden, batch=batch, epochs=epochs
        ) -> Callable[[], object]:
            model = NeuralClassifier(
                MLP,
                module_params={"hidden_sizes": hidden},
                batch_size=batch,
                max_epochs=times * epochs,
                early_stopping=False,
                gradient_clipping=clipping,
                gradient_health=health,
                random_state=0,
            )
            return lambda: model.fit(*data)

        times = measure(
            {
                "neither": fit(None, None),
                "clipping": fit("auto", None),
                "health": fit(None, "warn"),
                "both": fit("auto", "warn"),
                "neither, longer": fit(None, None, _LONGER),
                "both, longer": fit("auto", "warn", _LONGER),
            },
            rounds,
        )
        seconds = {name: np.array(values) for name, values in times.seconds.items()}
        further = {name: seconds[f"{name}, longer"] - seconds[name] for name in ("neither", "both")}
        yield (
            f"{n_samples:,} x {n_features}, {hidden[0]}-{hidden[1]}, {batch}",
            f"{times.median('neither') / epochs * 1e3:.0f} ms",
            *(f"{100 * (times.ratio(name, 'neither') - 1):.1f} %" for name in ("clipping", "health", "both")),
            f"{100 * (np.median(further['both'] / further['neither']) - 1):.1f} %",
            "3 %",
            f"{times.dropped}/{rounds}",
        )


def main() -> None:
    """Print a row a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    threadpool_limits(args.threads)
    print(f"{machine()}\n")
    print_table(HEAD, overhead_rows(args.rounds))


if __name__ == "__main__":
    main()
