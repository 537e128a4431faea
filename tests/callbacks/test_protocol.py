"""What a net of sknn asks of callbacks."""

from __future__ import annotations

import pytest
from skorch import NeuralNet
from torch import nn

from sknn import NeuralClassifier
from sknn.callbacks import EarlyStopping, GradientClipping, GradientHealth
from sknn.callbacks._protocol import SknnCallback, flat_parameters_of, run_of
from sknn.modules import MLP
from tests.health.subjects import CANCER


def test_a_plain_net_has_no_training_run():
    net = NeuralNet(nn.Linear(2, 1), nn.MSELoss).initialize()
    assert run_of(net) is None
    assert flat_parameters_of(net) is None


@pytest.mark.parametrize("callback", [EarlyStopping(), GradientClipping(), GradientHealth()])
def test_callbacks_store_their_whole_state_in_a_checkpoint(callback):
    assert isinstance(callback, SknnCallback)
    assert callback.state_in_training() == vars(callback)


def test_a_subclass_of_the_clipping_is_told_of_every_step():
    class Counts(GradientClipping):
        n_steps = 0

        def on_grad_computed(self, net, named_parameters, **kwargs):
            Counts.n_steps += 1
            super().on_grad_computed(net, named_parameters, **kwargs)

    model = NeuralClassifier(MLP, max_epochs=4, batch_size=16, callbacks=[Counts()], random_state=0).fit(*CANCER)
    assert Counts.n_steps == model.net_.steps_done_
