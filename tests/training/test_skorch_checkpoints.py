"""skorch's callbacks that keep epochs find in the history what they ask for, and what they kept is known."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from skorch.callbacks import Checkpoint, EarlyStopping, LoadInitState, TrainEndCheckpoint
from skorch.history import History

import sknn.callbacks
from sknn import NeuralClassifier
from sknn._training.one_pass import _record_curve

from .nets import make_net, make_rows, train
from .test_skorch_scoring import TRAIN, VALID, X, Y, fit_with

FILES = ["criterion.pt", "history.json", "optimizer.pt", "params.pt"]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("monitor", ["valid_loss_best", "train_loss_best", "valid_score_best", None])
def test_a_checkpoint_is_written(tmp_path: Path, monitor: str | None) -> None:
    fit_with(Checkpoint(dirname=str(tmp_path), monitor=monitor), scoring="accuracy")
    assert names(tmp_path) == FILES


def test_files_are_named_by_the_last_batch(tmp_path: Path) -> None:
    name = "{last_epoch[epoch]}_{last_batch[train_batch_size]}_{last_batch[valid_batch_size]}.pt"
    model = fit_with(Checkpoint(dirname=str(tmp_path), monitor=None, f_params=name), batch_size=64)
    assert names(tmp_path)[:3] == ["1_32_80.pt", "2_32_80.pt", "3_32_80.pt"]
    assert [len(record["batches"]) for record in model.net_.history] == [1, 1, 1]


def test_the_best_epoch_is_loaded_at_the_end(tmp_path: Path) -> None:
    checkpoint = Checkpoint(dirname=str(tmp_path), load_best=True)
    rises: dict[str, Any] = {"lr": 0.03, "batch_size": 16}
    model = NeuralClassifier(callbacks=[checkpoint], max_epochs=30, early_stopping=False, random_state=0, **rises)
    model.fit(X[TRAIN], Y[TRAIN], X_val=X[VALID], y_val=Y[VALID])
    assert model.n_iter_ == model.best_epoch_ < 30
    assert model.net_.history[-1, "valid_loss"] == min(model.net_.history[:, "valid_loss"])
    for name, value in torch.load(tmp_path / "params.pt").items():
        torch.testing.assert_close(model.module_.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("health", ["warn", None])
def test_the_epoch_that_early_stopping_of_skorch_loads_is_the_best(health: str | None) -> None:
    scores = iter([0.1, 0.7, 0.5, 0.4])
    stopper = EarlyStopping("valid_score", lower_is_better=False, load_best=True, patience=2, sink=lambda text: None)
    model = fit_with(stopper, scoring=lambda *args: next(scores), gradient_health=health)
    assert (model.best_epoch_, model.n_iter_) == (2, 3)
    assert health is None or model.health_.best_epoch == 2


@pytest.mark.parametrize("stopping", [EarlyStopping, partial(sknn.callbacks.EarlyStopping, restore_best=False)])
def test_the_last_epoch_is_kept_if_early_stopping_loads_none(stopping: Any) -> None:
    assert fit_with(stopping(monitor="train_loss", lower_is_better=False, patience=5)).best_epoch_ == 3


def test_the_state_at_the_end_can_be_loaded(tmp_path: Path) -> None:
    checkpoint = TrainEndCheckpoint(dirname=str(tmp_path))
    first = fit_with(checkpoint)
    assert names(tmp_path) == [f"train_end_{name}" for name in FILES]
    second = fit_with(LoadInitState(checkpoint))
    assert second.n_iter_ == 6
    assert second.loss_curve_[:3] == first.loss_curve_


def test_the_history_marks_the_best_epochs_of_all_fits() -> None:
    net = make_net(epochs=4)
    train(net, make_rows(), make_rows(seed=1))
    losses = net.history[:, "valid_loss"]
    assert net.history[:, "valid_loss_best"] == [loss == min(losses[: i + 1]) for i, loss in enumerate(losses)]
    assert all(type(flag) is bool for flag in net.history[:, "train_loss_best"])


@pytest.mark.parametrize("sign", [1, -1])
def test_an_epoch_is_the_best_if_none_before_was_as_good(sign: int) -> None:
    history = History()
    history.new_epoch()
    history.record("loss", sign * 2.5)  # of an older version, without a mark
    found = []
    for value in (3.0, math.nan, 2.5, 2.0, math.inf, 2.2, 2.0, 1.0):
        history.new_epoch()
        _record_curve(history, "loss", sign * value, sign=sign)
        found.append(history[-1, "loss_best"])
    assert found == [False, False, False, True, False, False, False, True]
