"""What a net of sknn asks of callbacks."""

from __future__ import annotations

from sknn import NeuralClassifier
from sknn.callbacks import GradientClipping
from sknn.modules import MLP
from tests.health.subjects import CANCER


def test_a_subclass_of_the_clipping_is_told_of_every_step():
    class Counts(GradientClipping):
        n_steps = 0

        def on_grad_computed(self, net, named_parameters, **kwargs):
            Counts.n_steps += 1
            super().on_grad_computed(net, named_parameters, **kwargs)

    model = NeuralClassifier(MLP, max_epochs=4, batch_size=16, callbacks=[Counts()], random_state=0).fit(*CANCER)
    assert Counts.n_steps == model.net_.steps_done_
