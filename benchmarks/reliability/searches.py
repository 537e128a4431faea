"""Searches with a folder of checkpoints: what they cost, how large their files are, and what is left after a kill."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any, cast

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.model_selection import GridSearchCV

from sknn import NeuralClassifier
from sknn.modules import MLP, TabM

from ._figures import Figure

__all__ = ["measure"]

_N_KILLS, _N_ROUNDS = 30, 5
_IN_WORKERS = 5  # every fifth search that is killed runs its fits in two processes
_N_FITS = 12
# Short fits, of which a checkpoint costs the largest share.
_MODELS: dict[str, dict[str, Any]] = {
    "TabM, 10 epochs": dict(module=TabM, max_epochs=10),
    "MLP, 50 epochs": dict(module=MLP, max_epochs=50),
}


def _tables(data: Path, seed: int) -> dict[str, tuple[Any, Any]]:
    adult = pd.read_parquet(data / "adult.parquet").sample(4000, random_state=seed).reset_index(drop=True)
    return {
        "breast cancer, 569 x 30": load_breast_cancer(return_X_y=True),
        "made, 1,000 x 20": make_classification(1000, 20, n_informative=8, random_state=seed),
        "adult, 4,000 x 14": (adult.drop(columns=["target", "split"]), adult["target"].to_numpy()),
    }


def _search(params: dict[str, Any], X: Any, y: Any, folder: str | None) -> tuple[float, np.ndarray]:
    """CPU seconds of a search on one thread, and its scores."""
    model = NeuralClassifier(**params, random_state=0, checkpoint=folder)
    search = GridSearchCV(model, {"lr": [1e-3, 3e-3]}, cv=3)
    started = time.process_time()
    search.fit(X, y)
    return time.process_time() - started, search.cv_results_["mean_test_score"]


def _cost(seed: int, data: Path, share: float) -> list[Figure]:
    """Time of searches with a folder, relative to those without, and sizes of files."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    ratios, sizes, failures = {}, {}, []
    for table, (X, y) in _tables(data, seed).items():
        for name, params in _MODELS.items():
            what = f"{table}, {name}"
            pairs = []
            for i in range(1 + max(1, round(_N_ROUNDS * share))):
                with tempfile.TemporaryDirectory() as folder:
                    seconds = {}
                    for place in (None, folder) if i % 2 else (folder, None):
                        seconds[place], scores = _search(params, X, y, place)
                    again, recalled = _search(params, X, y, folder)
                    if i:  # the first round imports what is needed
                        pairs.append((seconds[None], seconds[folder], again))
                    if not np.array_equal(scores, recalled):
                        failures.append(f"{what}: other scores when recalled")
            without, with_folder, again = (median(times) for times in zip(*pairs, strict=True))
            ratios[what] = with_folder / without
            with tempfile.TemporaryDirectory() as folder:
                model = NeuralClassifier(**params, random_state=0, checkpoint=folder).fit(X, y)
                (path,) = Path(folder).iterdir()
                stored = path.stat().st_size
                joblib.dump(model, Path(folder) / "joblib")
                sizes[what] = stored / (Path(folder) / "joblib").stat().st_size
            print(
                f"{what}: {without:.2f} s without, {with_folder:.2f} s with a folder (ratio {ratios[what]:.3f}), "
                f"{again:.2f} s when recalled; file {stored:,} bytes, {sizes[what]:.3f} of joblib",
                flush=True,
            )
    worst = max(ratios.values())
    largest = max(sizes.values())
    return [
        Figure(
            "search with a folder, CPU time relative to one without",
            f"{min(ratios.values()):.3f} to {worst:.3f}",
            "<= 1.05",
            worst <= 1.05 and not failures,
            failures,
        ),
        Figure("file of a finished fit relative to joblib", f"at most {largest:.3f}", "<= 1.2", largest <= 1.2, []),
    ]


# ---------------------------------------------------------------------- kills


def _search_digits(folder: str | None, result: Path, n_jobs: int) -> None:
    """Search, and write ``cv_results_`` except the times: in a process of its own."""
    os.setsid()  # leader of a process group, to which its workers belong
    torch.set_num_threads(1)
    X, y = load_digits(return_X_y=True)
    model = NeuralClassifier(
        MLP, max_epochs=20, early_stopping=False, random_state=0, checkpoint_every_epochs=5, checkpoint=folder
    )
    grid = {"lr": [1e-3, 1e-2], "module__dropout": [0.0, 0.2]}
    search = GridSearchCV(model, grid, cv=3, n_jobs=n_jobs, refit=False, return_train_score=True)
    search.fit(X[:600], y[:600])
    columns = {name: list(map(str, column)) for name, column in search.cv_results_.items() if "time" not in name}
    partial = result.with_suffix(".partial")
    partial.write_text(json.dumps(columns))
    partial.rename(result)


def _run(folder: str | None, result: Path, n_jobs: int, kill_after: float | None = None) -> bool:
    """Whether it ended by itself; if not, it was killed, and its workers with it."""
    # Forked, so that a run costs no import; the parent never computes on several threads.
    process = multiprocessing.get_context("fork").Process(target=_search_digits, args=(folder, result, n_jobs))
    process.start()
    process.join(timeout=kill_after)
    killed = process.is_alive()
    if killed:
        with contextlib.suppress(ProcessLookupError):  # killed before it had a group
            os.killpg(cast(int, process.pid), signal.SIGKILL)
        process.kill()
        process.join()
    return not killed


def _stored(folder: Path) -> set[tuple[str, int]]:
    return {(path.name, path.stat().st_mtime_ns) for path in folder.glob("*.ckpt")}


def _kills(seed: int, share: float) -> list[Figure]:
    """Kill, run again, compare with a search that was not interrupted."""
    rng = random.Random(seed)
    n_kills = max(1, round(_N_KILLS * share))
    failures: list[str] = []
    n_equal = n_recalled = n_killed = n_tried = 0
    with tempfile.TemporaryDirectory() as name:
        result, started = Path(name, "result"), time.perf_counter()
        _run(None, result, 1)
        unbroken, duration = result.read_bytes(), time.perf_counter() - started
        while n_killed < n_kills and n_tried < 3 * n_kills:
            n_tried += 1
            n_jobs = 2 if n_tried % _IN_WORKERS == 0 else 1
            folder, after_s = Path(name, f"fits-{n_tried}"), rng.uniform(0.0, duration)
            folder.mkdir()
            if _run(str(folder), result, n_jobs, after_s):
                continue
            n_killed += 1
            before = _stored(folder)
            result.unlink(missing_ok=True)
            _run(str(folder), result, 1)
            n_recalled += len(before & _stored(folder))
            if result.exists() and result.read_bytes() == unbroken:
                n_equal += 1
            else:
                failures.append(f"killed after {after_s:.2f} s, n_jobs={n_jobs}: other results than without a break")
    measured = f"{n_equal} of {n_killed}; {n_recalled} of {n_killed * _N_FITS} fits were recalled"
    met = n_equal == n_killed == n_kills
    return [
        Figure(
            "searches killed and run again: `cv_results_` as without a break", measured, f"all {n_kills}", met, failures
        )
    ]


def measure(seed: int, data: Path, share: float) -> list[Figure]:
    """Cost, size, and results after kills."""
    return [*_cost(seed, data, share), *_kills(seed, share)]
