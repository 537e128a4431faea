"""EarlyStopping: patience, the smallest change, the best weights; in sknn's estimators and in plain skorch nets."""

from __future__ import annotations

import copy
import math
import signal
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.metrics import make_scorer, mean_absolute_error
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback, EpochScoring
from skorch.dataset import ValidSplit

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import EarlyStopping
from sknn.modules import MLP

X, Y = load_iris(return_X_y=True)
X32 = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
Y64 = Y.astype(np.int64)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def plain_net(**params) -> NeuralNetClassifier:
    settings: dict[str, Any] = dict(
        criterion=torch.nn.CrossEntropyLoss, verbose=0, lr=0.1, max_epochs=20, batch_size=32
    )
    return NeuralNetClassifier(Net, **{**settings, **params})


class FakeNet:
    """The attributes that EarlyStopping uses."""

    _modules = ("module",)
    _criteria = ()

    def __init__(self) -> None:
        self.module_ = torch.nn.Linear(1, 1)
        self.history: list[dict] = []


def epochs_survived(scores: list[float], **params) -> tuple[int, EarlyStopping, FakeNet]:
    """Feed scores to EarlyStopping; the weight of an epoch is its number."""
    net, stopper = FakeNet(), EarlyStopping(monitor="score", **params)
    stopper.on_train_begin(net)
    survived = 0
    for epoch, score in enumerate(scores, start=1):
        net.history.append({"score": score})
        torch.nn.init.constant_(net.module_.weight, epoch)
        try:
            stopper.on_epoch_end(net)
        except KeyboardInterrupt:
            break
        survived = epoch
    stopper.on_train_end(net)
    return survived, stopper, net


def test_patience_counts_epochs_without_improvement_and_the_best_weights_come_back():
    survived, stopper, net = epochs_survived([5.0, 3.0, 4.0, 3.5, 3.2, 1.0], patience=3)
    assert survived == 4
    assert (stopper.best_epoch_, stopper.best_score_) == (2, 3.0)
    assert net.module_.weight.item() == 2


def test_an_improvement_starts_patience_anew():
    assert epochs_survived([5, 6, 4, 6, 3, 6], patience=2)[0] == 6


def test_higher_is_better_where_asked():
    survived, stopper, _ = epochs_survived([0.1, 0.5, 0.4, 0.3], patience=2, lower_is_better=False)
    assert (survived, stopper.best_epoch_) == (3, 2)


@pytest.mark.parametrize(
    ("scores", "lower_is_better", "survived"),
    [
        ([-100.0, -105.0, -109.0], True, 2),  # a negative log-likelihood of a density: 9 % better is not 10 %
        ([-100.0, -105.0, -111.0], True, 3),
        ([-100.0, -95.0, -91.0], False, 2),  # neg_mean_squared_error
        ([-100.0, -95.0, -89.0], False, 3),
        ([100.0, 95.0, 91.0], True, 2),
        ([100.0, 95.0, 89.0], True, 3),
    ],
)
def test_a_relative_change_is_a_share_of_the_best_whatever_its_sign(scores, lower_is_better, survived):
    found, stopper, _ = epochs_survived(scores, patience=2, min_relative_delta=0.1, lower_is_better=lower_is_better)
    assert found == survived
    assert stopper.best_epoch_ == 3  # however small the improvement, the weights are those of the best score


@pytest.mark.parametrize(("last", "survived"), [(1.5, 2), (1.4, 3)])
def test_an_absolute_change_counts_from_the_last_that_counted(last, survived):
    assert epochs_survived([2.0, 1.8, last], patience=2, min_delta=0.5)[0] == survived


def test_without_restoring_the_last_weights_stay():
    survived, stopper, net = epochs_survived([1.0, 2.0, 3.0], patience=5, restore_best=False)
    assert (survived, stopper.best_epoch_, net.module_.weight.item()) == (3, 1, 3)


