"""The same function in this process or another one, alone or beside others."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import joblib

from ._fits import digest

__all__ = ["PLACES", "main"]

Job = tuple[str, tuple[str, ...]]  # a case and its settings


def here(jobs: Sequence[Job]) -> list[str]:
    """One after another."""
    return [_digest(job) for job in jobs]


def _digest(job: Job) -> str:
    """An error is a digest, too: one that equals no other."""
    try:
        return digest(job[0], tuple(job[1]))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _in_pool(method: str) -> Callable[[Sequence[Job]], list[str]]:
    def run(jobs: Sequence[Job]) -> list[str]:
        with multiprocessing.get_context(method).Pool(1) as pool:
            return pool.map(_digest, jobs, chunksize=len(jobs))

    return run


def _with_joblib(**kwargs: Any) -> Callable[[Sequence[Job]], list[str]]:
    def run(jobs: Sequence[Job]) -> list[str]:
        return joblib.Parallel(**kwargs)(joblib.delayed(_digest)(job) for job in jobs)

    return run


def _interpreter(before: str = "", **environment: str) -> Callable[[Sequence[Job]], list[str]]:
    def run(jobs: Sequence[Job]) -> list[str]:
        script = f"{before}\nfrom benchmarks.reliability._processes import main\nmain()"
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=json.dumps(jobs),
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            check=False,
        )
        if done.returncode:
            return [f"exit {done.returncode}: {done.stderr.strip()[-300:]}"] * len(jobs)
        return json.loads(done.stdout.splitlines()[-1])

    return run


def _beside_other_fits(jobs: Sequence[Job]) -> list[str]:
    """Another thread fits other things all the while."""
    over = threading.Event()

    def others() -> None:
        while not over.is_set():
            _digest(("TabM, NeuralRegressor, whole, numbers", ()))

    thread = threading.Thread(target=others)
    thread.start()
    try:
        return here(jobs)
    finally:
        over.set()
        thread.join()


PLACES: dict[str, Callable[[Sequence[Job]], list[str]]] = {
    "here": here,
    "order reversed": lambda jobs: here(jobs[::-1])[::-1],
    "fork": _in_pool("fork"),
    "spawn": _in_pool("spawn"),
    "loky, n_jobs=2": _with_joblib(n_jobs=2, backend="loky"),
    "threads, n_jobs=2": _with_joblib(n_jobs=2, backend="threading"),
    "beside other fits": _beside_other_fits,
    "PYTHONHASHSEED=1": _interpreter(PYTHONHASHSEED="1"),
    "PYTHONHASHSEED=2, OMP_NUM_THREADS=1": _interpreter(PYTHONHASHSEED="2", OMP_NUM_THREADS="1"),
    "OMP_NUM_THREADS=4": _interpreter(OMP_NUM_THREADS="4"),
    "warm imports": _interpreter("import torch._dynamo, scipy.stats, sklearn.ensemble, pandas, polars"),
}


def main() -> None:
    """Jobs from standard input, digests to standard output."""
    print(json.dumps(here(json.load(sys.stdin))))
