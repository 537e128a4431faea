"""NeuralRanker's defaults beside LightGBM, XGBoost and CatBoost, with their defaults and tuned.

    python -m benchmarks.modalities.ranking --data ../shared/data_modalities [--seeds 3] [--models sknn,lightgbm]

Tasks: the set "lambdarank" of the folder, and made ones: relevance by a smooth function of columns that are shifted by
the query; relevance by a few thresholds, as of trees; noisy clicks. The measure is NDCG@10. Tuned means the best of
some settings by the NDCG@10 of a quarter of the training queries. The report is printed in Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks._timing import machine, print_table
from sknn import NeuralRanker
from sknn.metrics import ndcg_by_query

__all__ = ["MADE", "PEERS", "RankingTask", "made_task", "main", "ndcg"]


@dataclass(frozen=True)
class RankingTask:
    """X, relevances and queries, split by query."""

    name: str
    X: np.ndarray
    y: np.ndarray
    qid: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    qid_test: np.ndarray


def ndcg(y: np.ndarray, scores: np.ndarray, qid: np.ndarray) -> float:
    """Mean NDCG@10."""
    return float(np.nanmean(ndcg_by_query(y, scores, qid, k=10)))


# ------------------------------------------------------------------ tasks


def _grades(utility: np.ndarray, qid: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """Grades 0, 1, ... by the quantiles of the utility over all queries."""
    return np.searchsorted(np.quantile(utility, shares), utility).astype(np.int64)


def _shifted(rng: np.random.Generator, qid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns are shifted and scaled by the query, and relevance depends on the place within the query."""
    n, n_queries = len(qid), qid.max() + 1
    z = rng.normal(size=(n, 12))
    utility = z[:, 0] + 0.7 * np.sin(2 * z[:, 1]) + 0.5 * z[:, 2] * z[:, 3] + rng.normal(scale=0.7, size=n)
    scale, shift = np.exp(rng.normal(scale=0.5, size=(n_queries, 12))), 2 * rng.normal(size=(n_queries, 12))
    return z * scale[qid] + shift[qid], _grades(utility, qid, (0.5, 0.75, 0.9, 0.97))


def _thresholds(rng: np.random.Generator, qid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Relevance depends on whether columns exceed thresholds, many of them zero most of the time."""
    n = len(qid)
    X = rng.exponential(size=(n, 40)) * (rng.random((n, 40)) < 0.4)
    utility = 1.5 * (X[:, 0] > 0.5) + (X[:, 1] > 0.2) * (X[:, 2] < 0.1) + 0.5 * (X[:, 3:8] > 1).sum(1)
    return X, _grades(utility + rng.normal(scale=0.8, size=n), qid, (0.6, 0.8, 0.93))


def _clicks(rng: np.random.Generator, qid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most a few clicks a query, drawn by the softmax of a smooth utility; the query itself has columns, too."""
    n, n_queries = len(qid), qid.max() + 1
    X = rng.normal(size=(n, 20))
    X[:, 15:] = rng.normal(size=(n_queries, 5))[qid]
    utility = X[:, 0] * X[:, 15] + np.abs(X[:, 1]) + 0.5 * X[:, 2:6].sum(1)
    share = np.exp(1.2 * utility)
    share = 2 * share / np.bincount(qid, weights=share)[qid]
    return X, (rng.random(n) < share).astype(np.int64)


MADE: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "shifted": _shifted, "thresholds": _thresholds, "clicks": _clicks,
}  # fmt: skip


def made_task(name: str, seed: int = 0, n_queries: int = 400) -> RankingTask:
    """A made task of 5 to 40 rows a query; a quarter of the queries are for the test."""
    rng = np.random.default_rng([seed, *name.encode()])
    qid = np.repeat(np.arange(n_queries), rng.integers(5, 41, n_queries))
    X, y = MADE[name](rng, qid)
    test = qid >= 0.75 * n_queries
    return RankingTask(name, X[~test], y[~test], qid[~test], X[test], y[test], qid[test])


def _from_folder(folder: Path) -> RankingTask:
    found = np.load(folder / "lambdarank.npz")
    test = found["test"]
    parts = [found[name].astype(np.int64) if name != "X" else found[name] for name in ("X", "y", "qid")]
    return RankingTask("lambdarank", *(part[~test] for part in parts), *(part[test] for part in parts))


# ------------------------------------------------------------------ models


def _sknn(task: RankingTask, seed: int, **params: Any) -> np.ndarray:
    model = NeuralRanker(random_state=seed, **params).fit(task.X, task.y, qid=task.qid)
    return model.predict(task.X_test, qid=task.qid_test)


