"""GradientHealth: numbers that are no numbers, the record, the three actions, and what it leaves alone."""

from __future__ import annotations

import copy
import math
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import EarlyStopping, GradientClipping, GradientHealth
from sknn.exceptions import (
    DeadUnitsWarning,
    GradientHealthWarning,
    NonFiniteWarning,
    OutputMismatchWarning,
    TrainingHealthError,
)
from sknn.modules import MLP

X, Y = load_iris(return_X_y=True)
X32 = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def plain_net(**params) -> NeuralNetClassifier:
    settings = dict(criterion=nn.CrossEntropyLoss, verbose=0, lr=0.1, max_epochs=20, batch_size=32)
    settings["iterator_train__shuffle"] = True
    return NeuralNetClassifier(Net, **{**settings, **params})


class Poison(Callback):
    """Puts a value into a batch, a weight or a gradient, once or from then on."""

    def __init__(self, step: int, value: float = math.nan, where: str = "gradient", lasting: bool = False) -> None:
        self.step, self.value, self.where, self.lasting = step, value, where, lasting

    def on_train_begin(self, net, **kwargs):
        self.seen = 0

    def is_due(self) -> bool:
        return self.seen == self.step or (self.lasting and self.seen > self.step)

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if not training:
            return
        self.seen += 1
        if not self.is_due():
            return
        x = batch[0]["x_num"] if isinstance(batch[0], dict) else batch[0]
        if self.where == "batch":
            x[:, 2] = self.value
        if self.where == "weight":
            with torch.no_grad():
                net.module_.layers[0].weight[0, 0] = self.value

    def on_grad_computed(self, net, named_parameters, **kwargs):
        if self.where == "gradient" and self.is_due():
            dict(named_parameters)["layers.0.weight"].grad[0, 0] = self.value


@pytest.mark.parametrize("clipping", [None, "auto", 1.0])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("where", ["batch", "weight", "gradient"])
def test_a_poisoned_step_is_named_and_predictions_stay_finite(where, value, clipping):
    model = NeuralClassifier(
        Net, max_epochs=10, gradient_clipping=clipping, callbacks=[Poison(25, value, where)], random_state=0
    )
    with pytest.warns(NonFiniteWarning, match=r"in step 2[56] ") as caught:
        model.fit(X, Y)
    assert len(caught) == 1
    (finding,) = model.health_.findings
    assert finding.symptom == "non_finite"
    assert finding.layer == {"batch": "column 2"}.get(where, "layers.0")
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.score(X, Y) > 0.5
    assert all(torch.isfinite(b).all() for b in model.module_.buffers())


@pytest.mark.parametrize("value", [math.nan, 1e30])
@pytest.mark.parametrize("where", ["batch", "weight", "gradient"])
def test_a_poisoned_step_in_plain_skorch(where, value):
    class PlainPoison(Poison):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            if self.where == "gradient" and self.is_due():
                net.module_.layers[0].weight.grad[0, 0] = self.value

    callbacks = [("poison", PlainPoison(25, value, where)), ("health", GradientHealth())]
    with pytest.warns(NonFiniteWarning, match=r"in step 2[56] "):
        net = plain_net(train_split=None, callbacks=callbacks).fit(X32, Y.astype(np.int64))
    assert np.isfinite(net.predict_proba(X32)).all()
    assert (net.predict(X32) == Y).mean() > 0.5


def test_the_column_is_named_as_the_table_names_it():
    table = load_iris(as_frame=True).data
    model = NeuralClassifier(Net, max_epochs=5, preprocessing=False, callbacks=[Poison(3, math.inf, "batch")])
    with pytest.warns(NonFiniteWarning, match=r"petal length \(cm\) of the input holds inf in \d+ row"):
        model.fit(table, Y)


def test_a_gradient_that_is_never_finite_ends_training_with_finite_weights():
    class Explodes(nn.CrossEntropyLoss):
        def forward(self, raw_prediction, y):
            return super().forward(raw_prediction, y) * math.nan

    model = NeuralClassifier(criterion=Explodes, max_epochs=5, early_stopping=True, random_state=0)
    with pytest.warns(NonFiniteWarning, match=r"in step 1 the loss is nan"):
        model.fit(X, Y)
    assert model.n_iter_ <= 2
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.predict(X).shape == Y.shape


def test_a_loss_that_is_nan_while_its_gradient_is_finite_is_found():
    class Hidden(nn.CrossEntropyLoss):
        def forward(self, raw_prediction, y):
            return super().forward(raw_prediction, y) + math.nan

    with pytest.warns(NonFiniteWarning, match="step 1 the loss is nan"):
        NeuralClassifier(criterion=Hidden, max_epochs=3, early_stopping=False, random_state=0).fit(X, Y)


