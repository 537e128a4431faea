"""Watching does not disturb modules, data and callbacks that do what few do."""

from __future__ import annotations

import pickle
import random
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import EarlyStopping, GradientClipping, GradientHealth
from sknn.exceptions import GradientHealthWarning, TrainingHealthError
from sknn.modules import MLP

X, Y = load_breast_cancer(return_X_y=True)
SCALED = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
DIABETES = load_diabetes(return_X_y=True)


def fitted(model, *data, **fit_params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        return model.fit(*data, **fit_params)


class CausalMask(nn.Module):
    """Attention over groups of columns with a mask of minus infinity."""

    def __init__(self, in_features, out_features) -> None:
        super().__init__()
        self.embed, self.out = nn.Linear(in_features, 12), nn.Linear(3, out_features)
        self.register_buffer("mask", torch.full((4, 4), -torch.inf).triu(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embed(x).view(-1, 4, 3)
        return self.out(((h @ h.mT + self.mask).softmax(-1) @ h)[:, -1])


def test_a_mask_that_is_infinite_from_the_start_is_no_finding():
    model = NeuralClassifier(CausalMask, max_epochs=8, early_stopping=False, random_state=0).fit(X, Y)
    assert model.n_iter_ == 8
    assert model.health_.findings == []


class Projected(nn.Module):
    def __init__(self, in_features, out_features) -> None:
        super().__init__()
        self.rnn, self.out = nn.LSTM(1, 8, proj_size=3, batch_first=True), nn.Linear(3, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.rnn(x[:, :12, None])[0][:, -1])


class NothingInside(MLP):
    def __init__(self, in_features, out_features) -> None:
        super().__init__(in_features, out_features, hidden_sizes=(8,))
        self.empty = nn.Linear(in_features, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + self.empty(x).sum(1, keepdim=True)


class Fourier(nn.Module):
    """Complex weights, as in Fourier neural operators."""

    def __init__(self, in_features, out_features) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.ones(in_features // 2 + 1, dtype=torch.cfloat))
        self.out = nn.Linear(in_features, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.fft.irfft(torch.fft.rfft(x) * self.filter, n=x.shape[1]))


@pytest.mark.parametrize("module", [Projected, NothingInside, Fourier])
@pytest.mark.parametrize("health", ["warn", "repair"])
def test_odd_weights_are_watched_or_left_alone(module, health):
    settings = {"max_epochs": 3, "random_state": 0}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="LSTM with projections|Initializing zero-element")
        watched = NeuralClassifier(module, gradient_health=health, **settings).fit(X, Y)
        unwatched = NeuralClassifier(module, gradient_health=None, **settings).fit(X, Y)
    np.testing.assert_array_equal(watched.predict_proba(X), unwatched.predict_proba(X))


def test_tied_weights_are_known_by_their_first_name():
    class Tied(nn.Module):
        def __init__(self, in_features, out_features) -> None:
            super().__init__()
            self.first = nn.Linear(in_features, in_features)
            self.second, self.out = self.first, nn.Linear(in_features, out_features)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(torch.relu(self.second(torch.relu(self.first(x)))))

    model = fitted(NeuralClassifier(Tied, lr=1e-8, max_epochs=20, random_state=0, gradient_health="repair"), X, Y)
    assert "first" in model.health_.epochs[0].layers
    assert model.health_.status == "repaired"
    assert model.score(X, Y) > 0.9


def test_missing_numbers_that_the_module_fills_in_train_a_plain_net():
    class Fills(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(30, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(torch.nan_to_num(x))

    table = SCALED.copy()
    table[::3, 5] = np.nan
    net = NeuralNetClassifier(
        Fills, criterion=nn.CrossEntropyLoss, lr=0.1, max_epochs=6, verbose=0, callbacks=[GradientHealth()]
    )
    net.fit(table, Y)
    assert len(net.history) == 6
    assert dict(net.callbacks_)["GradientHealth"].health_.findings == []


def test_a_subclass_of_the_clipping_is_told_of_every_step():
    class Counts(GradientClipping):
        n_steps = 0

        def on_grad_computed(self, net, named_parameters, **kwargs):
            Counts.n_steps += 1
            super().on_grad_computed(net, named_parameters, **kwargs)

    model = NeuralClassifier(MLP, max_epochs=4, batch_size=16, callbacks=[Counts()], random_state=0).fit(X, Y)
    assert Counts.n_steps == model.net_.steps_done_


def test_buffers_that_a_module_replaces_go_back_to_the_best_epoch():
    class Remembers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(10, 1)
            self.register_buffer("n_batches", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                self.n_batches = self.n_batches + 1
            return self.layer(x)

    best = []

    class Notes(Callback):
        def on_epoch_end(self, net, **kwargs):
            best.append((net.history[-1, "valid_loss"], float(net.module_.n_batches)))

    y = ((DIABETES[1] - DIABETES[1].mean()) / DIABETES[1].std()).astype(np.float32).reshape(-1, 1)
    net = NeuralNetRegressor(
        Remembers, lr=1.5, max_epochs=8, verbose=0, callbacks=[Notes(), EarlyStopping(patience=100)]
    )
    net.fit(DIABETES[0].astype(np.float32) * 20, y)
    assert float(net.module_.n_batches) == min(best)[1]


def test_a_second_scaling_is_put_upon_the_first():
    def far(*columns):
        factors = np.ones(30)
        factors[list(columns)] = 1e6
        return SCALED * factors

    model = NeuralClassifier(
        MLP,
        preprocessing=False,
        gradient_health="repair",
        warm_start=True,
        max_epochs=20,
        batch_size=32,
        random_state=0,
    )
    fitted(model, far(3), Y)
    assert model.score(far(3), Y) > 0.9
    fitted(model, far(3, 5), Y)
    assert model.score(far(3, 5), Y) > 0.9

    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == n_epochs + 14:  # inputs are scaled, on trial
                raise RuntimeError("on purpose")

    n_epochs = len(model.net_.history)
    before = model.predict_proba(far(3, 5))
    model.set_params(callbacks=[Fails()])
    with pytest.raises(RuntimeError, match="on purpose"):
        fitted(model, far(3, 5, 7), Y)
    np.testing.assert_array_equal(model.predict_proba(far(3, 5)), before)


def test_scaling_forgets_the_best_weights_of_before():
    factors = np.ones(30)
    factors[2] = 100.0
    for seed in range(3):
        model = NeuralClassifier(
            MLP, preprocessing=False, gradient_health="repair", scoring="accuracy", early_stopping=True, max_epochs=20,
            validation_fraction=0.08, random_state=seed,
        )  # fmt: skip
        fitted(model, SCALED * factors * 30, Y)
        assert model.score(SCALED * factors * 30, Y) > 0.9


def test_a_stop_by_the_user_begins_no_further_run_and_leaves_no_change_on_trial():
    far = SCALED * np.where(np.arange(30) == 2, 1e6, 1)

    class Stops(Callback):
        def __init__(self, epoch) -> None:
            self.epoch = epoch

        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == self.epoch:
                raise KeyboardInterrupt

    for epoch in (12, 20):
        model = NeuralClassifier(
            MLP, preprocessing=False, gradient_health="repair", max_epochs=20, batch_size=32, callbacks=[Stops(epoch)],
            random_state=0,
        )  # fmt: skip
        fitted(model, far, Y)
        assert len(model.net_.history) == epoch
        scaled = any(repair.kept and "inputs" in repair.change for repair in model.health_.repairs)
        assert (model._inputs.rescaling is not None) == scaled


def test_random_numbers_of_numpy_and_python_are_those_of_a_training_without_watching():
    class Noisy(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return 200

        def __getitem__(self, i):
            noise = np.random.normal(size=30) + random.random()
            return (SCALED[i] + 0.1 * noise).astype(np.float32), Y[i]

    def weights(callbacks):
        np.random.seed(0)
        random.seed(0)
        torch.manual_seed(0)
        net = NeuralNetClassifier(
            nn.Linear(30, 2),
            criterion=nn.CrossEntropyLoss,
            train_split=None,
            max_epochs=3,
            verbose=0,
            callbacks=callbacks,
        )
        return net.fit(Noisy(), None).module_.weight.detach()

    assert torch.equal(weights([]), weights([GradientHealth()]))


def test_a_net_that_an_error_has_ended_can_be_pickled():
    net = NeuralNetClassifier(
        nn.Sequential(nn.Linear(30, 2), nn.Softmax(1)), criterion=nn.CrossEntropyLoss, max_epochs=3, verbose=0,
        callbacks=[GradientHealth(action="raise")],
    )  # fmt: skip
    with pytest.raises(TrainingHealthError):
        net.fit(SCALED, Y)
    pickle.loads(pickle.dumps(net))


def test_classes_at_each_point_of_a_sequence_have_a_constant_of_their_own():
    rng = np.random.default_rng(0)
    y = (rng.random((200, 20)) > 0.95).astype(np.int64)
    x = rng.normal(size=(200, 4, 20)).astype(np.float32)
    net = NeuralNetClassifier(
        nn.Conv1d(4, 2, 3, padding=1), criterion=nn.CrossEntropyLoss, train_split=None, max_epochs=3, verbose=0,
        callbacks=[GradientHealth()],
    )  # fmt: skip
    net.fit(x, y)
    share = y.mean()
    expected = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert dict(net.callbacks_)["GradientHealth"].health_.constant_loss == pytest.approx(expected, rel=0.15)


def test_no_rate_is_repaired_that_a_scheduler_of_skorch_sets():
    net = NeuralNetClassifier(
        nn.Linear(30, 2), criterion=nn.CrossEntropyLoss, lr=1e-9, max_epochs=30, batch_size=32, verbose=0,
        callbacks=[GradientHealth(action="repair"), LRScheduler("StepLR", step_size=100)],
    )  # fmt: skip
    fitted(net, SCALED, Y)
    health = dict(net.callbacks_)["GradientHealth"].health_
    assert not any(repair.change.startswith("lr ") for repair in health.repairs)


def test_lbfgs_is_not_told_to_clip():
    model = NeuralRegressor(MLP, optimizer=torch.optim.LBFGS, lr=500.0, max_epochs=10, random_state=0)
    health = fitted(model, *DIABETES).health_
    assert health.findings
    assert "gradient_clipping" not in health.findings[0].remedy


def test_half_precision_knows_its_own_infinity():
    from sknn._health.origin import has_overflown

    assert has_overflown(torch.tensor([torch.inf]).half())
    assert not has_overflown(torch.tensor([6e4]).half())