def _lightgbm(task: RankingTask, seed: int, **params: Any) -> np.ndarray:
    from lightgbm import LGBMRanker

    model = LGBMRanker(random_state=seed, verbosity=-1, **params)
    return model.fit(task.X, task.y, group=_sizes(task.qid)).predict(task.X_test)


def _xgboost(task: RankingTask, seed: int, **params: Any) -> np.ndarray:
    from xgboost import XGBRanker

    model = XGBRanker(objective="rank:ndcg", random_state=seed, **params)
    return model.fit(task.X, task.y, qid=task.qid).predict(task.X_test)


def _catboost(task: RankingTask, seed: int, **params: Any) -> np.ndarray:
    from catboost import CatBoostRanker

    quiet = {"verbose": False, "allow_writing_files": False}
    model = CatBoostRanker(loss_function="YetiRank", random_seed=seed, **quiet, **params)
    return model.fit(task.X, task.y, group_id=task.qid).predict(task.X_test)


def _sizes(qid: np.ndarray) -> np.ndarray:
    return np.unique(qid, return_counts=True)[1]


PEERS: dict[str, tuple[Callable[..., np.ndarray], list[dict[str, Any]]]] = {
    "lightgbm": (_lightgbm, [
        {"n_estimators": n, "learning_rate": rate, "num_leaves": leaves, "min_child_samples": 20}
        for n, rate in ((100, 0.1), (300, 0.03)) for leaves in (7, 15, 31)
    ]),
    "xgboost": (_xgboost, [
        {"n_estimators": n, "learning_rate": rate, "max_depth": depth}
        for n, rate in ((100, 0.1), (300, 0.03)) for depth in (3, 4, 6)
    ]),
    "catboost": (_catboost, [{"iterations": n, "depth": depth} for n in (300, 1000) for depth in (4, 6)]),
}  # fmt: skip


Model = Callable[..., np.ndarray]


def _tuned(model: Model, settings: list[dict[str, Any]], task: RankingTask, seed: int) -> np.ndarray:
    """Predictions with the setting that ranks a quarter of the training queries best."""
    queries = np.unique(task.qid)
    held_out = np.isin(task.qid, np.random.default_rng(seed).permutation(queries)[: len(queries) // 4])
    part = RankingTask(
        task.name, task.X[~held_out], task.y[~held_out], task.qid[~held_out],
        task.X[held_out], task.y[held_out], task.qid[held_out],
    )  # fmt: skip
    best = max(settings, key=lambda params: ndcg(part.y_test, model(part, seed, **params), part.qid_test))
    return model(task, seed, **best)


def _models(names: list[str]) -> dict[str, Callable[[RankingTask, int], np.ndarray]]:
    models: dict[str, Callable[[RankingTask, int], np.ndarray]] = {"sknn": _sknn}
    for name, (model, settings) in PEERS.items():
        models[name] = model
        models[f"{name} tuned"] = lambda task, seed, m=model, s=settings: _tuned(m, s, task, seed)
    return {name: model for name, model in models.items() if name.split()[0] in names}


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with lambdarank.npz; without it, the made tasks only")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", default="sknn,lightgbm,xgboost,catboost", help="comma-separated")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    tasks = [made_task(name) for name in MADE]
    if args.data is not None:
        tasks.insert(0, _from_folder(args.data))
    models = _models(args.models.split(","))
    scores: dict[str, dict[str, float]] = {name: {} for name in models}
    rows = []
    for task in tasks:
        for name, model in models.items():
            found, seconds = [], []
            for seed in range(args.seeds):
                started, cpu = time.perf_counter(), time.process_time()
                with threadpool_limits(args.threads):
                    predicted = model(task, seed)
                seconds.append((time.perf_counter() - started, time.process_time() - cpu))
                found.append(ndcg(task.y_test, predicted, task.qid_test))
            scores[name][task.name] = statistics.median(found)
            wall, cpu = (statistics.median(part) for part in zip(*seconds, strict=True))
            rows.append([task.name, name, f"{statistics.median(found):.4f}", f"{wall:.1f}", f"{cpu:.1f}"])
            print(*rows[-1], file=sys.stderr, flush=True)
    print(machine())
    print_table(["task", "model", "NDCG@10, median", "fit s", "CPU s"], rows)
    means = {name: statistics.mean(of.values()) for name, of in scores.items()}
    print_table(["model", "mean NDCG@10"], [[name, f"{mean:.4f}"] for name, mean in means.items()])
    peers = [name for name in scores if name != "sknn"]
    if peers and "sknn" in scores:
        gaps = [scores["sknn"][task.name] - max(scores[name][task.name] for name in peers) for task in tasks]
        gap = means["sknn"] - max(means[name] for name in peers)
        print(f"\nsknn's mean - the best peer's mean: {gap:+.4f}")
        print(f"sknn - the best peer of a task, at least: {min(gaps):+.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
