"""`stopped_by_` says what ended the training, wherever the model comes from."""

from __future__ import annotations

import pickle
import signal

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from torch import Tensor, nn

import sknn
from sknn import NeuralClassifier
from sknn.callbacks import EarlyStopping
from sknn.modules import MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 3))
Y = (X[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(int)


def model(**params):
    small = {"module_params": {"hidden_sizes": (8,)}, "max_epochs": 4, "early_stopping": False, "random_state": 0}
    return NeuralClassifier(**{"module": MLP, **small, **params})


class Stops(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


class CtrlC(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            signal.raise_signal(signal.SIGINT)


class Poisoned(nn.Module):
    """Becomes NaN after some steps, and stays so."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.layer = nn.Linear(in_features, out_features)
        self.n_calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.n_calls += self.training
        return self.layer(x) * (float("nan") if self.n_calls > 20 else 1.0)


ENDINGS = {
    "max_epochs": {},
    "early_stopping": {"callbacks": [EarlyStopping(patience=1, min_delta=10.0)], "early_stopping": True},
    "max_time": {"max_epochs": 10**6, "max_time": 0.3},
    "interrupt": {"callbacks": [CtrlC], "on_interrupt": "keep"},
    "callback": {"callbacks": [Stops]},
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_ended_the_training_is_an_attribute_in_every_form(ending, tmp_path):
    fitted = model(**ENDINGS[ending]).fit(X, Y)
    assert fitted.stopped_by_ == ending
    assert "interrupted_" not in vars(fitted)  # one attribute says how training ended
    assert pickle.loads(pickle.dumps(fitted)).stopped_by_ == ending
    sknn.save(fitted.set_params(callbacks=None), tmp_path / "a.sknn")
    assert sknn.load(tmp_path / "a.sknn").stopped_by_ == ending
    assert "stopped_by_" in fitted._repr_html_()


@pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")
def test_health_stops_what_is_not_finite():
    assert model(module=Poisoned, module_params=None, max_epochs=40).fit(X, Y).stopped_by_ == "health"


def test_the_last_run_after_a_repair_counts():
    settings = {"gradient_health": "repair", "lr": 1e-8, "max_epochs": 30, "early_stopping": True}
    with pytest.warns(sknn.exceptions.GradientHealthWarning):
        fitted = model(**settings).fit(X, Y)
    assert fitted.n_repairs_ >= 1
    assert fitted.stopped_by_ in ("early_stopping", "max_epochs")


def test_partial_fit_and_a_further_fit_set_it_anew():
    fitted = model(callbacks=[Stops], warm_start=True).fit(X, Y)
    assert fitted.stopped_by_ == "callback"
    assert fitted.set_params(callbacks=None).fit(X, Y).stopped_by_ == "max_epochs"
    assert fitted.partial_fit(X, Y).stopped_by_ == "max_epochs"


def test_time_that_ends_in_the_first_epoch_is_reported():
    with pytest.warns(
        ConvergenceWarning, match=r"max_time ended training within its first epoch, after 1 of \d+ steps"
    ):
        fitted = model(max_time=1e-6).fit(X, Y)
    assert fitted.stopped_by_ == "max_time"


def test_a_recalled_fit_that_ended_in_its_first_epoch_says_so_again(tmp_path):
    for _ in range(2):
        with pytest.warns(ConvergenceWarning, match=r"within its first epoch, after 1 of \d+ steps"):
            fitted = model(max_time=1e-6, checkpoint=tmp_path / "a").fit(X, Y)
        assert (fitted.stopped_by_, fitted.n_iter_) == ("max_time", 1)


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_a_resumed_fit_says_where_it_continues(verbose, tmp_path, capsys, monkeypatch):
    class Crash(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if (tmp_path / "crash").exists() and len(net.history) == 3:
                raise RuntimeError("crash")

    def make():
        return model(callbacks=[Crash()], checkpoint=tmp_path / "a", checkpoint_every_epochs=1, verbose=verbose)

    (tmp_path / "crash").touch()
    with pytest.raises(RuntimeError, match="crash"):
        make().fit(X, Y)
    (tmp_path / "crash").unlink()
    capsys.readouterr()
    assert make().fit(X, Y).stopped_by_ == "max_epochs"
    said = capsys.readouterr()
    assert ("the fit resumes after epoch 2" in said.out) == (verbose > 0)
    assert make().fit(X, Y).stopped_by_ == "max_epochs"
    assert ("the fit finished after epoch 4, so nothing is trained" in capsys.readouterr().out) == (verbose > 0)


def test_a_recalled_fit_knows_what_had_ended_it(tmp_path):
    stopping = EarlyStopping(patience=1, min_delta=10.0)
    for _ in range(2):
        fitted = model(callbacks=[stopping], early_stopping=True, checkpoint=tmp_path / "a").fit(X, Y)
        assert fitted.stopped_by_ == "early_stopping"
    assert torch.isfinite(next(fitted.module_.parameters())).all()