def test_a_diverging_regressor_predicts_finite_numbers():
    model = NeuralRegressor(
        lr=1e25, optimizer=torch.optim.SGD, gradient_clipping=None, preprocessing=False, lr_schedule="constant"
    )
    with pytest.warns(NonFiniteWarning, match=r"epoch 1: in step 2 weights of .* hold"):
        model.fit(X, Y)
    assert np.isfinite(model.predict(X)).all()
    assert "(it is 1e+25)" in str(model.health_)


def test_the_layer_that_makes_infinity_is_named():
    class Divides(nn.Module):
        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.first = nn.Linear(in_features, 8)
            self.norm = Norm()
            self.last = nn.Linear(8, out_features)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.norm(self.first(x)))

    class Norm(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / (x - x).norm(dim=1, keepdim=True)

    with pytest.warns(NonFiniteWarning, match="in norm in epoch 1: in step 1 the forward pass: div in norm gives"):
        NeuralClassifier(Divides, max_epochs=2).fit(X, Y)


# ---------------------------------------------------------------------- actions


def dead(**params) -> NeuralClassifier:
    class Dead(MLP):
        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__(in_features, out_features, hidden_sizes=(16, 16))
            nn.init.constant_(self.layers[0].bias, -50.0)

    return NeuralClassifier(Dead, max_epochs=20, batch_size=32, random_state=0, **params)


def test_each_symptom_has_a_warning_of_its_own():
    data = load_breast_cancer(return_X_y=True)
    with pytest.warns(DeadUnitsWarning, match=r"dead_units in layers.0 in epoch \d+: 100%.*Try biases"):
        model = dead().fit(*data)
    (finding,) = model.health_.findings
    assert (finding.symptom, finding.layer) == ("dead_units", "layers.0")
    assert "100%" in finding.evidence
    assert issubclass(DeadUnitsWarning, GradientHealthWarning)


def test_raise_ends_the_fit_leaves_the_estimator_alone_and_carries_the_record():
    model = dead(gradient_health="raise")
    with pytest.raises(TrainingHealthError, match="dead_units") as error:
        model.fit(*load_breast_cancer(return_X_y=True))
    assert [finding.symptom for finding in error.value.health.findings] == ["dead_units"]
    assert not hasattr(model, "net_")
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value)
    assert again.health == error.value.health


def test_raise_in_plain_skorch():
    net = plain_net(callbacks=[Poison(10, where="batch"), GradientHealth(action="raise")], train_split=None)
    with pytest.raises(TrainingHealthError, match="non_finite"):
        net.fit(X32, Y.astype(np.int64))


def test_none_watches_nothing():
    model = NeuralClassifier(max_epochs=1, gradient_health=None).fit(X, Y)
    assert model.health_ is None
    assert model.n_repairs_ == 0


def test_an_unknown_action_is_named():
    with pytest.raises(ValueError, match=r"action='shout'; expected 'warn', 'raise' or 'repair'"):
        plain_net(callbacks=[GradientHealth("shout")]).fit(X32, Y.astype(np.int64))
    with pytest.raises(ValueError, match="gradient_health"):
        NeuralClassifier(gradient_health="shout").fit(X, Y)


# ---------------------------------------------------------------------- the record


def test_a_healthy_fit_says_so():
    model = NeuralClassifier(MLP, max_epochs=6, random_state=0).fit(X, Y)
    health = model.health_
    assert (health.status, health.findings, health.repairs, str(health)) == ("healthy", [], [], "healthy")
    assert health.constant_loss == pytest.approx(math.log(3), rel=1e-3)
    assert [epoch.epoch for epoch in health.epochs] == [1, 2, 3, 4, 5, 6]
    assert health.epochs[-1].skill == pytest.approx(1 - model.loss_curve_[-1] / health.constant_loss)
    assert list(health.epochs[0].layers) == ["layers.0", "layers.2", "layers.4"]
    layer = health.epochs[0].layers["layers.0"]
    assert layer.relative_gradient > 0
    assert 0 < layer.update < 1
    assert layer.weight_norm > 0


