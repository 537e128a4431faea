"""One fit, timed and measured, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.quality.measures import (
    calibration_error,
    clip_probabilities,
    constant_loss,
    log_loss,
    squared_error,
)
from benchmarks.quality.models import MODELS, Setting
from benchmarks.quality.tables import Table, toy_table

__all__ = ["Job", "run_isolated", "run_job", "warm_up"]


@dataclass(frozen=True)
class Job:
    """What to fit.

    Parameters
    ----------
    name : str
        Under which the result is kept.
    model : str
        Key of `MODELS`.
    table : Table
    seed, threads : int
    max_time : float or None
        Seconds.
    params : dict
        Of sknn, other than the defaults.
    """

    name: str
    model: str
    table: Table
    seed: int
    threads: int
    max_time: float | None = None
    params: dict[str, Any] = field(default_factory=dict)


def _build(job: Job, table: Table) -> Any:
    categorical = table.categorical
    setting = Setting(
        task=table.task,
        categorical=categorical,
        numeric=[name for name in table.X_train if name not in categorical],
        seed=job.seed,
        threads=job.threads,
        n_classes=0 if table.task == "regression" else int(table.y_train.max()) + 1,
        max_time=job.max_time,
        params=job.params,
    )
    return MODELS[job.model].build(setting)


def _measures(table: Table, predicted: np.ndarray) -> dict[str, float]:
    """Of predictions, or of probabilities of shape (n_samples, n_classes)."""
    constant = constant_loss(table.task, table.y_train, table.y_test)
    if table.task == "regression":
        loss = squared_error(predicted, table.y_test)
        return {"loss": loss, "skill": 1 - loss / constant}
    probabilities = clip_probabilities(predicted)
    loss = log_loss(probabilities, table.y_test)
    return {
        "loss": loss,
        "skill": 1 - loss / constant,
        "accuracy": float((probabilities.argmax(axis=1) == table.y_test).mean()),
        "ece": calibration_error(probabilities, table.y_test),
    }


def _fit_and_predict(job: Job, table: Table) -> tuple[np.ndarray, float, float]:
    """Predictions, and the seconds of fit and prediction."""
    # Standard output is the report's; some libraries print to it.
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr), threadpool_limits(job.threads):
        if job.model != "sknn":  # what a peer warns of, not to have converged for instance, its defaults answer for
            warnings.simplefilter("ignore")
        model = _build(job, table)
        if "torch" in sys.modules:  # not imported here: it would count as memory of models that do without
            sys.modules["torch"].set_num_threads(job.threads)
        started = time.perf_counter()
        model.fit(table.X_train, table.y_train)
        fitted = time.perf_counter()
        predict = model.predict if table.task == "regression" else model.predict_proba
        predicted = predict(table.X_test)
        return predicted, fitted - started, time.perf_counter() - fitted


_warm: set[tuple[str, str]] = set()


def warm_up(job: Job) -> None:
    """Fit the model on a few rows, once a process and task.

    What libraries load and threads they start on first use would else be a part of the first table's seconds.
    """
    if (job.model, job.table.task) not in _warm:
        _fit_and_predict(job, toy_table(job.table.task))
        _warm.add((job.model, job.table.task))


def run_job(job: Job) -> dict[str, Any]:
    """Fit and measure, in this process.

    Raises
    ------
    ValueError
        If the loss is not finite.
    """
    warm_up(job)
    predicted, fit_s, predict_s = _fit_and_predict(job, job.table)
    record = {"model": job.name, "data": job.table.name, "seed": job.seed, "threads": job.threads}
    if job.max_time is not None:
        record["max_time"] = job.max_time
    record |= {**_measures(job.table, predicted), "fit_s": fit_s, "predict_s": predict_s}
    if not np.isfinite(record["loss"]):
        raise ValueError(f"{job.name} on {job.table.name}: the loss is {record['loss']}, expected a finite one")
    return record


def run_isolated(job: Job) -> dict[str, Any]:
    """The same in a process of its own, with its memory.

    The record has two entries more, in MiB: ``memory_mib``, the peak of the process with its libraries, and
    ``memory_increase_mib``, by how much the table's fit and predictions raised the peak of a first fit on a few rows.

    Raises
    ------
    RuntimeError
        If the process fails; its own message is on stderr.
    """
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "benchmarks.quality.isolated"]
    done = subprocess.run(command, input=pickle.dumps(job), stdout=subprocess.PIPE, cwd=root, check=False)
    if done.returncode:
        raise RuntimeError(f"{job.name} on {job.table.name}: the process ended with {done.returncode}")
    # Libraries may have printed before.
    return json.loads(done.stdout.decode().splitlines()[-1])
