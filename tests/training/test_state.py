"""What exists only while a net is trained: each field stored in a checkpoint or computed again, none pickled."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sknn import NeuralClassifier
from sknn._checkpoint.graph import dumps, loads
from sknn._training.state import ANEW, STORED, TrainingState
from sknn.callbacks import GradientClipping
from sknn.modules import MLP

from .nets import make_net, make_plan, make_rows, train


class AtEpoch(Callback):
    """Calls a function with the net at the end of an epoch."""

    def __init__(self, number: int, call: Any) -> None:
        self.number, self.call = number, call

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == self.number:
            self.call(net)


def test_every_field_says_whether_a_checkpoint_stores_it() -> None:
    for field in dataclasses.fields(TrainingState):
        assert field.metadata in (STORED, ANEW), field.name


def test_a_net_has_a_state_until_it_is_released() -> None:
    net = make_net(epochs=1)
    assert net.run is not None
    train(net, make_rows())
    net.release()
    assert net.run is None
    plan = make_plan(lr=0.02)
    net.attach(plan)
    assert net.run.plan is plan
    assert net.run.lr_changed


def test_a_fitted_estimator_has_none() -> None:
    assert NeuralClassifier(MLP, max_epochs=1).fit(np.eye(4), [0, 1, 0, 1]).net_.run is None


def test_a_net_that_is_pickled_in_training_leaves_its_state_behind() -> None:
    pickles: list[bytes] = []
    net = make_net(
        epochs=2, callbacks=[AtEpoch(1, lambda net: pickles.append(pickle.dumps(net.__getstate__()["run"])))]
    )
    train(net, make_rows())
    assert pickle.loads(pickles[0]) is None
    net.callbacks, net.callbacks_ = [], []
    twin = pickle.loads(pickle.dumps(net))
    assert net.run is not None
    assert twin.run is None
    assert twin.flat_parameters is None
    assert set(vars(twin)) == set(vars(net))


def test_a_checkpoint_brings_back_every_field_that_it_stores() -> None:
    kept: list[bytes] = []
    expected: dict[str, Any] = {}

    def store(net: Any) -> None:
        run = net.run
        run.n_scalings, run.lr_schedule_params = 2, {"warmup": 0.3}  # as a repair would
        generator = torch.Generator().manual_seed(3)
        kept.append(dumps(net.training_state(generator), {"net": net, "run": run}))
        expected.update({f.name: copy.copy(getattr(run, f.name)) for f in dataclasses.fields(run)})

    plan: dict[str, Any] = {"lr_schedule": "cosine", "ema_decay": 0.9, "keeps_interrupted": True}
    net = make_net(torch.optim.AdamW, callbacks=[AtEpoch(2, store)], **plan)
    train(net, make_rows(), make_rows(seed=1))

    calls: list[str] = []
    twin = make_net(torch.optim.AdamW, scale_inputs=lambda: calls.append("scaled") or (lambda: None), **plan)
    twin.continue_from(loads(kept[0], {"net": twin, "run": twin.run}))
    run = twin.run
    assert run is not None
    assert run.is_resumed
    assert calls == ["scaled"] * 2
    assert run.plan is not net.run.plan
    for field in dataclasses.fields(TrainingState):
        got, wanted = getattr(run, field.name), expected[field.name]
        if field.name in ("schedule", "average", "kept_epoch"):
            assert type(got) is type(wanted) is not type(None)
        elif field.name == "shuffle_state":
            assert torch.equal(got, torch.Generator().manual_seed(3).get_state())
        elif field.metadata == STORED:
            assert got == wanted, field.name
    assert run.kept_epoch.number == expected["kept_epoch"].number
    for got, wanted in zip(run.average.average, expected["average"].average, strict=True):
        assert got.shape == wanted.shape
    assert run.schedule.optimizer is twin.optimizer_


def test_undone_scalings_are_not_counted() -> None:
    state = TrainingState(make_plan(scale_inputs=lambda: lambda: None))
    undo = state.scale_inputs()
    assert state.n_scalings == 1
    undo()
    assert state.n_scalings == 0
    assert TrainingState(make_plan()).scale_inputs is None


class ListensToSteps(Callback):
    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("callback", "is_foreign"), [(GradientClipping(), False), (AtEpoch(1, print), False), (ListensToSteps(), True)]
)
def test_only_callbacks_of_others_that_listen_to_steps_are_foreign(callback: Any, is_foreign: bool) -> None:
    state = TrainingState(make_plan())
    state.listen([("it", callback)])
    assert state.foreign_steps == is_foreign


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_plan().lr = 1.0
