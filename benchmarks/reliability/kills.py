"""Fits with a checkpoint, killed at random moments by SIGKILL, and run again until they end: the same bits?"""

from __future__ import annotations

import hashlib
import multiprocessing
import pickle
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP, FTTransformer, ResNet

from ._figures import Figure

__all__ = ["measure"]

_RUNS = 100
# A run is killed once at least, up to so many times, then left alone.
_MOST_KILLS = 4


class Counting(nn.Module):
    """A module of a user, with dropout, batch norm, and a number that is no tensor."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.n_calls = 0
        self.layers = nn.Sequential(
            nn.Linear(in_features, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, out_features)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.n_calls += self.training
        return self.layers(x) * (1 + 1e-3 * (self.n_calls % 7 if self.training else 0))


_SETTINGS: dict[str, dict[str, Any]] = {
    "default": dict(max_epochs=25),
    "MLP, no validation": dict(module=MLP, module_params={"dropout": 0.1}, max_epochs=60, early_stopping=False),
    "average": dict(module=MLP, ema_decay=0.95, max_epochs=60),
    "SGD with momentum, module of a user": dict(
        module=Counting, optimizer=torch.optim.SGD, optimizer_params={"momentum": 0.9}, lr=0.02, max_epochs=60
    ),
    "plateau": dict(module=ResNet, lr_schedule="plateau", max_epochs=30),
    "attention, OneCycleLR": dict(
        module=FTTransformer, lr_schedule=torch.optim.lr_scheduler.OneCycleLR, max_epochs=6
    ),
    "repaired": dict(module=Counting, lr=1e-7, gradient_health="repair", max_epochs=40),
    "regressor": dict(module=MLP, criterion="huber", max_epochs=60),
}  # fmt: skip


def _data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(800, 8))
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, (np.nan_to_num(X[:, 0] * X[:, 1]) + 0.5 * rng.normal(size=800) > 0).astype(int)


def _fit(setting: str, seed: int, checkpoint: Path | None, result: Path) -> None:
    """Fit, and write what came of it: in a process of its own."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    X, y = _data(seed)
    estimator = NeuralRegressor if setting == "regressor" else NeuralClassifier
    model = estimator(**_SETTINGS[setting], random_state=seed, checkpoint=checkpoint, checkpoint_every_epochs=1)
    model.fit(X, y)
    bits = hashlib.sha256()
    for tensor in model.module_.state_dict().values():
        bits.update(tensor.numpy().tobytes())
    bits.update(model.predict(X).tobytes())
    found = (bits.hexdigest(), model.loss_curve_, model.validation_scores_, model.best_epoch_, str(model.health_))
    partial = result.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(found))
    partial.rename(result)


def _run(setting: str, seed: int, checkpoint: Path | None, result: Path, kill_after: float | None) -> bool:
    """Whether it ended by itself."""
    # Forked, so that a run costs no import; the parent never computes on several threads.
    process = multiprocessing.get_context("fork").Process(target=_fit, args=(setting, seed, checkpoint, result))
    process.start()
    process.join(timeout=kill_after)
    killed = process.is_alive()
    if killed:
        process.kill()
        process.join()
    return not killed


def measure(seed: int, data: Path, share: float) -> list[Figure]:
    """Runs that end with the bits of an unbroken one."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    n_runs, n_kills, n_after_writing = max(1, round(share * _RUNS)), 0, 0
    failures = []
    references: dict[tuple[str, int], tuple[bytes, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for i in range(n_runs):
            key = setting, task_seed = list(_SETTINGS)[i % len(_SETTINGS)], i // len(_SETTINGS) % 3
            if key not in references:
                started = time.perf_counter()
                _run(setting, task_seed, None, folder / "reference", None)
                references[key] = (folder / "reference").read_bytes(), time.perf_counter() - started
            reference, seconds = references[key]
            checkpoint, result = folder / f"{i}.ckpt", folder / f"{i}.result"
            n_wanted, n_done = int(rng.integers(1, _MOST_KILLS + 1)), 0
            while n_done < n_wanted:
                if not _run(setting, task_seed, checkpoint, result, float(rng.uniform(0, seconds))):
                    n_done += 1
                    n_after_writing += checkpoint.exists()
                elif n_done:
                    break
                else:  # it was quicker than the kill: once more from the start
                    for path in (checkpoint, checkpoint.with_name(checkpoint.name + ".previous"), result):
                        path.unlink(missing_ok=True)
            n_kills += n_done
            if not result.exists():
                _run(setting, task_seed, checkpoint, result, None)
            if not result.exists() or result.read_bytes() != reference:
                failures.append(
                    f"{setting}, seed {task_seed}, run {i}: {'other bits' if result.exists() else 'no end'}"
                )
    n_same = n_runs - len(failures)
    measured = f"{n_same} of {n_runs} the same bits ({n_kills} kills, {n_after_writing} of them after a checkpoint)"
    return [Figure("fits killed at random, resumed", measured, "all", not failures, failures)]
