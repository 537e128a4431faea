"""The net before and after it is trained, and the networks that it accepts."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from sknn import NeuralRegressor

from .nets import BATCH, make_net, make_plan, make_rows, train
from .test_skorch_scoring import X, fit_with
from .test_steps import OPTIMIZERS


@pytest.mark.parametrize("name", ["nesterov", "adamw", "asgd"])
def test_training_on_after_release_equals_training_in_one_go(name: str) -> None:
    """Moments survive between two calls of partial_fit, whose shuffles have seeds of their own."""
    optimizer, params, lr = OPTIMIZERS[name]
    rows = make_rows(n_rows=BATCH)  # one batch: no shuffle
    once = make_net(optimizer, params, lr=lr, epochs=6)
    train(once, rows)
    twice = make_net(optimizer, params, lr=lr, epochs=3)
    train(twice, rows)
    twice.release()
    twice.attach(make_plan(lr=lr, epochs=3))
    train(twice, rows)
    for got, wanted in zip(twice.module_.parameters(), once.module_.parameters(), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)
    assert len(twice.history) == 6


def test_a_failure_while_training_on_puts_weights_moments_and_history_back() -> None:
    class Fails(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            raise RuntimeError("disk full")

    rows = make_rows()
    net = make_net(torch.optim.AdamW, epochs=2)
    train(net, rows)
    net.release()
    weights = copy.deepcopy(net.module_.state_dict())
    moments = copy.deepcopy(net.optimizer_.state_dict()["state"])
    net.attach(make_plan(callbacks=[Fails()]))
    with pytest.raises(RuntimeError, match="disk full"), net.unchanged_on_failure():
        train(net, rows)
    assert len(net.history) == 2
    for name, value in net.module_.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)
    for index, state in net.optimizer_.state_dict()["state"].items():
        for name, value in state.items():
            torch.testing.assert_close(value, moments[index][name], rtol=0, atol=0)


def test_a_named_callback_keeps_its_name() -> None:
    model = fit_with(("mine", Callback()))
    assert "mine" in dict(model.net_.callbacks_)


def test_a_network_may_return_a_vector_or_several_outputs() -> None:
    class Vector(nn.Module):
        def __init__(self, in_features: int) -> None:
            super().__init__()
            self.linear = nn.Linear(in_features, 1)

        def forward(self, x: Tensor) -> Any:
            return self.linear(x)[:, 0]

    class Several(Vector):
        def forward(self, x: Tensor) -> Any:
            return self.linear(x), x

    predictions = [
        NeuralRegressor(module, max_epochs=3, random_state=0).fit(X, X[:, 0]).predict(X) for module in (Vector, Several)
    ]
    assert predictions[0].shape == (len(X),)
    np.testing.assert_array_equal(*predictions)
