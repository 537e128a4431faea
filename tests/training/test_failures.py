"""A further fit that fails leaves the network as it was, wherever it fails."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sknn import NeuralClassifier
from sknn._checkpoint.checkpoint import Checkpoint
from sknn.exceptions import CheckpointError
from sknn.modules import MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def fitted(**params) -> NeuralClassifier:
    settings = dict(module=MLP, max_epochs=2, early_stopping=False, warm_start=True, random_state=0)
    return NeuralClassifier(**{**settings, **params}).fit(X, Y)


def assert_unchanged_by(model, error: type[BaseException], match: str | None = None) -> None:
    before, n_epochs = model.predict_proba(X), len(model.net_.history)
    attributes = dict(vars(model))
    with pytest.raises(error, match=match):
        model.fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert len(model.net_.history) == n_epochs
    assert model.net_.run is None
    assert vars(model) == attributes


class FailsInEpoch(Callback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise RuntimeError("simulated failure")


def test_while_the_finished_fit_is_stored(tmp_path, monkeypatch):
    model = fitted(checkpoint=tmp_path)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "write", interrupted)
    assert_unchanged_by(model, KeyboardInterrupt)


class Unpicklable(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.layer, self.extra = nn.Linear(in_features, out_features), None

    def forward(self, x):
        return self.layer(x)


def test_because_the_finished_fit_cannot_be_stored(tmp_path):
    model = fitted(module=Unpicklable, checkpoint=tmp_path)
    model.module_.extra = threading.Lock()
    # The parameters say nothing of it, so that it is found when the fit is over.
    assert_unchanged_by(model, (CheckpointError, TypeError), "pickle")


def test_twice_with_a_checkpoint_between(tmp_path):
    model = fitted().set_params(
        checkpoint=tmp_path, checkpoint_every_epochs=1, max_epochs=6, callbacks=[FailsInEpoch(5)]
    )
    assert_unchanged_by(model, RuntimeError)
    assert list(tmp_path.iterdir())  # from which the second one is resumed
    assert_unchanged_by(model, RuntimeError)


def test_after_a_callback_has_added_parameters_to_the_optimizer():
    class Adds(Callback):
        def on_epoch_begin(self, net, **kwargs):
            net.optimizer_.add_param_group({"params": [nn.Parameter(torch.zeros(1))]})
            raise RuntimeError("simulated failure")

    assert_unchanged_by(fitted().set_params(callbacks=[Adds()]), RuntimeError)


def test_after_training(monkeypatch):
    from sknn._estimator.progress import EpochListeners

    model = fitted()

    def fails(self):
        raise RuntimeError("simulated failure")

    monkeypatch.setattr(EpochListeners, "end", fails)
    assert_unchanged_by(model, RuntimeError)


def test_ctrl_c_while_a_first_fit_is_stored_reaches_the_caller(tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "write", interrupted)
    model = NeuralClassifier(MLP, max_epochs=2, checkpoint=tmp_path, on_interrupt="keep", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert "net_" not in vars(model)


def test_a_stop_within_an_epoch_keeps_the_average_of_the_weights():
    seen = {}

    class Stops(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if training and net.steps_done_ == 5:
                seen["average"] = [value.clone() for value in net.run.average.average]
                raise KeyboardInterrupt

    model = fitted(ema_decay=0.5, batch_size=8, callbacks=[Stops()])
    weights = torch.cat([parameter.detach().flatten() for parameter in model.module_.parameters()])
    average = torch.cat([value.flatten() for value in seen["average"]])
    torch.testing.assert_close(weights.sort().values, average.sort().values, rtol=0, atol=0)
