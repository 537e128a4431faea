"""Ctrl-C ends a fit and a search at once; on_interrupt="keep" leaves a usable estimator of the best epoch."""

from __future__ import annotations

import functools
import pickle
import signal

import numpy as np
import pytest
import torch
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sknn import NeuralClassifier
from sknn.callbacks import EarlyStopping
from sknn.exceptions import CheckpointError
from sknn.modules import MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5))
Y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)


class CtrlC(Callback):
    """Presses it in the epoch after so many: at its start, in a step, or when it has ended."""

    fits = 0

    def __init__(self, after=3, when="step"):
        self.after = after
        self.when = when

    def _press(self, net, when):
        if when == self.when and len(net.history) == self.after + 1:
            signal.raise_signal(signal.SIGINT)

    def on_train_begin(self, net, **kwargs):
        CtrlC.fits += 1

    def on_epoch_begin(self, net, **kwargs):
        self._press(net, "start")

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self._press(net, "step")

    def on_epoch_end(self, net, **kwargs):
        self._press(net, "end")


def quick(after=3, when="step", **kwargs):
    params = dict(module=MLP, module_params={"hidden_sizes": (8,)}, max_epochs=12, on_interrupt="keep", random_state=0)
    return NeuralClassifier(**{**params, "callbacks": [CtrlC(after, when)], **kwargs})


@functools.cache
def uninterrupted(stopped):
    return quick(10**6, early_stopping=stopped).fit(X, Y)


@pytest.fixture(autouse=True)
def count_anew():
    CtrlC.fits = 0


@pytest.mark.parametrize("when", ["start", "step", "end"])
@pytest.mark.parametrize("stopped", [True, False], ids=["validation rows", "all rows"])
def test_the_best_epoch_so_far_is_kept(when, stopped):
    model = quick(when=when, early_stopping=stopped).fit(X, Y)
    n_complete = 4 if when == "end" else 3
    assert model.stopped_by_ == "interrupt"
    assert model.n_iter_ == n_complete == len(model.loss_curve_)
    # A training that was planned alike and whose best epoch counts, up to the same epoch.
    unbroken = uninterrupted(stopped)
    assert unbroken.stopped_by_ != "interrupt"
    assert model.loss_curve_ == unbroken.loss_curve_[:n_complete]
    if stopped:
        assert model.validation_scores_ == unbroken.validation_scores_[:n_complete]
        assert model.best_epoch_ == 1 + int(np.argmax(model.validation_scores_[:3]))  # that early stopping has seen
    else:
        assert model.best_epoch_ == n_complete
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), probabilities)


def test_the_weights_kept_are_those_of_that_epoch():
    class Copies(Callback):
        def on_epoch_end(self, net, **kwargs):
            weights.append([p.detach().clone() for p in net.module_.parameters()])

    weights: list = []
    scores = iter([0.1, 0.9, 0.5, 0.2, 0.3, 0.4])
    model = quick(5, callbacks=[Copies(), CtrlC(5)], scoring=lambda *a: next(scores), early_stopping=True).fit(X, Y)
    assert model.best_epoch_ == 2
    assert all(map(torch.equal, model.module_.parameters(), weights[1]))


def test_early_stopping_of_the_user_says_what_is_best():
    stopper = EarlyStopping(monitor="train_loss", lower_is_better=False)
    model = quick(callbacks=[stopper, CtrlC(3)]).fit(X, Y)
    assert model.best_epoch_ == 1


def test_early_stopping_that_restores_nothing_does_not_say_which_epoch_is_kept():
    stopper = EarlyStopping(monitor="train_loss", lower_is_better=False, restore_best=False)
    model = quick(callbacks=[stopper, CtrlC(3)], early_stopping=True).fit(X, Y)
    kept = 1 + int(np.argmax(model.validation_scores_))
    assert stopper.best_epoch_ != model.best_epoch_ == model.health_.best_epoch == kept


def test_an_average_of_the_weights_is_what_is_kept():
    model = quick(ema_decay=0.9, early_stopping=False).fit(X, Y)
    unbroken = NeuralClassifier(
        MLP, module_params={"hidden_sizes": (8,)}, max_epochs=12, ema_decay=0.9, early_stopping=False, random_state=0,
        callbacks=[StopAfter(3)],
    ).fit(X, Y)  # fmt: skip
    np.testing.assert_array_equal(model.predict_proba(X), unbroken.predict_proba(X))


class StopAfter(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epochs:
            raise KeyboardInterrupt

    def on_batch_end(self, net, **kwargs):
        """Steps are looked at, as CtrlC does."""


def test_unless_asked_for_the_interrupt_reaches_the_caller():
    model = quick(on_interrupt="raise")
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_before_the_first_epoch_has_ended_there_is_nothing_to_keep():
    with pytest.raises(KeyboardInterrupt):
        quick(0).fit(X, Y)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(
    "many",
    [
        lambda model: GridSearchCV(model, {"lr": [0.01, 0.02, 0.03]}, cv=2).fit(X, Y),
        lambda model: cross_val_score(model, X, Y, cv=3),
        lambda model: BaggingClassifier(model, n_estimators=3).fit(X, Y),
    ],
    ids=["search", "cross-validation", "ensemble"],
)
def test_many_fits_end_at_once(many, keep):
    with pytest.raises(KeyboardInterrupt):
        many(quick(on_interrupt="keep" if keep else "raise"))
    assert CtrlC.fits == 1


def test_the_refit_of_a_search_and_a_pipeline_may_be_kept():
    class OnlyInRefit(CtrlC):
        def _press(self, net, when):
            if CtrlC.fits == 3:
                super()._press(net, when)

    search = GridSearchCV(quick(callbacks=[OnlyInRefit()]), {"lr": [0.01]}, cv=2).fit(X, Y)
    assert search.best_estimator_.stopped_by_ == "interrupt"
    assert make_pipeline(StandardScaler(), quick()).fit(X, Y)[-1].stopped_by_ == "interrupt"


def test_after_an_interrupt_the_checkpoint_still_leads_to_the_end(tmp_path):
    path = tmp_path / "a"
    kept = quick(checkpoint=path, checkpoint_every_epochs=1).fit(X, Y)
    assert kept.stopped_by_ == "interrupt"
    with pytest.raises(CheckpointError, match="callbacks"):
        quick(10**6, checkpoint=path).fit(X, Y)


def test_training_goes_on_after_an_interrupt():
    model = quick(warm_start=True).fit(X, Y)
    model.callbacks = None
    model.fit(X, Y)
    assert model.stopped_by_ == "max_epochs"
    assert model.n_iter_ > 3


def test_a_second_ctrl_c_while_it_ends_reaches_the_caller():
    class Impatient(CtrlC):
        def on_train_end(self, net, **kwargs):
            signal.raise_signal(signal.SIGINT)

    model = quick(callbacks=[Impatient()])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert not hasattr(model, "net_")
