"""The caller's own callbacks are called in fit: what they record stays, and what they hold is never copied."""

from __future__ import annotations

import copy
import io
import os
import pickle
import re
import threading

import cloudpickle
import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EpochScoring

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn._checkpoint import WITHOUT_PICKLE
from sknn.callbacks import EarlyStopping, GradientClipping, GradientHealth
from sknn.exceptions import CheckpointError
from sknn.modules import MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 3))
Y = (X[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(int)


class Log(Callback):
    """Records losses in a list of the caller's, through something that can be neither copied nor pickled."""

    def __init__(self, rows, handle=None):
        self.rows, self.handle = rows, handle

    def initialize(self):
        self.n_initialized_ = getattr(self, "n_initialized_", 0) + 1
        return self

    def on_epoch_end(self, net, **kwargs):
        self.rows.append(net.history[-1, "train_loss"])


class LogWithoutHandle(Log):
    """As a logger whose pickle leaves its connection out."""

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "handle"}

    def on_epoch_begin(self, net, **kwargs):
        if os.environ.get("CRASH_AT") == str(len(net.history)):
            raise RuntimeError("crash")


class PrunedError(Exception):
    """As optuna.TrialPruned."""


class Pruning(Callback):
    def __init__(self, trial):
        self.trial = trial

    def on_epoch_end(self, net, **kwargs):
        self.trial.append(net.history[-1, "valid_loss"])
        if len(self.trial) == 3:
            raise PrunedError("trial was pruned")


def model(**params):
    return NeuralClassifier(
        MLP, **{"module_params": {"hidden_sizes": (8,)}, "max_epochs": 4, "random_state": 0, **params}
    )


HANDLES = {
    "lock": threading.Lock,
    "open file": lambda: open(os.devnull, "w"),  # noqa: SIM115
    "generator": lambda: (i for i in range(3)),
    "lambda": lambda: lambda: 0,
    "thread": threading.Thread,
}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("handle", HANDLES)
def test_a_callback_is_used_itself_whatever_it_holds(handle):
    callback = Log([], HANDLES[handle]())
    fitted = model(callbacks=[callback], gradient_health="repair").fit(X, Y)
    assert callback.rows == fitted.loss_curve_
    assert fitted.callbacks[0] is callback is fitted.net_.callbacks_[0][1]


def test_classes_and_named_callbacks():
    callback = Log([])

    class OfClass(Callback):
        epochs = 0

        def on_epoch_end(self, net, **kwargs):
            type(self).epochs += 1

    fitted = model(callbacks=[("mine", callback), OfClass]).fit(X, Y)
    assert OfClass.epochs == len(callback.rows) == 4
    assert [name for name, _ in fitted.net_.callbacks_][:2] == ["mine", "OfClass"]


def test_each_fit_initialises_the_callbacks_again_also_in_another_estimator():
    callback = Log([])
    first = model(callbacks=[callback]).fit(X, Y).fit(X, Y)
    model(callbacks=[callback], max_epochs=2).fit(X, Y)
    assert callback.n_initialized_ == 3
    assert len(callback.rows) == 4 + 4 + 2
    assert first.n_iter_ == 4


def test_an_error_of_a_callback_reaches_the_caller_and_the_estimator_stays():
    trial = []
    pruned = model(callbacks=[Pruning(trial)], early_stopping=True)
    with pytest.raises(PrunedError, match=r"^trial was pruned$"):
        pruned.fit(X, Y)
    assert len(trial) == 3
    assert not hasattr(pruned, "n_iter_")
    assert set(vars(pruned)) == set(vars(model()))


def test_what_our_callbacks_found_can_be_read_after_fit():
    stopping, clipping, health = EarlyStopping(patience=2), GradientClipping(), GradientHealth()
    fitted = model(callbacks=[stopping, clipping, health], early_stopping=True).fit(X, Y)
    assert stopping.best_epoch_ == fitted.best_epoch_ > 0
    assert health.health_ is fitted.health_
    assert clipping.skipped_ == 0


def test_our_callbacks_hold_no_weights_and_no_rows_after_a_failure():
    stopping, clipping, health = EarlyStopping(), GradientClipping(), GradientHealth("repair")
    for estimator in (model(), model(warm_start=True).fit(X, Y)):
        estimator.set_params(callbacks=[stopping, clipping, health, Pruning([])], early_stopping=True)
        with pytest.raises(PrunedError):
            estimator.fit(X, Y)
        assert stopping._state is health._steps is health._evidence is health._repairs is clipping._spikes is None


def test_a_repair_does_not_change_the_parameters_of_a_callback():
    clipping = GradientClipping()
    clipping.on_train_begin(None)
    clipping.max_norm_ = 1.0
    assert clipping.get_params() == {"max_norm": "auto", "by": "norm", "multiple": 5.0}


def test_a_clone_has_callbacks_of_its_own():
    stopping, log = EarlyStopping(patience=3), Log([])
    fitted = model(callbacks=[stopping, log], early_stopping=True).fit(X, Y)
    copied = clone(fitted)
    assert copied.callbacks[0] is not stopping
    assert copied.callbacks[0].get_params() == stopping.get_params()
    assert copied.callbacks[1].rows is not log.rows
    search = GridSearchCV(model(callbacks=[Log([])]), {"max_epochs": [1, 2]}, cv=2).fit(X, Y)
    assert search.estimator.callbacks[0].rows == []
    assert len(search.best_estimator_.callbacks[0].rows) == search.best_params_["max_epochs"]


def test_parameters_of_callbacks_are_set_and_searched():
    estimator = model(callbacks=[EarlyStopping(patience=3), ("score", EpochScoring("accuracy")), GradientClipping])
    params = estimator.get_params()
    assert params["callbacks__EarlyStopping__patience"] == 3
    assert params["callbacks__score__scoring"] == "accuracy"
    estimator.set_params(callbacks__EarlyStopping__patience=5, callbacks__GradientClipping__max_norm=0.5)
    assert estimator.callbacks[0].patience == 5
    assert estimator.callbacks[2].max_norm == 0.5
    assert estimator.callbacks[1][0] == "score"
    estimator.set_params(callbacks__score=None)
    assert [type(callback) for callback in estimator.callbacks] == [EarlyStopping, GradientClipping]
    with pytest.raises(ValueError, match=r"callbacks__stopping__patience: no callback.*'EarlyStopping'"):
        estimator.set_params(callbacks__stopping__patience=5)
    grid = {"callbacks__EarlyStopping__patience": [1, 2]}
    search = GridSearchCV(model(callbacks=[EarlyStopping()], early_stopping=True), grid, cv=2).fit(X, Y)
    assert search.best_estimator_.callbacks[0].patience == search.best_params_["callbacks__EarlyStopping__patience"]
    assert search.estimator.callbacks[0].patience == 10


def test_two_callbacks_of_one_class_are_numbered():
    params = model(callbacks=[Log([1]), Log([2])]).get_params()
    assert (params["callbacks__Log_1__rows"], params["callbacks__Log_2__rows"]) == ([1], [2])


def test_a_shallow_copy_shares_a_callback_that_cannot_be_pickled():
    fitted = model(callbacks=[Log([], threading.Lock())]).fit(X, Y)
    copied = copy.copy(fitted)
    assert copied.callbacks is fitted.callbacks
    np.testing.assert_array_equal(copied.predict_proba(X), fitted.predict_proba(X))


def test_a_deep_copy_needs_no_pickle_of_a_callback_that_copies_itself():
    class Shared(Log):
        def __deepcopy__(self, memo):
            return self

    callback = Shared([], threading.Lock())
    assert copy.deepcopy(model(callbacks=[callback]).fit(X, Y)).callbacks[0] is callback


def test_a_pickle_asks_each_callback_once():
    asked = []

    class Asked(Callback):
        def __getstate__(self):
            asked.append(1)
            return vars(self)

    fitted = model(callbacks=[Asked()]).fit(X, Y)
    asked.clear()
    cloudpickle.dumps(fitted)
    assert asked == [1]


def test_a_callback_that_cannot_be_pickled_is_left_out_or_leaves_a_part_of_it_out(tmp_path):
    fitted = model(callbacks=[Log([], threading.Lock())]).fit(X, Y)
    for write in (pickle.dumps, lambda estimator: joblib.dump(estimator, io.BytesIO())):
        with pytest.raises(TypeError, match="lock"):
            write(fitted)
    with pytest.raises(TypeError, match=r"callbacks\[0\]\.handle"):
        sknn.save(fitted, tmp_path / "a.sknn")
    sknn.save(fitted.set_params(callbacks=None), tmp_path / "a.sknn")
    again = pickle.loads(pickle.dumps(model(callbacks=[LogWithoutHandle([], threading.Lock())]).fit(X, Y)))
    assert len(again.callbacks[0].rows) == 4
    assert again.callbacks[0] is again.net_.callbacks_[0][1]


def test_a_callback_that_refers_to_its_estimator_can_be_pickled():
    log = LogWithoutHandle([])
    fitted = model(callbacks=[log]).fit(X, Y)
    log.estimator = fitted
    again = pickle.loads(pickle.dumps(fitted))
    assert again.callbacks[0].estimator is again


def test_a_resumed_fit_uses_the_callers_object_with_its_stored_state(tmp_path, monkeypatch):
    def resumable(callback):
        settings = {"checkpoint": tmp_path / "a", "checkpoint_every_epochs": 1, "early_stopping": False}
        return model(callbacks=[callback], **settings)

    monkeypatch.setenv("CRASH_AT", "3")
    with pytest.raises(RuntimeError, match="crash"):
        resumable(LogWithoutHandle([], threading.Lock())).fit(X, Y)
    monkeypatch.delenv("CRASH_AT")
    for _ in ("an unfinished fit", "a finished one"):
        log = LogWithoutHandle([], threading.Lock())
        fitted = resumable(log).fit(X, Y)
        assert fitted.net_.callbacks_[0][1] is log
        assert log.rows == fitted.loss_curve_ == model(early_stopping=False).fit(X, Y).loss_curve_
        assert log.handle.acquire(blocking=False)


def test_a_checkpoint_names_a_callback_that_cannot_be_stored(tmp_path):
    with pytest.raises(CheckpointError, match=rf"callback Log\.handle .*lock.* {re.escape(WITHOUT_PICKLE)}$"):
        model(callbacks=[Log([], threading.Lock())], checkpoint=tmp_path / "a").fit(X, Y)


class NeverCopied(Callback):
    """Any copy and any pickle of it is an error."""

    n_epochs_ = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += 1

    def __reduce_ex__(self, protocol):
        raise AssertionError("copied")

    def __deepcopy__(self, memo):
        raise AssertionError("copied")

    def __getstate__(self):
        raise AssertionError("copied")


@pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")
@pytest.mark.parametrize(
    "params",
    [
        {"gradient_health": "repair", "lr": 1e-8, "max_epochs": 10},
        {"warm_start": True},
        {"on_interrupt": "keep"},
        {"n_networks": 3, "early_stopping": True},
        {"ema_decay": 0.9},
    ],
    ids=str,
)
def test_no_fit_copies_a_callback(params):
    callback = NeverCopied()
    fitted = model(**params, callbacks=[callback]).fit(X, Y)
    assert callback.n_epochs_ == fitted.n_iter_
    before = callback.n_epochs_
    fitted.partial_fit(X, Y).fit(X, Y)
    assert callback.n_epochs_ > before + 1


def test_a_checkpoint_of_a_callback_without_a_state_is_refused_by_name(tmp_path):
    with pytest.raises(
        CheckpointError, match=f"the callback NeverCopied cannot be stored: .*copied. {re.escape(WITHOUT_PICKLE)}$"
    ):
        model(callbacks=[NeverCopied()], checkpoint=tmp_path / "a").fit(X, Y)


def test_a_callback_that_was_used_belongs_to_the_same_fit(tmp_path):
    stopping = EarlyStopping(patience=3)
    params = {"callbacks": [stopping], "early_stopping": True, "checkpoint": tmp_path / "a"}
    first, second = (model(**params).fit(X, Y) for _ in range(2))
    assert first.loss_curve_ == second.loss_curve_
    stopping.patience = 2
    with pytest.raises(CheckpointError, match="callbacks"):
        model(**params).fit(X, Y)


class Records(Callback):
    """Records losses under a name that is compared: it has no underscore at its end."""

    def __init__(self, every=1, key="secret"):
        self.every, self.key, self.losses = every, key, []

    def on_epoch_end(self, net, **kwargs):
        self.losses.append(net.history[-1, "train_loss"])


def test_what_differs_of_a_callback_is_named(tmp_path):
    def checkpointed(*callbacks):
        return model(callbacks=list(callbacks), checkpoint=tmp_path / "a")

    used = Records()
    checkpointed(GradientClipping(), used).fit(X, Y)
    with pytest.raises(CheckpointError, match=r"another fit: callbacks\[1\]\.losses differ\."):
        checkpointed(GradientClipping(), used).fit(X, Y)
    with pytest.raises(CheckpointError, match=r"fit: callbacks\[0\]\.by, callbacks\[1\]\.every differ\."):
        checkpointed(GradientClipping(by="value"), Records(2)).fit(X, Y)
    with pytest.raises(CheckpointError, match=r"fit: callbacks \(then \['GradientClipping', 'Records'\], now \['Gr"):
        checkpointed(GradientClipping()).fit(X, Y)
    with pytest.raises(CheckpointError, match=r"now \['GradientClipping', 'named: Records'\]\) differ\."):
        checkpointed(GradientClipping(), ("named", Records())).fit(X, Y)
    checkpointed(GradientClipping(), Records()).fit(X, Y)
    assert b"secret" not in (tmp_path / "a").read_bytes()[:2000]


def test_instances_of_modules_losses_are_copied_and_callbacks_are_not():
    network, loss = MLP(3, 1, hidden_sizes=(4,)), sknn.losses.Huber()
    before = [parameter.clone() for parameter in network.parameters()]
    callback = Log([])
    fitted = NeuralRegressor(network, criterion=loss, max_epochs=2, callbacks=[callback]).fit(X, X[:, 0])
    assert fitted.module_ is not network
    assert fitted.net_.criterion_ is not loss
    assert all((a == b).all() for a, b in zip(before, network.parameters(), strict=True))
    assert fitted.net_.callbacks_[0][1] is callback


@pytest.mark.parametrize(
    ("callbacks", "changes", "message"),
    [
        ([("Log_1", Log([])), Log([]), Log([])], {"Log_1__rows": []}, "callbacks: the name 'Log_1' belongs to two"),
        ([("a", Log([])), ("a_1", Log([])), ("a", Log([]))], {"a_2": None}, "callbacks: the name 'a_1' belongs to two"),
        ([Log([])], {"Log": None, "Log__rows": []}, r"callbacks__Log__rows: Log is None, .*expected a skorch callback"),
        ([Log([])], {"Log": 3, "Log__rows": []}, r"callbacks__Log__rows: Log is 3, .*expected a skorch callback"),
        (["log"], {"str__rows": []}, r"callbacks__str__rows: str is 'log', .*expected a skorch callback"),
        (EarlyStopping(), {"EarlyStopping__patience": 3}, r"callbacks is <.*EarlyStopping.*>; expected a list.*\[\.\.\.\]"),
        ("log", {"str__rows": 3}, r"callbacks is 'log'; expected a list"),
    ],
    ids=["numbers", "numbers of names", "None", "a number", "a text inside", "no list", "a text"],
)  # fmt: skip
def test_parameters_of_what_is_no_callback_are_refused(callbacks, changes, message):
    changes = {f"callbacks__{name}": value for name, value in changes.items()}
    with pytest.raises(ValueError, match=message):
        model(callbacks=callbacks).set_params(**changes)
    assert model(callbacks=callbacks).get_params()["callbacks"] is callbacks
    with pytest.raises(ValueError, match=message):
        model().set_params(callbacks=callbacks, **changes)
