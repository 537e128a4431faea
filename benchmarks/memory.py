"""Peak memory of training on 1,000,000 x 50 float32 rows.

    python -m benchmarks.memory [--rows 1000000] [--columns 50] [--module MLP]

A process of its own makes the rows and fits; its peak resident memory is the operating system's figure. `--max-time 1`
ends the first epoch early, and shows nearly the same peak sooner.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

from benchmarks._timing import machine, print_table


def child(n_samples: int, n_features: int, epochs: int, module: str, max_time: float | None) -> None:
    """Print four peaks in MiB: after the imports, after a fit of 300 rows, with the rows, after the fit."""
    import warnings

    import numpy as np
    import torch  # noqa: F401
    from sklearn.exceptions import ConvergenceWarning

    from sknn import NeuralRegressor, modules

    warnings.simplefilter("ignore", ConvergenceWarning)  # of an epoch that is ended early
    model = NeuralRegressor(vars(modules)[module], max_time=max_time, random_state=0)

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    peaks = [peak()]
    small = np.random.default_rng(0).standard_normal((300, n_features), dtype=np.float32)
    # What libraries and threads take on first use is not a matter of rows.
    model.set_params(max_epochs=1).fit(small, small[:, 0])
    peaks.append(peak())
    X = np.random.default_rng(0).standard_normal((n_samples, n_features), dtype=np.float32)
    y = X[:, 0] + X[:, 1] ** 2
    peaks.append(peak())
    if epochs:
        model.set_params(max_epochs=epochs).fit(X, y)
    peaks.append(peak())
    print(*peaks)


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--module", default="MLP", help="class of sknn.modules")
    parser.add_argument("--max-time", type=float, help="seconds of the fit")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.rows, args.columns, args.epochs, args.module, args.max_time)
        return
    print(f"{machine()}\n")
    command = [sys.executable, "-m", "benchmarks.memory", "--child", "--rows", str(args.rows)]
    command += ["--columns", str(args.columns), "--epochs", str(args.epochs), "--module", args.module]
    command += [] if args.max_time is None else ["--max-time", str(args.max_time)]
    imports, small, table, fit = map(
        float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    )
    size = args.rows * args.columns * 4 / 2**20
    head = ["rows x columns, float32", "table, MiB", "peak after imports", "after a fit of 300 rows", "with the table"]
    head += ["after fit", "fit / table"]
    cells = [f"{args.rows:,} x {args.columns}", *(f"{value:.0f}" for value in (size, imports, small, table, fit))]
    print_table(head, [[*cells, f"{(fit - table) / size:.2f}"]])


if __name__ == "__main__":
    main()
