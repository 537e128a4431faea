"""Non-finite values are named, and weights and predictions stay finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from skorch import NeuralNetClassifier
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import GradientHealth
from sknn.exceptions import (
    GradientHealthWarning,
    NonFiniteWarning,
    TrainingHealthError,
)
from sknn.modules import MLP
from tests.callbacks.subjects import Net, Poison, plain_net
from tests.health.subjects import CANCER, IRIS, IRIS32, SCALED


@pytest.mark.parametrize(
    ("value", "clipping"),
    [
        (math.nan, None),
        (math.nan, "auto"),
        (math.inf, None),
        (-math.inf, 1.0),
        (1e30, "auto"),
    ],
)
@pytest.mark.parametrize("where", ["batch", "weight", "gradient"])
def test_a_spoilt_step_is_named_and_predictions_stay_finite(where, value, clipping):
    model = NeuralClassifier(
        Net, max_epochs=10, gradient_clipping=clipping, callbacks=[Poison(25, value, where)], random_state=0
    )
    with pytest.warns(NonFiniteWarning, match=r"in step 2[56] ") as caught:
        model.fit(*IRIS)
    assert len(caught) == 1
    (finding,) = model.health_.findings
    assert finding.symptom == "non_finite"
    assert finding.layer == {"batch": "column 2"}.get(where, "layers.0")
    assert np.isfinite(model.predict_proba(IRIS[0])).all()
    assert model.score(*IRIS) > 0.5
    assert all(torch.isfinite(b).all() for b in model.module_.buffers())


@pytest.mark.parametrize("value", [math.nan, 1e30])
@pytest.mark.parametrize("where", ["batch", "weight", "gradient"])
def test_a_spoilt_step_in_plain_skorch(where, value):
    class PlainPoison(Poison):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            if self.where == "gradient" and self.is_due():
                net.module_.layers[0].weight.grad[0, 0] = self.value

    callbacks = [("poison", PlainPoison(25, value, where)), ("health", GradientHealth())]
    with pytest.warns(NonFiniteWarning, match=r"in step 2[56] "):
        net = plain_net(train_split=None, callbacks=callbacks).fit(IRIS32, IRIS[1].astype(np.int64))
    assert np.isfinite(net.predict_proba(IRIS32)).all()
    assert (net.predict(IRIS32) == IRIS[1]).mean() > 0.5


def test_a_gradient_that_is_never_finite_ends_training_with_finite_weights():
    class Explodes(nn.CrossEntropyLoss):
        def forward(self, raw_prediction, y):
            return super().forward(raw_prediction, y) * math.nan

    model = NeuralClassifier(MLP, criterion=Explodes, max_epochs=5, early_stopping=True, random_state=0)
    with pytest.warns(NonFiniteWarning, match=r"in step 1 the loss is nan"):
        model.fit(*IRIS)
    assert model.n_iter_ <= 2
    assert np.isfinite(model.predict_proba(IRIS[0])).all()
    assert model.predict(IRIS[0]).shape == IRIS[1].shape


def test_a_loss_that_is_nan_while_its_gradient_is_finite_is_found():
    class Hidden(nn.CrossEntropyLoss):
        def forward(self, raw_prediction, y):
            return super().forward(raw_prediction, y) + math.nan

    with pytest.warns(NonFiniteWarning, match="step 1 the loss is nan"):
        NeuralClassifier(MLP, criterion=Hidden, max_epochs=3, early_stopping=False, random_state=0).fit(*IRIS)


def test_a_diverging_regressor_predicts_finite_numbers():
    model = NeuralRegressor(
        lr=1e25, optimizer=torch.optim.SGD, gradient_clipping=None, preprocessing=False, lr_schedule="constant"
    )
    with pytest.warns(NonFiniteWarning, match=r"epoch 1: in step 2 weights of .* hold"):
        model.fit(*IRIS)
    assert np.isfinite(model.predict(IRIS[0])).all()
    assert "(it is 1e+25)" in str(model.health_)


def test_raise_in_plain_skorch():
    net = plain_net(callbacks=[Poison(10, where="batch"), GradientHealth(action="raise")], train_split=None)
    with pytest.raises(TrainingHealthError, match="non_finite"):
        net.fit(IRIS32, IRIS[1].astype(np.int64))


class CausalMask(nn.Module):
    """Attention over groups of columns with a mask of minus infinity."""

    def __init__(self, in_features, out_features) -> None:
        super().__init__()
        self.embed, self.out = nn.Linear(in_features, 12), nn.Linear(3, out_features)
        self.register_buffer("mask", torch.full((4, 4), -torch.inf).triu(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embed(x).view(-1, 4, 3)
        return self.out(((h @ h.mT + self.mask).softmax(-1) @ h)[:, -1])


def test_an_infinite_mask_is_no_finding():
    model = NeuralClassifier(CausalMask, max_epochs=8, early_stopping=False, random_state=0).fit(*CANCER)
    assert model.n_iter_ == 8
    assert model.health_.findings == []


def test_missing_numbers_that_the_module_fills_in_train_a_plain_net():
    class Fills(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(30, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(torch.nan_to_num(x))

    table = SCALED.copy()
    table[::3, 5] = np.nan
    net = NeuralNetClassifier(
        Fills, criterion=nn.CrossEntropyLoss, lr=0.1, max_epochs=6, verbose=0, callbacks=[GradientHealth()]
    )
    net.fit(table, CANCER[1])
    assert len(net.history) == 6
    assert dict(net.callbacks_)["GradientHealth"].health_.findings == []


def test_predictions_are_finite_after_training_stops_early():
    table, target = load_diabetes(return_X_y=True)
    model = NeuralRegressor(lr=1e4, max_epochs=20, random_state=0)
    with pytest.warns(GradientHealthWarning, match="non_finite"):
        model.fit(table, target)
    assert np.isfinite(model.predict(table)).all()
    assert model.score(table, target) > -1
