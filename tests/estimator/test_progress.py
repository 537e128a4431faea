"""Silent, a bar, or a line per epoch."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
import tqdm.auto

from sknn import NeuralClassifier, NeuralRegressor
from sknn._estimator.progress import EpochReport

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
RECORD = {"epoch": 3, "train_loss": 0.123456, "lr": 0.001, "dur": 0.25}


def test_silence_is_the_default(capfd: pytest.CaptureFixture[str]) -> None:
    NeuralClassifier(max_epochs=2).fit(X, Y)
    assert capfd.readouterr() == ("", "")


def test_a_line_per_epoch(capfd: pytest.CaptureFixture[str]) -> None:
    model = NeuralClassifier(max_epochs=3, early_stopping=True, scoring="accuracy", verbose=2, random_state=0).fit(X, Y)
    out, err = capfd.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert len(lines) == 3
    number = r"-?[\d.e+-]+"
    for epoch, line in enumerate(lines, start=1):
        names = ["train_loss", "valid_loss", "valid_score", "lr"]
        pattern = rf"epoch {epoch}/3  " + "  ".join(f"{name} {number}" for name in names) + r"  \d+\.\d\d s"
        assert re.fullmatch(pattern, line), line
    assert f"train_loss {model.loss_curve_[2]:.5g}" in lines[2]


def test_without_validation_there_is_no_such_number(capfd: pytest.CaptureFixture[str]) -> None:
    EpochReport(2, 10).epoch(RECORD, None)
    assert capfd.readouterr().out == "epoch 3/10  train_loss 0.12346  lr 0.001  0.25 s\n"


def test_a_warm_start_counts_on(capfd: pytest.CaptureFixture[str]) -> None:
    model = NeuralRegressor(max_epochs=2, warm_start=True, verbose=2).fit(X, Y)
    model.fit(X, Y)
    starts = [line.split("  ")[0] for line in capfd.readouterr().out.splitlines()]
    assert starts == ["epoch 1/2", "epoch 2/2", "epoch 3/4", "epoch 4/4"]


def test_the_bar_shows_loss_best_score_and_remaining_time(capfd: pytest.CaptureFixture[str]) -> None:
    model = NeuralClassifier(max_epochs=4, early_stopping=True, verbose=1, random_state=0).fit(X, Y)
    out, err = capfd.readouterr()
    assert out == ""
    last = err.split("\r")[-1]
    assert "fit: 100%" in last
    assert re.search(r"4/4 \[\d+:\d+<\d+:\d+", last)
    assert f"loss={model.loss_curve_[-1]:.4g}" in last
    assert f"best_valid={max(model.validation_scores_):.4g}" in last


def test_the_best_score_never_falls() -> None:
    report = EpochReport(1, 3)
    report.bar.close()
    report.bar = tqdm.auto.tqdm(total=3, file=io.StringIO())
    for score in (-2.0, -1.0, -3.0):
        report.epoch(RECORD, score)
    assert report.best == -1.0
    assert "best_valid=-1" in report.bar.postfix
    report.close()
    assert report.bar.disable


@pytest.mark.parametrize("how", ["bad X", "failing callback", "early stop"])
def test_no_bar_is_left_open(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from skorch.callbacks import Callback

    bars: list[Any] = []

    class Bar(tqdm.auto.tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO()})
            bars.append(self)

    class Fails(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            raise RuntimeError("failing callback") if how == "failing callback" else KeyboardInterrupt

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    model = NeuralClassifier(verbose=1, max_epochs=3, callbacks=None if how == "bad X" else [Fails()])
    if how == "early stop":
        model.fit(X, Y)
    else:
        with pytest.raises((ValueError, RuntimeError)):
            model.fit(np.where(X > 2, np.inf, X) if how == "bad X" else X, Y)
    assert all(bar.disable for bar in bars)
    assert len(bars) == (how != "bad X")


def test_partial_fit_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    NeuralRegressor(verbose=2).partial_fit(X, Y)
    assert capfd.readouterr() == ("", "")
