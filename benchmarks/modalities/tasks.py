"""The tasks: a folder of real ones, others made of these, scikit-learn's digits, and artificial images."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

__all__ = ["Task", "all_tasks"]

_N_SPEAKERS = 3  # of fsdd_dev, whose recordings are in the order digit, speaker, number


@dataclass(frozen=True)
class Task:
    """One task, split.

    Parameters
    ----------
    name : str
    kind : {"text", "images", "sequences", "audio", "sensors"}
    X_train, X_test
        As a user hands them to the estimators.
    y_train, y_test : ndarray
        Classes, or numbers (n_samples, n_outputs) for sensors.
    sampling_rate : int or None
        Of audio, in Hz.
    """

    name: str
    kind: str
    X_train: Any
    y_train: np.ndarray
    X_test: Any
    y_test: np.ndarray
    sampling_rate: int | None = None

    @property
    def is_regression(self) -> bool:
        """Whether the target are numbers, measured by R2."""
        return self.kind == "sensors"

    def flattened(self) -> Task:
        """Each row as one row of a table; rows of unequal shape cannot be flattened."""
        return replace(self, X_train=_flat(self.X_train), X_test=_flat(self.X_test))


def _flat(X: Any) -> np.ndarray:
    array = np.asarray(X)
    return array.reshape(len(array), -1).astype(np.float32)


def _pick(rows: list[Any], chosen: np.ndarray) -> list[Any]:
    return [row for row, is_chosen in zip(rows, chosen, strict=True) if is_chosen]


def _text(path: Path, name: str) -> Task:
    table = pd.read_parquet(path.with_suffix(".parquet"))
    train, test = (table[table["split"] == split] for split in ("train", "test"))
    return Task(
        name, "text", list(train["text"]), train["target"].to_numpy(), list(test["text"]), test["target"].to_numpy()
    )


def _images(path: Path, name: str) -> Task:
    with np.load(path.with_suffix(".npz")) as file:
        X, y, test = file["X"], file["y"], file["test"]
    return Task(name, "images", X[~test], y[~test], X[test], y[test])


def _ragged(path: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Rows of any length, their classes, and whether each is a test row."""
    with np.load(path.with_suffix(".npz")) as file:
        values, offsets, y, test = file["values"], file["offsets"], file["y"], file["test"]
    return [values[a:b] for a, b in pairwise(offsets)], y, test


def _sequences(path: Path, name: str) -> Task:
    rows, y, test = _ragged(path)
    rows = [np.ascontiguousarray(row.T, np.float32) for row in rows]  # (channels, time)
    train_rows, test_rows = _pick(rows, ~test), _pick(rows, test)
    if len({row.shape for row in rows}) == 1:
        return Task(name, "sequences", np.stack(train_rows), y[~test], np.stack(test_rows), y[test])
    return Task(name, "sequences", train_rows, y[~test], test_rows, y[test])


def _audio(path: Path, name: str, sampling_rate: int) -> Task:
    rows, y, test = _ragged(path)
    return Task(name, "audio", _pick(rows, ~test), y[~test], _pick(rows, test), y[test], sampling_rate)


def _unseen_speaker(path: Path, speaker: int, sampling_rate: int) -> Task:
    """All recordings of one speaker are the test rows, and those of the others the training rows."""
    rows, y, _ = _ragged(path)
    is_test = np.zeros(len(y), bool)
    for label in np.unique(y):
        by_speaker = np.array_split(np.flatnonzero(y == label), _N_SPEAKERS)
        is_test[by_speaker[speaker]] = True
    name = f"unseen_speaker_{speaker}"
    return Task(name, "audio", _pick(rows, ~is_test), y[~is_test], _pick(rows, is_test), y[is_test], sampling_rate)


def _sensors(path: Path, name: str, window: int) -> Task:
    """Windows (channels, time), the action at the end of each; windows across the border of the split are left out."""
    with np.load(path.with_suffix(".npz")) as file:
        sensors, actions, test = file["sensors"], file["actions"], file["test"]
    windows = np.lib.stride_tricks.sliding_window_view(sensors, window, axis=0)
    share = np.lib.stride_tricks.sliding_window_view(test, window).mean(axis=1)
    X, y = np.ascontiguousarray(windows, np.float32), actions[window - 1 :].astype(np.float64)
    return Task(name, "sensors", X[share == 0], y[share == 0], X[share == 1], y[share == 1])


def _digits() -> Task:
    digits = load_digits()
    X, y = digits.images.astype(np.uint8), digits.target
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    return Task("load_digits", "images", X_train, y_train, X_test, y_test)


def _colour_images(n_train: int = 10_000, n_test: int = 2_000) -> Task:
    """Ten kinds of blobs in noise, 32 x 32 in colour: for the time that such images take, more than for accuracy."""
    rng = np.random.default_rng(0)
    n = n_train + n_test
    y = rng.integers(10, size=n)
    height, width = np.mgrid[:32, :32]
    images = rng.normal(128, 30, size=(n, 32, 32, 3))
    for i, label in enumerate(y):
        row, column = rng.integers(8, 24, size=2)
        # The class is the frequency and the direction of the waves.
        angle = np.pi * (label % 5) / 5 + rng.normal(0, 0.1)
        wave = np.cos((0.5 + 0.6 * (label // 5)) * (np.cos(angle) * (width - column) + np.sin(angle) * (height - row)))
        spot = np.exp(-((height - row) ** 2 + (width - column) ** 2) / 60)
        images[i] += (60 * wave * spot)[..., None] * rng.uniform(-1, 1, size=3)
    X = images.clip(0, 255).astype(np.uint8)
    return Task("colour_images", "images", X[:n_train], y[:n_train], X[n_train:], y[n_train:])


def all_tasks(folder: Path) -> Iterator[tuple[str, Callable[[], Task]]]:
    """Name of each task, and what loads it."""
    for name, about in json.loads((folder / "tasks.json").read_text()).items():
        path, kind = folder / name, about["modality"]
        if kind == "text":
            yield name, lambda path=path, name=name: _text(path, name)
        elif kind == "images":
            yield name, lambda path=path, name=name: _images(path, name)
        elif kind == "sequences":
            yield name, lambda path=path, name=name: _sequences(path, name)
        elif kind == "audio":
            rate = about["rate"]
            yield name, lambda path=path, name=name, rate=rate: _audio(path, name, rate)
            for speaker in range(_N_SPEAKERS):
                yield (
                    f"unseen_speaker_{speaker}",
                    lambda path=path, speaker=speaker, rate=rate: _unseen_speaker(path, speaker, rate),
                )
        elif kind == "sensors":
            window = about["window"]
            yield name, lambda path=path, name=name, window=window: _sensors(path, name, window)
    yield "load_digits", _digits
    yield "colour_images", _colour_images
