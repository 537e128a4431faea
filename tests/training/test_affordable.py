"""How many networks of a committee can be trained within a time limit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.datasets import make_regression
from torch import nn

import sknn._training.affordable as affordable
from sknn import NeuralRegressor
from sknn._network.table_network import committee_of
from sknn.modules import TabM

X, Y = make_regression(150, 4, noise=1.0, random_state=0)
QUICK = {"random_state": 0, "max_epochs": 2, "module_params": {"width": 8, "n_bins": 2}}


def n_networks(model: NeuralRegressor) -> int:
    committee = committee_of(model.net_.module_)
    return 1 if committee is None else len(committee.networks)


class FakeTime:
    def __init__(self, seconds_of_a_step: float) -> None:
        self.calls, self.seconds = itertools.count(), seconds_of_a_step

    def perf_counter(self) -> float:
        return self.seconds * next(self.calls)


class FakeDeadline:
    """A plan with a deadline on the fake clock."""

    def __init__(self, plan, deadline: float) -> None:
        self.epochs, self.batch_size, self.deadline = plan.epochs, plan.batch_size, deadline


@pytest.mark.parametrize(("n_affordable", "expected"), [(100.0, 8), (5.5, 5), (0.1, 2), (-3.0, 2)])
def test_as_many_networks_as_can_take_all_steps(monkeypatch, n_affordable, expected):
    original = affordable.affordable_networks

    def on_a_fake_clock(n, params, data, plan):
        monkeypatch.setattr(affordable, "time", FakeTime(1.0))
        n_steps = plan.epochs * -(-data.train.n_per_epoch // plan.batch_size)
        # A step takes a second, half of it in a committee; six seconds of the clock are over when time is left.
        return original(n, params, data, FakeDeadline(plan, 6 + 0.5 * n_steps * n_affordable))

    monkeypatch.setattr("sknn._estimator.base.affordable_networks", on_a_fake_clock)
    model = NeuralRegressor(max_time=100.0, **QUICK).fit(X, Y)
    assert n_networks(model) == model.n_networks_ == expected
    assert model.predict(X).shape == Y.shape


@pytest.mark.parametrize(
    "params", [{}, {"max_time": 100.0, "n_networks": 4}, {"max_time": 100.0, "checkpoint": "here"}]
)
def test_without_a_limit_or_with_a_number_or_a_checkpoint_nothing_is_timed(monkeypatch, tmp_path, params):
    monkeypatch.setattr("sknn._estimator.base.affordable_networks", lambda *args: pytest.fail("timed"))
    params = {key: tmp_path if value == "here" else value for key, value in params.items()}
    assert n_networks(NeuralRegressor(**QUICK, **params).fit(X, Y)) == params.get("n_networks", 8)


class NeedsMore(TabM):
    """A network that cannot compute."""

    def forward(self, x_num, x_cat=None):
        raise RuntimeError("no such rows")


@pytest.mark.parametrize("module", [nn.Linear, NeedsMore])
def test_errors_of_a_module_are_those_of_a_fit_without_a_limit(module):
    params = {"module": module, "random_state": 0}
    if module is nn.Linear:
        params["module_params"] = {"in_features": 7, "out_features": 1}
    messages = []
    for limit in (None, 100.0):
        with pytest.raises(Exception, match=r".{10}") as raised:
            NeuralRegressor(max_time=limit, **params).fit(X, Y)
        messages.append((type(raised.value), str(raised.value)))
    assert messages[0] == messages[1]


def test_a_generous_limit_changes_nothing():
    limited, free = (NeuralRegressor(max_time=limit, **QUICK).fit(X, Y) for limit in (1000.0, None))
    assert n_networks(limited) == 8
    np.testing.assert_array_equal(limited.predict(X), free.predict(X))