def test_nan_never_improves():
    survived, stopper, net = epochs_survived([2.0, math.nan, math.nan], patience=2)
    assert (survived, stopper.best_epoch_, net.module_.weight.item()) == (2, 1, 1)


def test_an_unknown_monitor_is_named():
    net, stopper = FakeNet(), EarlyStopping(monitor="valid_los")
    stopper.on_train_begin(net)
    net.history.append({"valid_loss": 1.0})
    with pytest.raises(ValueError, match=r"monitor='valid_los'.*valid_loss"):
        stopper.on_epoch_end(net)


class Remember(Callback):
    """Weights and batch-norm statistics of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.states = []

    def on_epoch_end(self, net, **kwargs):
        self.states.append(copy.deepcopy(net.module_.state_dict()))


def assert_same_state(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def test_early_stopping_in_plain_skorch_restores_buffers_too():
    torch.manual_seed(0)
    net = plain_net(
        lr=2.0, train_split=ValidSplit(3, stratified=True), callbacks=[Remember(), EarlyStopping(patience=3)]
    ).fit(X32, Y.astype(np.int64))
    stopper, remember = dict(net.callbacks_)["EarlyStopping"], dict(net.callbacks_)["Remember"]
    assert 1 <= stopper.best_epoch_ < len(net.history) < 20
    assert_same_state(net.module_.state_dict(), remember.states[stopper.best_epoch_ - 1])


def test_early_stopping_in_the_estimator_restores_buffers_too():
    model = NeuralClassifier(
        Net, lr=0.5, n_iter_no_change=3, early_stopping=True, callbacks=[Remember()], random_state=0
    ).fit(X, Y)
    remember = dict(model.net_.callbacks_)["Remember"]
    assert model.best_epoch_ < model.n_iter_ < 100
    assert_same_state(model.module_.state_dict(), remember.states[model.best_epoch_ - 1])


def test_an_instance_replaces_the_default_and_is_used_itself():
    mine = EarlyStopping(patience=2, monitor="train_loss", min_delta=1e9)
    model = NeuralClassifier(max_epochs=30, early_stopping=True, callbacks=[mine]).fit(X, Y)
    assert model.n_iter_ == 3
    assert mine.best_epoch_ == model.best_epoch_ > 0


# ------------------------------------------------------------------ start_again


def test_started_again_patience_and_its_reference_begin_anew_and_the_best_stays():
    net, stopper = FakeNet(), EarlyStopping(monitor="score", patience=2, min_delta=1.0)
    stopper.on_train_begin(net)
    for epoch, score in enumerate([1.0, 5.0], start=1):
        net.history.append({"score": score})
        torch.nn.init.constant_(net.module_.weight, epoch)
        stopper.on_epoch_end(net)
    stopper.start_again()
    torch.nn.init.constant_(net.module_.weight, 3.0)
    for score in [math.nan, 9.0, 7.0, 6.5]:  # worse than the best, improvements among themselves
        net.history.append({"score": score})
        stopper.on_epoch_end(net)
    net.history.append({"score": 6.4})
    with pytest.raises(KeyboardInterrupt):
        stopper.on_epoch_end(net)
    stopper.on_train_end(net)
    assert (stopper.best_epoch_, stopper.best_score_, net.module_.weight.item()) == (1, 1.0, 1.0)


def test_started_again_where_higher_is_better():
    net, stopper = FakeNet(), EarlyStopping(monitor="score", patience=1, lower_is_better=False)
    stopper.on_train_begin(net)
    net.history.append({"score": 0.9})
    stopper.on_epoch_end(net)
    stopper.start_again()
    net.history.append({"score": -5.0})
    stopper.on_epoch_end(net)  # patience has a new reference
    assert stopper.best_score_ == 0.9


class StartsAgain(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            next(callback for _, callback in net.callbacks_ if isinstance(callback, EarlyStopping)).start_again()


@pytest.mark.parametrize(("callbacks", "n_epochs"), [([], 3), ([StartsAgain()], 4)])
def test_a_callback_may_restart_the_patience(callbacks, n_epochs):
    stopper = EarlyStopping(monitor="train_loss", patience=2, min_delta=1e9)
    model = NeuralClassifier(max_epochs=10, callbacks=[*callbacks, stopper], random_state=0).fit(X, Y)
    assert model.n_iter_ == n_epochs


# ------------------------------------------------------------------ what is watched


class Scripted(Callback):
    """Writes scores into the history."""

    def __init__(self, scores, name="scripted"):
        self.scores, self.name = scores, name

    def on_epoch_end(self, net, **kwargs):
        net.history.record(self.name, self.scores[len(net.history) - 1])


@pytest.mark.parametrize("where", ["estimator", "skorch"])
def test_any_entry_of_the_history_can_be_watched(where):
    callbacks = [Scripted([3.0, -1.0, 2.0, -1.5, -0.5, 0.0]), EarlyStopping("scripted", patience=2)]
    if where == "estimator":
        model = NeuralClassifier(max_epochs=6, callbacks=callbacks, random_state=0).fit(X, Y)
        assert (model.n_iter_, model.best_epoch_) == (6, 4)
    else:
        net = plain_net(max_epochs=6, callbacks=callbacks).fit(X32, Y64)
        assert (len(net.history), dict(net.callbacks_)["EarlyStopping"].best_epoch_) == (6, 4)


def test_a_scorer_of_plain_skorch_is_watched_by_its_name():
    torch.manual_seed(0)
    scoring = EpochScoring("neg_log_loss", lower_is_better=False, name="certainty")
    stopper = EarlyStopping("certainty", patience=3, lower_is_better=False)
    net = plain_net(lr=1.0, max_epochs=60, callbacks=[scoring, stopper]).fit(X32, Y64)
    stopper, certainty = dict(net.callbacks_)["EarlyStopping"], net.history[:, "certainty"]
    assert stopper.best_epoch_ == np.argmax(certainty) + 1
    assert len(net.history) < 60
    assert max(certainty) == stopper.best_score_ < 0


SCORERS = [
    None,
    "loss",
    "neg_mean_absolute_error",
    "r2",
    make_scorer(mean_absolute_error, greater_is_better=False),
    lambda model, X, y: -float(np.abs(model.predict(X) - y).max()),
]


@pytest.mark.parametrize("scoring", SCORERS, ids=["None", "loss", "name", "r2", "scorer", "function"])
def test_the_estimator_stops_by_any_scorer_or_the_loss(scoring):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(240, 5))
    y = 100 * X[:, 0] + 200 * generator.normal(size=240)  # soon overfitted
    params: dict[str, Any] = dict(lr=0.01, max_epochs=60, n_iter_no_change=4, early_stopping=True, random_state=0)
    model = NeuralRegressor(MLP, scoring=scoring, **params).fit(X, y)
    scores = model.validation_scores_
    assert len(scores) == model.n_iter_ < 60
    assert model.best_epoch_ == np.argmax(scores) + 1
    assert model.n_iter_ == model.best_epoch_ + 4
    if scoring not in (None, "loss", "r2"):
        assert max(scores) < -10  # in the unit of y


def test_negative_scores_of_a_scorer_stop_by_a_relative_change():
    scores = [-100.0, -95.0, -91.0, -80.0]
    stopper = EarlyStopping("scripted", patience=2, min_relative_delta=0.1, lower_is_better=False)
    model = NeuralClassifier(max_epochs=4, callbacks=[Scripted(scores), stopper], random_state=0).fit(X, Y)
    assert (model.n_iter_, model.best_epoch_) == (3, 3)


# ------------------------------------------------------------------ rows that are held out


def assert_the_best_of_these_rows(model, X_val, y_val, weight=None):
    """The score of the weights that were put back is the best in the record."""
    best = max(model.validation_scores_)
    assert model.validation_scores_[model.best_epoch_ - 1] == best
    assert model.best_epoch_ < model.n_iter_
    assert model.score(X_val, y_val, sample_weight=weight) == pytest.approx(best, abs=1e-6)


def noisy(n=300):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(n, 6))
    y = (X[:, 0] + generator.normal(size=n) > 0).astype(int)
    return X, y, generator.choice([0.2, 3.0], size=n)


NOISY: dict[str, Any] = dict(
    lr=0.01, max_epochs=40, n_iter_no_change=5, scoring="accuracy", early_stopping=True, random_state=0
)


@pytest.mark.parametrize(("module", "weighted"), [(MLP, False), (None, True)], ids=["MLP", "default"])
def test_given_validation_rows_decide_with_their_weights(monkeypatch, module, weighted):
    monkeypatch.setattr("sknn._training.epochs.mix_linear_models", lambda *args: None)  # it changes the score
    X, y, weight = noisy()
    train, valid = slice(200), slice(200, None)
    weights = dict(sample_weight=weight[train], sample_weight_val=weight[valid]) if weighted else {}
    model = NeuralClassifier(**({} if module is None else {"module": module}), **NOISY)
    model.fit(X[train], y[train], X_val=X[valid], y_val=y[valid], **weights)
    assert_the_best_of_these_rows(model, X[valid], y[valid], weight[valid] if weighted else None)


class HeldOut(Callback):
    def on_train_begin(self, net, **kwargs):
        self.rows = None

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        self.rows = dataset_valid


@pytest.mark.parametrize("weighted", [False, True])
def test_groups_that_are_held_out_decide(weighted):
    X, y, weight = noisy()
    groups = np.repeat(np.arange(30), 10)
    X = np.column_stack([X, np.arange(300)])  # tells which rows were held out
    model = NeuralClassifier(MLP, preprocessing=False, callbacks=[HeldOut()], module_params={"hidden_sizes": (8,)})
    model.set_params(gradient_health=None)  # the last column is out of scale on purpose
    model.set_params(**{**NOISY, "lr": 0.003, "max_epochs": 30})
    model.fit(X, y, sample_weight=weight if weighted else None, groups=groups)
    held_out = dict(model.net_.callbacks_)["HeldOut"].rows.store.x[:, -1].numpy().astype(int)
    assert set(np.bincount(groups[held_out], minlength=30)) == {0, 10}
    assert_the_best_of_these_rows(model, X[held_out], y[held_out], weight[held_out] if weighted else None)


def test_without_rows_to_stop_by_the_last_epoch_is_the_best():
    model = NeuralClassifier(max_epochs=3, early_stopping=False, random_state=0).fit(X, Y)
    assert (model.n_iter_, model.best_epoch_, model.validation_scores_) == (3, 3, None)


def test_further_training_counts_epochs_from_the_first_fit():
    model = NeuralClassifier(MLP, warm_start=True, max_epochs=3, early_stopping=True, random_state=0).fit(X, Y)
    model.fit(X, Y)
    assert model.n_iter_ == 6
    assert 4 <= model.best_epoch_ <= 6


# ------------------------------------------------------------------ what is restored


class CountingLoss(torch.nn.CrossEntropyLoss):
    """A criterion with a parameter and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(()))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, raw_prediction, y):
        self.calls += 1
        return super().forward(self.factor * raw_prediction, y)


