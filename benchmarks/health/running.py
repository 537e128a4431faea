"""One training run: its findings, and the skill on held-out rows."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet

from sknn.callbacks import GradientHealth

from .case import Case, Table, Task

__all__ = ["Outcome", "Sighting", "run"]

_SMALLEST = 1e-7


@dataclass(frozen=True)
class Sighting:
    """A finding, in words."""

    symptom: str
    layer: str
    epoch: int
    evidence: str

    def __str__(self) -> str:
        return f"{self.symptom} (epoch {self.epoch}, {self.layer}: {self.evidence})"


@dataclass(frozen=True)
class Outcome:
    """The result of a training run.

    Parameters
    ----------
    findings : list of Sighting
    status : str
        ``health_.status``; empty if there is no record.
    skill : float
        1 - loss / loss of the best constant; -inf if predictions are not finite or there are none.
    n_repairs : int
    error : str
        What fit raised; empty if nothing.
    predictions : ndarray or None
    seconds : float
    """

    findings: list[Sighting]
    status: str
    skill: float
    n_repairs: int
    error: str
    predictions: np.ndarray | None
    seconds: float

    @property
    def symptoms(self) -> frozenset[str]:
        """Names found."""
        return frozenset(finding.symptom for finding in self.findings)


def run(case: Case, seed: int, mode: str | None, *, good: bool = False) -> Outcome:
    """Train.

    Parameters
    ----------
    case : Case
    seed : int
    mode : {"warn", "repair"} or None
        ``gradient_health``; None turns it off.
    good : bool
        The same task, set up well, instead.
    """
    torch.manual_seed(seed)  # for the cases whose module is made here, and for skorch's own nets
    np.random.seed(seed)
    task = case.good(seed) if good else case.make(seed)
    torch.manual_seed(seed)
    model, plain = task.model, isinstance(task.model, NeuralNet)
    if plain and mode is not None:
        model.set_params(callbacks=[("health", GradientHealth())])
    elif not plain:
        model.set_params(gradient_health=mode)
    started = time.perf_counter()
    error: Exception | None = None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model.fit(task.table.X, task.table.y, **task.table.fit)
        except Exception as raised:  # any way to fail is a result of the benchmark
            error = raised
        seconds = time.perf_counter() - started
        predictions = None if error is not None and not plain else _predictions(task)
    health = None if mode is None else _health(model, plain, error)
    return Outcome(
        findings=_findings(health),
        status="" if health is None else health.status,
        skill=_skill(task.table, predictions),
        n_repairs=int(getattr(model, "n_repairs_", 0)),
        error="" if error is None else f"{type(error).__name__}: {error}".split("\n")[0][:300],
        predictions=predictions,
        seconds=seconds,
    )


def _health(model: Any, plain: bool, error: Exception | None) -> Any:
    """The record of training health; None if there is none."""
    health = getattr(error, "health", None)
    if health is None:
        owner = dict(getattr(model, "callbacks_", [])).get("health") if plain else model
        health = getattr(owner, "health_", None)
    return health


def _findings(health: Any) -> list[Sighting]:
    found = [] if health is None else health.findings
    return [Sighting(str(f.symptom), str(f.layer), int(f.epoch or 0), str(f.evidence)) for f in found]


def _predictions(task: Task) -> np.ndarray | None:
    """Probabilities or numbers of the held-out rows; None if there are none."""
    table = task.table
    try:
        values = task.model.predict(table.X_test) if table.task == "real" else task.model.predict_proba(table.X_test)
    except (ValueError, RuntimeError, AttributeError):
        return None
    return np.asarray(values, dtype=np.float64)


def _skill(table: Table, predictions: np.ndarray | None) -> float:
    if predictions is None or not np.isfinite(predictions).all():
        return -np.inf
    y, y_test = np.asarray(table.y), np.asarray(table.y_test)
    if table.task == "real":
        y, y_test = y.reshape(len(y), -1), y_test.reshape(len(y_test), -1)
        if predictions.ndim == 2 and predictions.shape[1] != y.shape[1]:  # quantiles: the one in the middle
            predictions = predictions[:, predictions.shape[1] // 2]
        with np.errstate(over="ignore"):
            loss = np.mean((predictions.reshape(y_test.shape) - y_test) ** 2)
        return float(1 - loss / np.mean((y.mean(0) - y_test) ** 2))
    if table.task == "classes":
        constant = np.bincount(y, minlength=predictions.shape[1]) / len(y)
        sums = predictions.sum(1, keepdims=True)
        shares = predictions / np.where(sums > 0, sums, 1.0)
        own = shares[np.arange(len(y_test)), y_test]
        return float(1 - _log_loss(own) / _log_loss(constant[y_test]))
    own = np.where(y_test == 1, predictions, 1 - predictions)
    constant = np.where(y_test == 1, y.mean(0), 1 - y.mean(0))
    return float(1 - _log_loss(own) / _log_loss(constant))


def _log_loss(probabilities: np.ndarray) -> float:
    return float(-np.log(np.clip(probabilities, _SMALLEST, 1.0)).mean())
