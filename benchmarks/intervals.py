"""Coverage and size of `predict_interval` and `predict_set`, beside MAPIE's cross-conformal with 5 fits.

    python -m benchmarks.intervals --data ../shared/data [--seeds 5] [--peer] [--rows 10000] [TABLE ...]

For each seed, the rows of a table are split anew, with as many training rows as before, at most `--rows`. A row of the
result: coverage at the levels 0.8, 0.9 and 0.95; mean width, or size of the sets, in units of MAPIE's (with `--peer`,
which takes five times as long); and coverage of the fifth of the rows with the widest intervals. Of the sets it is the
fifth with the least certain predictions, for which no bar is set: a set is not made wider where a class is less sure.

The bars: mean coverage within 0.01 of the level, that of each table at most 0.03 below it; width and size at most
MAPIE's, mean over tables and levels; the widest fifth, mean over tables, within 0.04.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sknn import NeuralClassifier, NeuralRegressor

from .quality.tables import Table, suite_tables

__all__ = ["main"]

_LEVELS = (0.8, 0.9, 0.95)
_MOST_TEST_ROWS = 3000


class Result(NamedTuple):
    """Of one table and seed, a number for each level: coverage, mean size, and coverage of the hardest fifth."""

    coverage: np.ndarray
    size: np.ndarray
    hardest: np.ndarray


def _split_again(table: Table, seed: int, most_rows: int) -> Table:
    """The rows of a table, split at random; test rows of a class that no training row has are left out."""
    X = pd.concat([table.X_train, table.X_test], ignore_index=True)
    y = np.concatenate([table.y_train, table.y_test])
    order, n_train = np.random.RandomState(seed).permutation(len(y)), min(len(table.y_train), most_rows)
    train, test = order[:n_train], order[n_train : n_train + _MOST_TEST_ROWS]
    if table.task == "classification":
        test = test[np.isin(y[test], y[train])]
    parts = [(X.iloc[part].reset_index(drop=True), y[part]) for part in (train, test)]
    return Table(table.name, table.task, *parts[0], *parts[1])


def _estimator(table: Table, seed: int) -> Any:
    kind = NeuralRegressor if table.task == "regression" else NeuralClassifier
    return kind(random_state=seed)


def _of_intervals(intervals: np.ndarray, y: np.ndarray) -> Result:
    """`intervals` (n, 2, n_levels)."""
    lower, upper = intervals[:, 0], intervals[:, 1]
    covered, width = (lower <= y[:, None]) & (y[:, None] <= upper), upper - lower
    widest = np.argsort(-width, axis=0, kind="stable")[: len(y) // 5]
    hardest = np.take_along_axis(covered, widest, axis=0).mean(axis=0)
    return Result(covered.mean(axis=0), width.mean(axis=0), hardest)


def _of_sets(sets: np.ndarray, codes: np.ndarray, probabilities: np.ndarray) -> Result:
    """`sets` (n, n_classes, n_levels), `codes` (n,), `probabilities` (n, n_classes)."""
    covered = sets[np.arange(len(codes)), codes]
    least_sure = np.argsort(probabilities.max(axis=1), kind="stable")[: len(codes) // 5]
    return Result(covered.mean(axis=0), sets.sum(axis=1).mean(axis=0), covered[least_sure].mean(axis=0))


def _own(table: Table, seed: int) -> Result:
    model = _estimator(table, seed).fit(table.X_train, table.y_train)
    if table.task == "regression":
        answers = [model.predict_interval(table.X_test, level) for level in _LEVELS]
        return _of_intervals(np.stack(answers, axis=2), table.y_test)
    answers = np.stack([model.predict_set(table.X_test, level) for level in _LEVELS], axis=2)
    codes = np.searchsorted(model.classes_, table.y_test)
    return _of_sets(answers, codes, model.predict_proba(table.X_test))


def _peer(table: Table, seed: int) -> Result:
    """MAPIE's cross-conformal prediction, 5 fits."""
    settings: dict[str, Any] = {"confidence_level": list(_LEVELS), "random_state": seed}
    if table.task == "regression":
        from mapie.regression import CrossConformalRegressor
        from sklearn.model_selection import KFold

        folds = KFold(5, shuffle=True, random_state=seed)
        peer = CrossConformalRegressor(_estimator(table, seed), cv=folds, **settings)
        _, intervals = peer.fit_conformalize(table.X_train, table.y_train).predict_interval(table.X_test)
        return _of_intervals(intervals, table.y_test)
    from mapie.classification import CrossConformalClassifier
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    peer = CrossConformalClassifier(_estimator(table, seed), cv=folds, **settings)
    peer.fit_conformalize(table.X_train, table.y_train)
    _, sets = peer.predict_set(table.X_test)
    codes = np.searchsorted(np.unique(table.y_train), table.y_test)
    return _of_sets(sets, codes, np.ones(sets.shape[:2]))


def _mean(results: list[Result]) -> Result:
    return Result(*(np.mean(values, axis=0) for values in zip(*results, strict=True)))


def _shown(values: np.ndarray) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _print_bars(task: str, found: list[Result], ratios: list[np.ndarray]) -> None:
    means, levels = _mean(found), np.array(_LEVELS)
    worst = np.min([result.coverage for result in found], axis=0) - levels
    print(f"\n{task}: mean coverage {_shown(means.coverage)}; furthest below the level: {_shown(worst)}")
    if ratios:
        print(f"size in units of MAPIE's: {_shown(np.mean(ratios, axis=0))}, mean of the levels {np.mean(ratios):.3f}")
    if task == "regression":
        print(f"widest fifth: {_shown(means.hardest)}")
    met = {
        "coverage": bool((np.abs(means.coverage - levels) <= 0.01).all()),
        "each table": bool((worst >= -0.03).all()),
        "size": bool(np.mean(ratios) <= 1) if ratios else None,
        "widest fifth": bool((np.abs(means.hardest - levels) <= 0.04).all()) if task == "regression" else None,
    }
    print("; ".join(f"{name}: {'met' if is_met else 'missed'}" for name, is_met in met.items() if is_met is not None))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each table, and the bars."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--peer", action="store_true", help="compare with MAPIE")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    found: dict[str, list[Result]] = {}
    ratios: dict[str, list[np.ndarray]] = {}
    print(f"{'table':26} {'coverage':17} {'size':23} {'hardest fifth':17} {'size / MAPIE':17} MAPIE coverage")
    for table in suite_tables(given.data, given.tables):
        own, peers = [], []
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            split = _split_again(table, seed, given.rows)
            own.append(_own(split, seed))
            if given.peer:
                peers.append(_peer(split, seed))
        mean = _mean(own)
        found.setdefault(table.task, []).append(mean)
        sizes = " ".join(f"{size:7.4g}" for size in mean.size)
        row = f"{table.name:26} {_shown(mean.coverage)} {sizes} {_shown(mean.hardest)}"
        if peers:
            peer = _mean(peers)
            ratios.setdefault(table.task, []).append(mean.size / peer.size)
            row += f" {_shown(mean.size / peer.size)} {_shown(peer.coverage)}"
        print(row, flush=True)
    for task, results in found.items():
        _print_bars(task, results, ratios.get(task, []))
    return 0


if __name__ == "__main__":
    sys.exit(main())
