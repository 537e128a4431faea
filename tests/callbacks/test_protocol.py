"""What a net of sknn asks of callbacks."""

from __future__ import annotations

import pickle

import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNet
from torch import nn

from sknn import NeuralClassifier
from sknn.callbacks import EarlyStopping, GradientClipping, GradientHealth
from sknn.callbacks._protocol import SknnCallback, flat_parameters_of, run_of
from sknn.modules import MLP
from tests.checkpoint.fits import X, Y, quick
from tests.health.subjects import CANCER


def test_a_plain_net_has_no_training_run():
    net = NeuralNet(nn.Linear(2, 1), nn.MSELoss).initialize()
    assert run_of(net) is None
    assert flat_parameters_of(net) is None


@pytest.mark.parametrize("callback", [EarlyStopping(), GradientClipping(), GradientHealth()])
def test_callbacks_store_their_whole_state_in_a_checkpoint(callback):
    assert isinstance(callback, SknnCallback)
    assert callback.state_in_training() == vars(callback)


@pytest.mark.parametrize("kind", [EarlyStopping, GradientHealth])
def test_a_pickle_in_the_middle_of_a_training_run_holds_nothing_of_it(kind):
    class Pickled(kind):
        def on_batch_end(self, net, **kwargs):
            if len(net.history) == 3 and not stored:
                stored.append((self.__getstate__(), self.state_in_training(), dict(vars(self))))

    stored = []
    quick(callbacks=[Pickled()], early_stopping=True).fit(X, Y)
    ((pickled, in_training, attributes),) = stored
    of_run = {name for name in attributes if pickled[name] is not attributes[name]}
    assert of_run == {EarlyStopping: {"_state"}, GradientHealth: {"_steps", "_evidence"}}[kind]
    assert {pickled[name] for name in of_run} == {None}
    assert in_training == attributes
    assert len(pickle.dumps(pickled)) < 20_000


def test_a_subclass_of_the_clipping_is_told_of_every_step():
    class Counts(GradientClipping):
        n_steps = 0

        def on_grad_computed(self, net, named_parameters, **kwargs):
            Counts.n_steps += 1
            super().on_grad_computed(net, named_parameters, **kwargs)

    model = NeuralClassifier(MLP, max_epochs=4, batch_size=16, callbacks=[Counts()], random_state=0).fit(*CANCER)
    assert Counts.n_steps == model.net_.steps_done_


class Open(EarlyStopping):
    """Passes what it does not know on."""

    def __init__(self, factor=2, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor


class Closed(EarlyStopping):
    """Hides most parameters."""

    def __init__(self, patience=3):
        super().__init__(patience=patience, monitor="train_loss")


class Inherited(Open):
    pass


@pytest.mark.parametrize("kind", [Open, Inherited])
def test_a_subclass_of_a_callback_that_passes_arguments_on_can_be_cloned_and_searched(kind):
    assert list(kind(patience=4).get_params())[:3] == ["factor", "monitor", "patience"]
    assert clone(kind(patience=4, factor=3)).get_params() == kind(patience=4, factor=3).get_params()
    model = NeuralClassifier(MLP, max_epochs=2, callbacks=[kind(patience=4)], early_stopping=True, random_state=0)
    search = GridSearchCV(model, {f"callbacks__{kind.__name__}__patience": [1, 2]}, cv=2).fit(*CANCER)
    assert search.best_estimator_.callbacks[0].patience in (1, 2)


def test_a_subclass_of_a_callback_may_hide_parameters():
    assert Closed(5).get_params() == {"patience": 5}
    assert clone(Closed(5)).monitor == "train_loss"