def test_the_record_as_html_escapes_what_a_user_wrote():
    with pytest.warns(OutputMismatchWarning):
        model = NeuralClassifier(nn.Sequential(nn.Linear(4, 3), nn.Softmax(1)), max_epochs=2).fit(X, Y)
    page = model.health_._repr_html_()
    assert "output_mismatch" in page
    assert "<table>" in page
    model.health_.findings[0] = (
        copy.replace(model.health_.findings[0], layer="<b>")
        if hasattr(copy, "replace")
        else (type(model.health_.findings[0])("non_finite", "<b>", 1, "", ""))
    )
    assert "&lt;b&gt;" in model.health_._repr_html_()


def test_the_record_is_pickled_and_drawn():
    import matplotlib

    matplotlib.use("Agg")
    model = NeuralClassifier(MLP, max_epochs=4, random_state=0).fit(X, Y)
    again = pickle.loads(pickle.dumps(model)).health_
    assert again == model.health_
    axes = again.plot()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["layers.0", "layers.2", "layers.4"]
    assert axes.get_xlabel() == "epoch"
    again.epochs.clear()
    with pytest.raises(ValueError, match="No epoch was recorded"):
        again.plot()


# ---------------------------------------------------------------------- what it leaves alone


class Noisy(nn.Module):
    """Dropout, batch norm, and random numbers also in evaluation mode."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, 16)
        self.norm = nn.BatchNorm1d(16)
        self.last = nn.Linear(16, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = nn.functional.dropout(torch.relu(self.norm(self.first(x))), 0.2, self.training)
        return self.last(hidden + 1e-3 * torch.randn_like(hidden))


@pytest.mark.parametrize("module", [Noisy, MLP])
def test_watching_does_not_change_a_bit(module):
    def predictions(**params) -> np.ndarray:
        model = NeuralClassifier(module, max_epochs=8, gradient_clipping=None, random_state=0, **params).fit(X, Y)
        raw = [parameter.detach().flatten() for parameter in (*model.module_.parameters(), *model.module_.buffers())]
        return torch.cat([values.float() for values in raw]).numpy()

    expected = predictions(gradient_health=None)
    for action in ("warn", "raise", "repair"):
        np.testing.assert_array_equal(predictions(gradient_health=action), expected)


def test_hooks_and_modes_are_gone_after_a_look():
    model = NeuralClassifier(Noisy, max_epochs=3, random_state=0).fit(X, Y)
    for part in model.module_.modules():
        assert not part._forward_hooks
        assert not part._forward_pre_hooks
    assert not model.module_.training


def test_nothing_of_the_data_stays_in_the_callback():
    model = NeuralClassifier(MLP, max_epochs=3, random_state=0).fit(X, Y)
    (watcher,) = [callback for _, callback in model.net_.callbacks_ if isinstance(callback, GradientHealth)]
    left = [name for name, value in vars(watcher).items() if value is not None]
    assert not {"_evidence", "last_good", "_repairs"} & set(left)


def test_a_module_that_cannot_be_looked_at_trains_all_the_same(monkeypatch):
    from sknn._health import careful

    monkeypatch.setattr(careful, "_raises", [False])

    class OnlyTrains(nn.Module):
        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.layer = nn.Linear(in_features, out_features)
            self.calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls == 2:  # the first look
                raise RuntimeError("not now")
            return self.layer(x)

    model = NeuralClassifier(OnlyTrains, lr=0.05, max_epochs=20, early_stopping=False, random_state=0).fit(X, Y)
    assert model.health_.status == "healthy"
    assert model.score(X, Y) > 0.9


@pytest.mark.parametrize("callback", [EarlyStopping(), GradientClipping(), GradientHealth()])
def test_callbacks_are_cloned_by_skorch(callback):
    net = NeuralNet(Net, nn.CrossEntropyLoss, callbacks=[callback])
    assert type(callback).__name__ in {type(cb).__name__ for cb in net.get_params()["callbacks"]}
    assert set(callback.get_params()) == {name for name in vars(callback)}


def test_an_instance_replaces_the_default():
    mine = GradientHealth("raise")
    model = clone(dead(callbacks=[mine]))
    with pytest.raises(TrainingHealthError):
        model.fit(*load_breast_cancer(return_X_y=True))
    assert not hasattr(mine, "health_")


def test_partial_fit_and_warm_start_are_watched_without_alarms():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = NeuralClassifier(MLP, random_state=0)
        for _ in range(8):
            model.partial_fit(X, Y, classes=[0, 1, 2])
        assert model.health_.status == "unknown"  # of an epoch little can be said
        warm = NeuralClassifier(MLP, warm_start=True, max_epochs=6, random_state=0).fit(X, Y).fit(X, Y)
        assert warm.health_.status == "healthy"