class TwoModules(NeuralNet):
    """A head of its own behind the module."""

    def initialize_module(self):
        super().initialize_module()
        self.head_ = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
        return self

    def infer(self, x, **fit_params):
        return self.head_(super().infer(x, **fit_params))


class RememberAll(Callback):
    """Everything of every module, by epoch."""

    def on_train_begin(self, net, **kwargs):
        self.states = []

    def on_epoch_end(self, net, **kwargs):
        self.states.append([copy.deepcopy(m.state_dict()) for m in (net.module_, net.head_, net.criterion_)])


def test_every_module_and_the_criterion_are_restored_with_their_buffers():
    torch.manual_seed(0)
    callbacks = [RememberAll(), Scripted([3.0, 1.0, 2.0, 2.5, 4.0]), EarlyStopping("scripted", patience=2)]
    net = TwoModules(Net, CountingLoss, lr=0.1, verbose=0, callbacks=callbacks, train_split=ValidSplit(3)).fit(X32, Y64)
    states = dict(net.callbacks_)["RememberAll"].states
    assert len(states) == 4
    for module, best, last in zip((net.module_, net.head_, net.criterion_), states[1], states[3], strict=True):
        assert_same_state(module.state_dict(), best)
        changed = {name for name in best if not torch.equal(best[name], last[name])}
        assert {name for name, _ in module.named_buffers()} < changed


