"""What each ingredient of the default gains, and what it costs: the default against itself without the ingredient.

    python -m benchmarks.ablation --data ../shared/data

The test rows stay out of it: a quarter of the training rows is held out, in two ways, and the other rows are fitted.
Printed for each variant, in Markdown: the mean over tables and splits of its skill minus the default's, times 1,000,
with the standard error of that mean, and its seconds relative to the default's. A negative number is what the
ingredient gains. Fits are kept in a file, and a rerun goes on from there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn

from benchmarks._timing import machine
from benchmarks.quality.fitting import Job, run_job
from benchmarks.quality.results import Records
from benchmarks.quality.tables import Table, suite_tables
from sknn.modules import MLP, FTTransformer, ResNet, TabM

__all__ = ["VARIANTS", "held_out", "main"]


class FixedGains(TabM):
    """TabM whose gains stay 1."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for gain in (self.gain, self.curve_gain):
            if gain is not None:
                gain.requires_grad_(False)


class NoLinearModel(TabM):
    """TabM without a linear model beside it, which only the class itself gets."""

    recipe = TabM.recipe


VARIANTS: dict[str, dict[str, Any]] = {
    "the default": {},
    "two networks": {"n_networks": 2},
    "one network": {"n_networks": 1},
    "one member a network": {"module__n_members": 1},
    "no curves of the numbers": {"module__n_bins": 0},
    "16 pieces a curve": {"module__n_bins": 16},
    "gains fixed at 1": {"module": FixedGains},
    "no linear models": {"module": NoLinearModel},
    "no hidden layer behind the first": {"module__n_blocks": 0},
    "three blocks": {"module__n_blocks": 3},
    "rectified units only": {"module__activation": nn.ReLU},
    "32 units": {"module__width": 32},
    "128 units": {"module__width": 128},
    "dropout 0.1": {"module__dropout": 0.1},
    "AdamW in place of Muon": {"optimizer": torch.optim.AdamW},
    "last weights in place of their average": {"ema_decay": None},
    "learning rate that stays": {"lr_schedule": "constant"},
    "learning rate 0.003": {"lr": 0.003},
    "weight decay of torch, 0.01": {"optimizer__weight_decay": 0.01},
    "patience 8": {"n_iter_no_change": 8},
    "no clipping": {"gradient_clipping": None},
    "no temperature": {"criterion__temperature_scaling": False},
    "MLP": {"module": MLP},
    "ResNet": {"module": ResNet},
    "FTTransformer": {"module": FTTransformer},
}


def held_out(table: Table, split: int) -> Table:
    """The training rows alone, a quarter of them as test rows."""
    labels = table.y_train if table.task == "classification" else None
    train, test = train_test_split(np.arange(len(table.y_train)), test_size=0.25, random_state=split, stratify=labels)
    X, y = table.X_train, table.y_train
    return Table(table.name, table.task, X.iloc[train], y[train], X.iloc[test], y[test])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the suite")
    parser.add_argument("--tables", nargs="*", default=[], help="only these")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ablation.jsonl"))
    return parser


def _row(name: str, fits: dict[str, dict[tuple[str, int], dict[str, Any]]]) -> str:
    default = fits["the default"]
    common = [key for key in fits[name] if key in default]
    gains = [1000 * (fits[name][key]["skill"] - default[key]["skill"]) for key in common]
    ratios = [fits[name][key]["fit_s"] / default[key]["fit_s"] for key in common]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    return f"| {name} | {len(common)} | {statistics.mean(gains):+.1f} ± {error:.1f} | {statistics.median(ratios):.2f} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Fit what is missing, and print the table."""
    args = _parser().parse_args(argv)
    records = Records(args.out)
    names = list(dict.fromkeys(["the default", *args.variants]))
    fits: dict[str, dict[tuple[str, int], dict[str, Any]]] = {name: {} for name in names}
    for table in suite_tables(args.data, args.tables):
        for split in range(args.splits):
            part = held_out(table, split)
            for name in names:
                params = VARIANTS[name]
                if table.task == "regression" and any(key.startswith("criterion__") for key in params):
                    continue
                record = records.find(name, table.name, split, threads=args.threads)
                if record is None:
                    record = run_job(Job(name, "sknn", part, split, args.threads, params=params))
                    records.add(record)
                    print(f"{table.name} {split} {name}: {record['skill']:.4f}", file=sys.stderr, flush=True)
                fits[name][table.name, split] = record
    torch.set_num_threads(args.threads)  # what machine() reports
    print(f"{machine()}\n\n| variant | fits | skill - the default's, x 1,000 | seconds / the default's |")
    print("|---|---|---|---|")
    print("\n".join(_row(name, fits) for name in names if name != "the default"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
