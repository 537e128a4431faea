"""Networks of a committee that are trained on threads of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._side_by_side import SideBySide
from sknn.losses import LogLoss, SquaredError
from sknn.modules import MLP, Committee, TabM

SMALL = {"width": 16, "n_members": 2, "n_bins": 8}


@pytest.fixture
def threads():
    """Set the number of threads for a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def table(n_rows=600):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.mark.parametrize("split", [True, False])
def test_gradients_are_those_of_the_mean_loss_of_the_committee(split, threads):
    threads(2)
    torch.manual_seed(0)
    committee = Committee([TabM(4, 1, **SMALL) for _ in range(3)])
    x, y = torch.randn(21, 4), torch.randn(21, 1)
    weight = torch.rand(21)
    loss = SquaredError()

    def loss_of(raw, y, weight):
        n_members = raw.shape[1]
        return loss(raw.flatten(0, 1), y.repeat_interleave(n_members, 0), weight.repeat_interleave(n_members))

    def gradients(find):
        committee.zero_grad()
        if split:
            with committee.own_rows():
                value, raw = find()
        else:
            value, raw = find()
        return value, raw, [parameter.grad.clone() for parameter in committee.parameters()]

    def together():
        raw = committee(x)
        value = loss_of(raw, y, weight)
        value.backward()
        return value, raw

    side_by_side = SideBySide(committee, 2)
    inputs = {"x_num": x, "sample_weight": weight}
    try:
        value, raw, found = gradients(lambda: side_by_side.gradient(inputs, y, loss_of, "float32"))
    finally:
        side_by_side.close()
    assert torch.get_num_threads() == 2
    expected_value, expected_raw, expected = gradients(together)
    assert torch.allclose(value, expected_value)
    assert torch.allclose(raw, expected_raw)
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_bits_on_one_thread_and_on_two(precision, threads, monkeypatch):
    monkeypatch.setattr("sknn._threads._WORK_PER_THREAD", 1)
    workers = []
    init = SideBySide.__init__

    def recorded(self, *args):
        init(self, *args)
        workers.append(self.n_workers)

    monkeypatch.setattr(SideBySide, "__init__", recorded)
    X, y = table()
    fitted = []
    for n_threads in (1, 2):
        threads(n_threads)
        model = NeuralClassifier(
            max_epochs=3, module_params=SMALL, n_splits=3, precision=precision, random_state=0
        ).fit(X, y)
        fitted.append(model.predict_proba(X))
        assert torch.get_num_threads() == n_threads
    assert workers == [1, 2]
    assert np.array_equal(*fitted)


def test_an_error_on_a_thread_is_the_users(threads, monkeypatch):
    monkeypatch.setattr("sknn._threads._WORK_PER_THREAD", 1)
    threads(2)

    def fail(self, *args):
        raise RuntimeError("no forward today")

    X, y = table()
    model = NeuralClassifier(max_epochs=3, module_params=SMALL, random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    monkeypatch.setattr(TabM, "_first_layer", fail)
    with pytest.raises(RuntimeError, match="no forward today"):
        model.partial_fit(X, y)
    monkeypatch.undo()
    assert torch.get_num_threads() == 2
    assert np.array_equal(model.predict_proba(X), expected)


class Activation(nn.ReLU):
    """Of a user, and who knows what it keeps."""


class TrainableLoss(SquaredError):
    """Of a user."""


def test_what_might_share_something_is_not_trained_side_by_side():
    def committee(**params):
        return Committee([TabM(4, 1, **{**SMALL, **params}) for _ in range(2)])

    assert SideBySide.serves(committee(), LogLoss())
    assert not SideBySide.serves(TabM(4, 1), LogLoss())  # no committee
    assert not SideBySide.serves(Committee([MLP(4, 1), MLP(4, 1)]), LogLoss())  # dropout draws numbers from one stream
    assert not SideBySide.serves(committee(dropout=0.1), LogLoss())
    assert not SideBySide.serves(committee(activation=Activation), LogLoss())
    assert not SideBySide.serves(committee(), TrainableLoss())


def test_callbacks_of_a_user_see_the_gradients_of_all_networks():
    seen = []

    class Watch(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            seen.append(all(bool(parameter.grad.any()) for _, parameter in named_parameters))

    X, y = table()
    NeuralRegressor(max_epochs=2, module_params=SMALL, callbacks=[Watch()], random_state=0).fit(X, y)
    assert len(seen) > 0
    assert seen[-1]