def test_the_best_weights_come_back_when_the_epochs_are_over_too():
    callbacks = [Remember(), Scripted([3.0, 1.0, 2.0, 2.5]), EarlyStopping("scripted", patience=10)]
    model = NeuralClassifier(Net, max_epochs=4, callbacks=callbacks, random_state=0).fit(X, Y)
    assert (model.n_iter_, model.best_epoch_) == (4, 2)
    assert_same_state(model.module_.state_dict(), dict(model.net_.callbacks_)["Remember"].states[1])


@pytest.mark.parametrize(
    ("restoring", "kept"),
    [((False,), 4), ((True, False), 2), ((False, True), 3), ((True, True), 3)],
    ids=["none", "the first", "the second", "both: the last one"],
)
def test_the_best_epoch_is_the_one_whose_weights_are_kept(restoring, kept):
    scripts = {"scripted": [3.0, 1.0, 2.0, 2.5], "other": [3.0, 2.0, 1.0, 2.5]}
    stoppers = [
        (f"stop on {name}", EarlyStopping(name, patience=10, restore_best=restores))
        for name, restores in zip(scripts, restoring, strict=False)
    ]
    others = [(f"write {name}", Scripted(scores, name)) for name, scores in scripts.items()]
    model = NeuralClassifier(
        Net, max_epochs=4, callbacks=[("remember", Remember()), *others, *stoppers], random_state=0
    ).fit(X, Y)
    assert model.best_epoch_ == model.health_.best_epoch == kept
    assert_same_state(model.module_.state_dict(), dict(model.net_.callbacks_)["remember"].states[kept - 1])


