"""Objects that the state of a training run refers to."""

from __future__ import annotations

import threading

import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sknn import NeuralClassifier
from sknn.callbacks import EarlyStopping, GradientClipping, GradientHealth
from sknn.callbacks._protocol import SknnCallback
from sknn.exceptions import CheckpointError
from tests.checkpoint.fits import Quiet, X, Y, cut_off, quick, same_bits


class Halved(nn.Module):
    """Layers that torch refuses to pickle, and hooks of parameters, which it leaves out."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.first = nn.utils.parametrizations.weight_norm(nn.Linear(in_features, 8))
        self.second = nn.Linear(8, out_features)
        self.second.weight.register_hook(lambda gradient: 0.5 * gradient)

    def forward(self, x):
        return self.second(self.first(x).relu())


def test_hooks_of_parameters_and_computed_weights_are_resumed(tmp_path):
    def make(**kwargs):
        return quick(module=Halved, module_params=None, optimizer=torch.optim.SGD, lr=0.1, **kwargs)

    unbroken = make().fit(X, Y)
    cut_off(make, tmp_path / "a", 2)
    assert same_bits(make(checkpoint=tmp_path / "a").fit(X, Y), unbroken)


class HoldsALock(Callback):
    def initialize(self):
        self.lock = threading.Lock()
        return self


def test_an_object_that_cannot_be_pickled_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="callback HoldsALock contains it. Give its class a __getstate__"):
        quick(callbacks=[HoldsALock()], checkpoint=tmp_path / "a").fit(X, Y)


class Locked(SknnCallback):
    """Leaves its lock out of pickles, as the error of a checkpoint advises."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.lock = threading.Lock()

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "lock"}


class LockedStopping(Locked, EarlyStopping):
    pass


class LockedClipping(Locked, GradientClipping):
    pass


class LockedHealth(Locked, GradientHealth):
    pass


@pytest.mark.parametrize("kind", [LockedStopping, LockedClipping, LockedHealth])
def test_a_checkpoint_leaves_out_what_a_subclass_does(kind, tmp_path):
    def make(**kwargs):
        return quick(callbacks=[kind(), Quiet()], early_stopping=True, checkpoint_every_epochs=1, **kwargs)

    unbroken = make().fit(X, Y)
    cut_off(make, tmp_path / "a", 3)
    for _ in ("an unfinished fit", "a finished one"):
        resumed = make(checkpoint=tmp_path / "a").fit(X, Y)
        assert same_bits(resumed, unbroken)
        assert resumed.callbacks[0].lock.acquire(blocking=False)


def test_closures_and_local_classes_are_resumed(tmp_path):
    class Local(nn.Linear):
        pass

    class Halving(Callback):
        def initialize(self):
            self.factor = lambda epoch: 0.5**epoch
            return self

        def on_epoch_begin(self, net, **kwargs):
            net.optimizer_.param_groups[0]["initial_lr"] = self.factor(len(net.history))

    def make(**kwargs):
        network = nn.Sequential(Local(5, 8), nn.ReLU(), Local(8, 2))
        return NeuralClassifier(
            network, max_epochs=6, lr=0.02, callbacks=[Halving(), Quiet()], random_state=0, checkpoint_every_epochs=1,
            lr_schedule=torch.optim.lr_scheduler.LambdaLR, lr_schedule_params={"lr_lambda": half}, **kwargs,
        )  # fmt: skip

    torch.manual_seed(0)
    unbroken = make().fit(X, Y)
    torch.manual_seed(0)
    cut_off(make, tmp_path / "a", 3)
    torch.manual_seed(0)
    resumed = make(checkpoint=tmp_path / "a").fit(X, Y)
    assert same_bits(resumed, unbroken)
    assert isinstance(resumed.module_[0], Local)


def half(epoch: int) -> float:
    return 0.5**epoch
