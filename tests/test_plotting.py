"""The learning curve says what the history says."""

from __future__ import annotations

import sys
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from sknn import NeuralClassifier, NeuralRegressor

mpl.use("agg")
from matplotlib import pyplot as plt

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture(autouse=True)
def _close_figures() -> Any:
    yield
    plt.close("all")


def curve(ax: Any, label: str) -> tuple[list[float], list[float]]:
    line = next(line for line in ax.lines if str(line.get_label()).startswith(label))
    return list(line.get_xdata()), list(line.get_ydata())


def test_both_losses_and_the_best_epoch_are_drawn() -> None:
    model = NeuralClassifier(max_epochs=5, lr=0.05, early_stopping=True, random_state=0).fit(X, Y)
    ax = model.plot_history()
    assert curve(ax, "training") == ([1, 2, 3, 4, 5], model.loss_curve_)
    assert curve(ax, "validation")[1] == [-score for score in model.validation_scores_]
    best = model.best_epoch_
    assert curve(ax, f"best epoch {best}") == ([best], [-model.validation_scores_[best - 1]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    assert len(ax.get_legend().get_texts()) == 3


def test_without_validation_there_is_one_curve() -> None:
    model = NeuralRegressor(max_epochs=3, early_stopping=False, random_state=0).fit(X, Y)
    ax = model.plot_history()
    labels = [line.get_label() for line in ax.lines if not str(line.get_label()).startswith("_")]
    assert labels == ["training", f"best epoch 3: {model.loss_curve_[2]:.4g}"]


def test_with_a_score_the_curves_are_losses_still() -> None:
    model = NeuralClassifier(max_epochs=3, early_stopping=True, scoring="accuracy", random_state=0).fit(X, Y)
    ax = model.plot_history()
    assert curve(ax, "validation")[1] == model.net_.history[:, "valid_loss"]


def test_one_epoch_is_a_point() -> None:
    ax = NeuralRegressor(max_epochs=1).fit(X, Y).plot_history()
    assert ax.lines[0].get_marker() == "o"


def test_it_draws_into_the_axes_given_and_makes_no_figure() -> None:
    model = NeuralRegressor(max_epochs=2).fit(X, Y)
    _, mine = plt.subplots()
    assert model.plot_history(mine) is mine
    assert len(plt.get_fignums()) == 1


def test_epochs_without_validation_after_a_fit_with_it_are_drawn() -> None:
    model = NeuralClassifier(max_epochs=2, early_stopping=True).fit(X, Y)
    model.partial_fit(X, Y)
    assert curve(model.plot_history(), "training")[0] == [1, 2, 3]


def test_it_can_be_saved(tmp_path: Any) -> None:
    model = NeuralRegressor(max_epochs=2).fit(X, Y)
    model.plot_history().figure.savefig(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_before_fit_it_is_an_error() -> None:
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        NeuralClassifier().plot_history()


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model = NeuralRegressor(max_epochs=1).fit(X, Y)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "sknn\[plot\]"'):
        model.plot_history()


def test_importing_sknn_does_not_import_matplotlib() -> None:
    import subprocess

    script = "import sys, sknn; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