# ------------------------------------------------------------------ Ctrl-C


class PressedInForward(torch.nn.Module):
    """Ctrl-C in the third training step: the signal, or the exception itself."""

    def __init__(self, in_features: int, out_features: int, how: str) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(in_features, out_features)
        self.how = how
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += self.training
        if self.calls == 3 and self.how == "signal":
            signal.raise_signal(signal.SIGINT)
        if self.calls == 3 and self.how == "exception":
            raise KeyboardInterrupt
        return self.layer(x)


@pytest.mark.parametrize("how", ["signal", "exception"])
def test_ctrl_c_is_not_mistaken_for_early_stopping(how):
    model = NeuralClassifier(
        PressedInForward, module_params={"how": how}, callbacks=[EarlyStopping("train_loss", patience=1, min_delta=1e9)]
    )
    with pytest.raises(KeyboardInterrupt) as error:
        model.fit(X, Y)
    assert error.type is KeyboardInterrupt
    assert not hasattr(model, "net_")
    model.set_params(module__how="never").fit(X, Y)
    assert model.n_iter_ == 2  # early stopping itself ends quietly


class PressCtrlC(Callback):
    """In an event in which early stopping may have its say."""

    def on_epoch_end(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_at_the_end_of_an_epoch_is_not_mistaken_either():
    stopper = EarlyStopping("train_loss", patience=1, min_delta=1e9)
    with pytest.raises(KeyboardInterrupt) as error:
        NeuralClassifier(max_epochs=5, callbacks=[stopper, PressCtrlC()]).fit(X, Y)
    assert error.type is KeyboardInterrupt
