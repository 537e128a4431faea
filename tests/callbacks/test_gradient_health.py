"""GradientHealth: the three actions, and that it changes nothing else."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from skorch import NeuralNet, NeuralNetClassifier
from torch import nn

from sknn import NeuralClassifier
from sknn.callbacks import EarlyStopping, GradientClipping, GradientHealth
from sknn.exceptions import (
    DeadUnitsWarning,
    GradientHealthWarning,
    TrainingHealthError,
)
from sknn.modules import MLP
from tests.callbacks.subjects import Net, plain_net
from tests.health.subjects import CANCER, IRIS, IRIS32, SCALED


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


def test_none_watches_nothing():
    model = NeuralClassifier(max_epochs=1, gradient_health=None).fit(*IRIS)
    assert model.health_ is None
    assert model.n_repairs_ == 0


def test_an_unknown_action_is_named():
    with pytest.raises(ValueError, match=r"action='shout'; expected 'warn', 'raise' or 'repair'"):
        plain_net(callbacks=[GradientHealth("shout")]).fit(IRIS32, IRIS[1].astype(np.int64))
    with pytest.raises(ValueError, match="gradient_health"):
        NeuralClassifier(gradient_health="shout").fit(*IRIS)


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
        model = NeuralClassifier(module, max_epochs=8, gradient_clipping=None, random_state=0, **params).fit(*IRIS)
        raw = [parameter.detach().flatten() for parameter in (*model.module_.parameters(), *model.module_.buffers())]
        return torch.cat([values.float() for values in raw]).numpy()

    expected = predictions(gradient_health=None)
    for action in ("warn", "raise", "repair"):
        np.testing.assert_array_equal(predictions(gradient_health=action), expected)


def test_hooks_and_modes_are_restored_after_an_inspection():
    model = NeuralClassifier(Noisy, max_epochs=3, random_state=0).fit(*IRIS)
    for part in model.module_.modules():
        assert not part._forward_hooks
        assert not part._forward_pre_hooks
    assert not model.module_.training


def test_nothing_of_the_data_stays_in_the_callback():
    model = NeuralClassifier(MLP, max_epochs=3, random_state=0).fit(*IRIS)
    (watcher,) = [callback for _, callback in model.net_.callbacks_ if isinstance(callback, GradientHealth)]
    left = [name for name, value in vars(watcher).items() if value is not None]
    assert not {"_evidence", "last_good", "_repairs"} & set(left)


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
            model.partial_fit(*IRIS, classes=[0, 1, 2])
        assert model.health_.status == "unknown"  # of an epoch little can be said
        warm = NeuralClassifier(MLP, warm_start=True, max_epochs=6, random_state=0).fit(*IRIS).fit(*IRIS)
        assert warm.health_.status == "healthy"


def test_a_net_that_an_error_has_ended_can_be_pickled():
    net = NeuralNetClassifier(
        nn.Sequential(nn.Linear(30, 2), nn.Softmax(1)), criterion=nn.CrossEntropyLoss, max_epochs=3, verbose=0,
        callbacks=[GradientHealth(action="raise")],
    )  # fmt: skip
    with pytest.raises(TrainingHealthError):
        net.fit(SCALED, CANCER[1])
    pickle.loads(pickle.dumps(net))
