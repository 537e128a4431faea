"""Fitted models and their files, shared by the tests of `sknn.save` and `sknn.load`; tests must not change them."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_iris
from skorch.callbacks import EpochScoring, LRScheduler
from torch import nn

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import EarlyStopping, GradientClipping
from sknn.exceptions import FileError
from sknn.modules import MLP, FTTransformer, HalfSine, ResNet, TabM

__all__ = [
    "CASES", "FEW", "NUMBERS", "SMALL", "SMALL_TABM", "X", "Y", "check_refused", "classifier", "fitted", "regressor", "saved",
]  # fmt: skip

X, Y = load_iris(return_X_y=True)
RNG = np.random.default_rng(0)
NUMBERS = X[:, 0] * 3.0 - X[:, 1]
FEW = {"max_epochs": 2, "random_state": 0}
SMALL = {"module_params": {"hidden_sizes": (8,)}, **FEW}
TINY_TABM = {"width": 8, "n_members": 2, "n_blocks": 1, "n_bins": 4}
SMALL_TABM = {"module": TabM, "module_params": TINY_TABM, "n_networks": 1, **FEW}


def classifier(**params):
    return NeuralClassifier(MLP, **{**SMALL, **params})


def regressor(**params):
    return NeuralRegressor(MLP, **{**SMALL, **params})


def mixed(n: int = 240) -> tuple[pd.DataFrame, np.ndarray]:
    frame = pd.DataFrame(
        {
            "number": RNG.normal(1e9, 50.0, n),
            "word": RNG.choice(["red", "blue", None], n),
            "flag": RNG.random(n) > 0.5,
            "when": pd.Timestamp("2020-02-29") + pd.to_timedelta(RNG.integers(0, 10_000, n), unit="h"),
            "level": pd.Categorical(RNG.integers(0, 3, n)),
            "gap": np.where(RNG.random(n) > 0.8, np.nan, RNG.random(n)),
        }
    )
    return frame, np.where(frame["word"].eq("red") ^ (frame["gap"] > 0.4), "yes", "no")


FRAME, LABELS = mixed()
WORDED = FRAME[["number", "when"]].assign(
    note=[
        " ".join(RNG.choice(["the", "brown", "fox", "jumps", "over", "lazy", "dog", "für", "日本"], 6))
        for _ in range(len(FRAME))
    ],
    gap=FRAME["when"].mask(FRAME["gap"].isna()),
)
SPELLED = FRAME[["number"]].assign(job=[f"the worker {i if i % 2 else 7}" for i in range(len(FRAME))])
SPARSE = sparse.csr_array(sparse.random(120, 50, density=0.2, random_state=0, format="csr"))
IMAGES = RNG.normal(size=(60, 1, 6, 6)).astype(np.float32)


def conv() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2))


CASES = {
    "mixed table": lambda: (NeuralClassifier(**SMALL_TABM), FRAME, LABELS),
    "polars": lambda: (NeuralClassifier(MLP, **FEW), pl.DataFrame(FRAME.drop(columns="level")), LABELS),
    "iris, integers": lambda: (NeuralClassifier(**FEW), X, Y),
    "int8 classes": lambda: (NeuralClassifier(MLP, **FEW), X, (Y - 5).astype(np.int8)),
    "boolean classes": lambda: (NeuralClassifier(MLP, **FEW), X, Y > 0),
    "float classes": lambda: (NeuralClassifier(MLP, **FEW), X, Y * 2.0),
    "object classes": lambda: (NeuralClassifier(MLP, **FEW), X, np.array(["ä", "b\x00c", "\u2603"], dtype=object)[Y]),
    "multilabel": lambda: (NeuralClassifier(MLP, **FEW), X, np.stack([Y == 1, Y > 0], axis=1).astype(int)),
    "one committee": lambda: (NeuralClassifier(**{**SMALL_TABM, "n_networks": 3}), X, Y),
    "sparse": lambda: (NeuralClassifier(**SMALL_TABM), SPARSE, Y[:120] > 0),
    "sparse untouched": lambda: (NeuralRegressor(MLP, preprocessing=False, **FEW), SPARSE, NUMBERS[:120]),
    "regressor": lambda: (NeuralRegressor(**SMALL_TABM), X, NUMBERS),
    "large mean": lambda: (NeuralRegressor(MLP, **FEW), X, NUMBERS + 1e9),
    "two outputs": lambda: (NeuralRegressor(MLP, **FEW), X, np.stack([NUMBERS, -NUMBERS], axis=1)),
    "quantiles": lambda: (NeuralRegressor(MLP, criterion="quantile", criterion_params={"quantile": [0.9, 0.1]}, **FEW), X, NUMBERS),
    "poisson": lambda: (NeuralRegressor(MLP, criterion="poisson", **FEW), X, Y * 1.0),
    "untouched": lambda: (NeuralRegressor(MLP, preprocessing=False, **FEW), X, NUMBERS),
    "torch's loss": lambda: (
        NeuralClassifier(MLP, criterion=nn.CrossEntropyLoss, criterion_params={"weight": torch.tensor([1.0, 2.0, 3.0])}, **FEW), X, Y),
    "loss instance": lambda: (NeuralClassifier(MLP, criterion=nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0])), **FEW), X, Y > 0),
    "images": lambda: (NeuralClassifier(conv(), **FEW), IMAGES, Y[20:80] > 0),
    "lazy layers": lambda: (NeuralClassifier(nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.LazyLinear(3)), **FEW), X, Y),
    "nested layers": lambda: (
        NeuralClassifier(nn.Sequential(nn.Sequential(nn.Linear(4, 6, bias=False), nn.GELU("tanh")), nn.Dropout(0.3),
                                       nn.LayerNorm(6, eps=1e-3), nn.Linear(6, 3)), **FEW), X, Y),
    "ft": lambda: (NeuralClassifier(FTTransformer, module_params={"n_blocks": 1}, **FEW), FRAME, LABELS),
    "half_sine": lambda: (NeuralClassifier(TabM, module_params={"activation": HalfSine}, **FEW), FRAME, LABELS),
    "resnet": lambda: (NeuralClassifier(ResNet, module_params={"activation": nn.SiLU}, **FEW), FRAME, LABELS),
    "texts and dates": lambda: (NeuralClassifier(**SMALL_TABM), WORDED, LABELS),
    "many spellings": lambda: (NeuralClassifier(**SMALL_TABM), SPELLED, LABELS),
    "linear class": lambda: (NeuralClassifier(nn.Linear, **FEW), X, Y),
    "optimizer and schedule": lambda: (
        NeuralClassifier(MLP, optimizer=torch.optim.SGD, optimizer_params={"momentum": 0.9}, lr=0.01,
                         lr_schedule=torch.optim.lr_scheduler.StepLR, lr_schedule_params={"step_size": 3}, **FEW), X, Y),
    "callbacks": lambda: (
        NeuralClassifier(MLP, callbacks=[EarlyStopping(patience=3), GradientClipping(max_norm=2.0), EpochScoring("accuracy", lower_is_better=False),
                                         LRScheduler("StepLR", step_size=2)], early_stopping=True, **FEW), X, Y),
    "repaired": lambda: (NeuralClassifier(MLP, preprocessing=False, gradient_health=None, class_weight={0: 1.0, 1: 2.0, 2: 1.5}, **FEW), X, Y),
    "generator": lambda: (NeuralClassifier(MLP, max_epochs=2, random_state=np.random.RandomState(3)), X, Y),
}  # fmt: skip


@functools.cache
def fitted(name):
    """Model, table and target of a case."""
    model, table, y = CASES[name]()
    return model.fit(table, y), table, y


@functools.cache
def saved(name) -> bytes:
    """The file of a case."""
    with tempfile.TemporaryDirectory() as folder:
        sknn.save(fitted(name)[0], Path(folder) / "m")
        return (Path(folder) / "m").read_bytes()


def check_refused(cases, folder, n_least):
    """Each case must raise a FileError with a message."""
    n, path = 0, folder / "case"
    for name, data in cases:
        path.write_bytes(data)
        with pytest.raises(FileError, match=r".{20}") as raised:
            pytest.fail(f"{name}: loaded as {sknn.load(path)!r}")
        assert raised.type is not FileError, name
        n += 1
    assert n >= n_least
