"""EarlyStopping, GradientClipping and GradientHealth, in sknn's estimators and in plain skorch nets."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import EarlyStopping, GradientClipping, GradientHealth
from sknn.exceptions import GradientHealthWarning, TrainingHealthError

X, Y = load_iris(return_X_y=True)
X32 = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def plain_net(**params) -> NeuralNetClassifier:
    settings = dict(criterion=torch.nn.CrossEntropyLoss, verbose=0, lr=0.1, max_epochs=20, batch_size=32)
    return NeuralNetClassifier(Net, **{**settings, **params})


class FakeNet:
    """Just what EarlyStopping looks at."""

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


def test_an_instance_replaces_the_default_and_is_not_touched():
    mine = EarlyStopping(patience=2, monitor="train_loss", min_delta=1e9)
    model = NeuralClassifier(max_epochs=30, early_stopping=True, callbacks=[mine]).fit(X, Y)
    assert model.n_iter_ == 3
    assert not hasattr(mine, "best_epoch_")


class Norms(Callback):
    def on_train_begin(self, net, **kwargs):
        self.norms = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        gradients = [p.grad.flatten() for _, p in named_parameters]
        self.norms.append(torch.cat(gradients).norm().item())


@pytest.mark.parametrize("where", ["estimator", "skorch"])
def test_clipping_bounds_the_norm(where):
    callbacks = [GradientClipping(max_norm=0.01), Norms()]
    if where == "estimator":
        net = NeuralClassifier(max_epochs=2, callbacks=callbacks).fit(X, Y).net_
    else:
        net = plain_net(max_epochs=2, callbacks=callbacks).fit(X32, Y.astype(np.int64))
    norms = dict(net.callbacks_)["Norms"].norms
    assert len(norms) > 3
    assert max(norms) <= 0.01 * 1.0001


def test_clipping_scales_large_gradients_and_leaves_small_ones():
    large, small = [torch.tensor([3.0]), torch.tensor([4.0])], [torch.tensor([0.3])]
    assert GradientClipping(1.0).clip_(large).item() == pytest.approx(5.0)
    assert [g.item() for g in large] == pytest.approx([0.6, 0.8], rel=1e-5)
    GradientClipping(1.0).clip_(small)
    assert small[0].item() == pytest.approx(0.3)


class Poison(Callback):
    """Turns a gradient into NaN in one step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_begin(self, net, **kwargs):
        self.seen = 0

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.seen += 1
        if self.seen == self.step:
            next(iter(named_parameters))[1].grad.fill_(math.nan)


def test_a_nan_gradient_leaves_finite_predictions_and_a_warning():
    model = NeuralClassifier(max_epochs=10, callbacks=[Poison(25)], gradient_clipping=None, random_state=0)
    with pytest.warns(GradientHealthWarning, match=r"non_finite in epoch \d.*lower lr"):
        model.fit(X, Y)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.score(X, Y) > 0.5
    assert model.health_.status == "sick"
    assert [finding.symptom for finding in model.health_.findings] == ["non_finite"]


def test_gradient_health_can_raise_and_carries_the_record():
    model = NeuralClassifier(callbacks=[Poison(3)], gradient_health="raise")
    with pytest.raises(TrainingHealthError, match="non_finite") as error:
        model.fit(X, Y)
    assert error.value.health.status == "sick"
    assert not hasattr(model, "net_")


def test_nan_from_the_first_step_leaves_the_initial_weights_and_says_so():
    class Explodes(torch.nn.CrossEntropyLoss):
        def forward(self, raw_prediction, y):
            return super().forward(raw_prediction, y) * math.nan

    model = NeuralClassifier(criterion=Explodes, max_epochs=5, early_stopping=True, random_state=0)
    with pytest.warns(GradientHealthWarning, match="the training loss is nan"):
        model.fit(X, Y)
    assert model.n_iter_ == 1
    probabilities = model.predict_proba(X)
    assert np.isfinite(probabilities).all()
    assert model.predict(X).shape == Y.shape


def test_a_diverging_regressor_predicts_finite_numbers():
    model = NeuralRegressor(
        lr=1e25, optimizer=torch.optim.SGD, gradient_clipping=None, preprocessing=False, lr_schedule="constant"
    )
    with pytest.warns(GradientHealthWarning, match="non_finite in epoch 1"):
        model.fit(X, Y)
    assert np.isfinite(model.predict(X)).all()
    assert "lower lr (it is 1e+25)" in str(model.health_)


def test_a_health_error_is_pickled_with_its_record():
    with pytest.raises(TrainingHealthError) as error:
        NeuralClassifier(callbacks=[Poison(1)], gradient_health="raise").fit(X, Y)
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value)
    assert again.health == error.value.health


def test_gradient_health_can_raise_in_plain_skorch():
    net = plain_net(callbacks=[Poison(10), GradientHealth(action="raise")], train_split=None)
    with pytest.raises(TrainingHealthError, match="non_finite"):
        net.fit(X32, Y.astype(np.int64))


def test_gradient_health_in_plain_skorch_keeps_the_last_finite_weights():
    with pytest.warns(GradientHealthWarning, match="non_finite"):
        net = plain_net(callbacks=[Poison(10), GradientHealth()], train_split=None).fit(X32, Y.astype(np.int64))
    assert all(torch.isfinite(p).all() for p in net.module_.parameters())


def test_a_healthy_fit_says_so():
    model = NeuralClassifier(max_epochs=3).fit(X, Y)
    assert (model.health_.status, model.health_.findings, str(model.health_)) == ("healthy", [], "healthy")
    assert NeuralClassifier(max_epochs=1, gradient_health=None).fit(X, Y).health_ is None


@pytest.mark.parametrize("callback", [EarlyStopping(), GradientClipping(), GradientHealth()])
def test_callbacks_are_cloned_by_skorch(callback):
    net = NeuralNet(Net, torch.nn.CrossEntropyLoss, callbacks=[callback])
    assert type(callback).__name__ in {type(cb).__name__ for cb in net.get_params()["callbacks"]}
    assert set(callback.get_params()) == {name for name in vars(callback)}
