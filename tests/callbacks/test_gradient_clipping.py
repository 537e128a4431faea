"""GradientClipping: what is bounded, what is skipped, and what it tells; on the CPU and without reading a device."""

from __future__ import annotations

import math
import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from sknn import NeuralClassifier
from sknn.callbacks import EarlyStopping, GradientClipping, GradientHealth, _gradients
from sknn.callbacks._gradients import trained_gradients
from sknn.modules import MLP

X, Y = load_iris(return_X_y=True)
X32 = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
NET = SimpleNamespace()  # has no flat buffer
PATHS = ["cpu", "device"]


def begun(*args, **params) -> GradientClipping:
    clipping = GradientClipping(*args, **params)
    clipping.on_train_begin(NET)
    clipping.on_epoch_begin(NET)
    return clipping


def with_gradients(*gradients, weights=None) -> list[Any]:
    parameters = [nn.Parameter(torch.zeros_like(g)) for g in gradients] if weights is None else weights
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    return parameters


def take_step(clipping, parameters, path="cpu") -> float:
    """Clip, on tensors of the CPU in both ways; return the norm after."""
    named = [(f"p{i}", parameter) for i, parameter in enumerate(parameters)]
    if path == "cpu":
        clipping.on_grad_computed(NET, named)
    else:
        clipping._clip_on_device(NET, named, trained_gradients(NET, named))
    return math.hypot(*(p.grad.to_dense().double().norm().item() for p in parameters if p.grad is not None))


def norms_after(clipping, norms, path="cpu") -> list[float]:
    """Steps of two gradients with these norms together."""
    halves = [torch.tensor([0.6]), torch.tensor([[0.8]])]
    return [take_step(clipping, with_gradients(*(norm * half for half in halves)), path) for norm in norms]


# ------------------------------------------------------------------ a fixed bound


@pytest.mark.parametrize("path", PATHS)
def test_large_gradients_are_scaled_down_together_and_small_ones_pass(path):
    parameters = with_gradients(torch.tensor([3.0]), torch.tensor([4.0]))
    clipping = begun(1.0)
    take_step(clipping, parameters, path)
    assert [p.grad.item() for p in parameters] == pytest.approx([0.6, 0.8])
    small = with_gradients(torch.tensor([0.3]))
    take_step(clipping, small, path)
    assert small[0].grad.item() == pytest.approx(0.3)
    take_step(clipping, with_gradients(torch.zeros(2)), path)
    assert clipping.norms_ == pytest.approx([5.0, 0.3, 0.0])
    assert clipping.skipped_ == 0


class NormsOfSteps(Callback):
    """Of what the optimizer was given."""

    def on_train_begin(self, net, **kwargs):
        self.norms = []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            gradients = [p.grad.flatten() for p in net.module_.parameters() if p.grad is not None]
            self.norms.append(torch.cat(gradients).norm().item())


def plain_net(module: Any = MLP, **params) -> NeuralNetClassifier:
    settings = dict(criterion=nn.CrossEntropyLoss, verbose=0, lr=0.1, max_epochs=3, batch_size=32, train_split=None)
    sizes = dict(module__in_features=4, module__out_features=3) if module is MLP else {}
    torch.manual_seed(0)
    return NeuralNetClassifier(module, **{**settings, **sizes, **params})


def clipping_of(net) -> Any:
    return next(callback for _, callback in net.callbacks_ if isinstance(callback, GradientClipping))


@pytest.mark.parametrize("where", ["estimator", "skorch"])
def test_clipping_bounds_the_norm(where):
    callbacks = [GradientClipping(max_norm=0.01), NormsOfSteps()]
    if where == "estimator":
        net = NeuralClassifier(max_epochs=2, callbacks=callbacks).fit(X, Y).net_
    else:
        net = plain_net(callbacks=callbacks).fit(X32, Y.astype(np.int64))
    norms = dict(net.callbacks_)["NormsOfSteps"].norms
    assert len(norms) > 3
    assert max(norms) <= 0.01 * 1.0001
    assert min(clipping_of(net).norms_) > 0.01
    assert net.history[:, "clipped_share"] == [1.0] * len(net.history)


# ------------------------------------------------------------------ "auto"


def reference_bound(applied) -> float:
    """The slow, obvious way: the norms of the last 100 steps, as applied."""
    ordinary = sorted(norm for norm in applied[-100:] if 0 < norm < math.inf)
    if not ordinary:
        return math.inf
    multiple = 5 if len(ordinary) >= 5 else 50
    return max(multiple * ordinary[len(ordinary) // 2], 2 * ordinary[len(ordinary) - 1 - len(ordinary) // 20])


def random_norms(n=400) -> list[float]:
    """Ordinary steps whose level drifts, spikes, zeros, NaN and infinity."""
    generator = np.random.default_rng(0)
    norms = np.exp(0.5 * generator.normal(size=n) - np.arange(n) / 100)
    norms[generator.choice(n, 30, replace=False)] *= 100
    norms[generator.choice(n, 30, replace=False)] = 0
    norms[generator.choice(n, 20, replace=False)] = math.nan
    norms[[50, 51, 300]] = math.inf
    return norms.tolist()


@pytest.mark.parametrize("path", PATHS)
def test_the_automatic_bound_equals_the_slow_reference(path, monkeypatch):
    monkeypatch.setattr(_gradients, "REFRESH", 1)
    norms = random_norms()
    found = norms_after(begun(), norms, path)
    applied = []
    for norm in norms:
        applied.append(min(norm, reference_bound(applied)) if math.isfinite(norm) else 0.0)
    assert found == pytest.approx(applied, rel=1e-5)
    assert sum(a < n for a, n in zip(applied, norms, strict=True)) > 10


@pytest.mark.parametrize("path", PATHS)
def test_ordinary_steps_pass_and_spikes_are_cut(path):
    generator = np.random.default_rng(0)
    norms = np.exp(0.3 * generator.normal(size=150))
    norms[[60, 61, 90, 149]] = [1e3, 1e6, 50.0, 1e12]
    clipping = begun()
    found = np.array(norms_after(clipping, norms, path))
    spikes = norms > 10
    np.testing.assert_allclose(found[~spikes], norms[~spikes], rtol=1e-5)
    assert ((found[spikes] > 4) & (found[spikes] < 6)).all()
    assert clipping.norms_ == pytest.approx(norms.tolist(), rel=1e-5)
    assert clipping._n_clipped == 4


@pytest.mark.parametrize("path", PATHS)
def test_the_bound_is_loose_in_the_first_steps(path):
    norms = [1.0, 30.0, 45.0, 1.0, 40.0]
    assert norms_after(begun(), norms, path) == pytest.approx(norms)
    assert norms_after(begun(), [1.0, 1e30, 1.0, 1e6], path) == pytest.approx([1.0, 50.0, 1.0, 100.0])


@pytest.mark.parametrize("path", PATHS)
def test_a_norm_that_recurs_is_no_spike(path):
    norms = [10.0 if i % 8 == 0 else 1.0 for i in range(400)]  # batches with a row of a rare class
    found = norms_after(begun(), norms, path)
    assert found[-100:] == pytest.approx(norms[-100:])


@pytest.mark.parametrize("path", PATHS)
def test_only_recent_norms_count(path):
    found = norms_after(begun(), [1000.0] * 120 + [1.0] * 120 + [1000.0], path)
    assert found[-1] == pytest.approx(5.0, rel=1e-5)


def test_a_run_of_explosions_lifts_the_bound_slowly():
    found = norms_after(begun(), [1.0] * 100 + [10.0**i for i in range(1, 31)])
    assert max(found) < 100


@pytest.mark.parametrize("path", PATHS)
def test_started_again_what_was_ordinary_is_forgotten(path):
    clipping = begun()
    norms_after(clipping, [1.0] * 40, path)
    clipping.start_again()
    assert norms_after(clipping, [1e4, 1e4], path) == pytest.approx([1e4, 1e4])
    assert len(clipping.norms_) == 42


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0])
def test_steps_without_a_norm_leave_the_bound_as_it_was(path, bad):
    found = norms_after(begun(), [1.0] * 40 + [bad] * 40 + [100.0], path)
    assert found[-1] == pytest.approx(5.0)


def test_the_multiple_is_a_parameter():
    assert norms_after(begun(multiple=3), [1.0] * 40 + [100.0])[-1] == pytest.approx(3.0)


class NoReads(TorchDispatchMode):
    """What would make the host wait for a device is an error."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name()
        assert name not in ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero"), name
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("params", [{}, {"max_norm": 0.1}, {"max_norm": 0.1, "by": "value"}, {"max_norm": 0.1, "by": "parameter"}])  # fmt: skip
def test_on_a_device_nothing_is_read_until_the_epoch_ends(params):
    clipping = begun(**params)
    named = [("p", nn.Parameter(torch.ones(3)))]
    for i in range(40):
        named[0][1].grad = torch.full((3,), math.nan if i == 30 else 1.0)
        with NoReads():
            clipping._clip_on_device(NET, named, [named[0][1].grad])
    assert len(clipping.norms_) == 40
    assert clipping.first_skipped_ == (31, ["p"])
    named.append(("q", nn.Parameter(torch.ones(3))))
    for _, parameter in named:
        parameter.grad = torch.ones(3)
    with NoReads(), pytest.raises(AssertionError, match="_local_scalar_dense"):  # on the CPU it is
        clipping.on_grad_computed(NET, named)


# ------------------------------------------------------------------ overflow, NaN, infinity


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("n_tensors", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_gradients_whose_norm_overflows_are_scaled_down(path, n_tensors, dtype):
    parameters = with_gradients(*[torch.tensor([1e30, -2e30, 2e30], dtype=dtype)] * n_tensors)
    clipping = begun(1.5)
    assert take_step(clipping, parameters, path) == pytest.approx(1.5, rel=1e-2)
    expected = torch.tensor([0.5, -1.0, 1.0]) / math.sqrt(n_tensors)
    for parameter in parameters:
        torch.testing.assert_close(parameter.grad.float(), expected, rtol=1e-2, atol=0)
    assert clipping.norms_ == pytest.approx([3e30 * math.sqrt(n_tensors)], rel=1e-2)
    assert clipping.skipped_ == 0


@pytest.mark.parametrize("path", PATHS)
def test_a_spike_beyond_float32_is_cut_to_the_automatic_bound(path):
    assert norms_after(begun(), [1.0] * 40 + [1e30], path)[-1] == pytest.approx(5.0)


@pytest.mark.parametrize("path", PATHS)
def test_a_gradient_whose_square_is_infinite_is_skipped_while_there_is_no_bound(path):
    clipping = begun()
    assert norms_after(clipping, [0.0, 1e30, 1.0], path) == pytest.approx([0.0, 0.0, 1.0])
    assert clipping.first_skipped_ == (2, ["p1"])  # the larger one


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("params", [{}, {"max_norm": 1e-3}, {"max_norm": 1.0, "by": "value"}, {"max_norm": 1.0, "by": "parameter"}])  # fmt: skip
def test_a_step_with_nan_or_infinity_is_skipped_and_counted(path, bad, params):
    clipping = begun(**params)
    good = torch.ones(2, 2)
    spoilt = good.clone()
    spoilt[1, 0] = bad
    assert take_step(clipping, with_gradients(good, good), path) > 0
    assert take_step(clipping, with_gradients(good, spoilt), path) == 0
    assert take_step(clipping, with_gradients(spoilt, spoilt), path) == 0
    assert clipping.skipped_ == 2
    assert clipping.first_skipped_ == (2, ["p1"])
    assert clipping.norms_ == pytest.approx([math.sqrt(8), math.nan, math.nan], nan_ok=True)


class Poison(Callback):
    """Spoils the gradient of the last parameter in some steps."""

    def __init__(self, steps, value=math.nan):
        self.steps = steps
        self.value = value

    def on_train_begin(self, net, **kwargs):
        self.seen = 0

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.seen += 1
        if self.seen in self.steps:
            list(named_parameters)[-1][1].grad[0] = self.value


@pytest.mark.parametrize(
    ("optimizer", "value"),
    [
        (torch.optim.AdamW, math.nan),
        (torch.optim.AdamW, 1e30),
        (torch.optim.SGD, math.inf),
        (torch.optim.ASGD, math.nan),
        (torch.optim.ASGD, 1e30),
    ],
)
def test_a_spoilt_gradient_does_not_harm_the_training_of_an_estimator(optimizer, value):
    steps = (1, 3, 12)
    model = NeuralClassifier(
        MLP, optimizer=optimizer, lr=0.02 if optimizer is torch.optim.AdamW else 0.2, max_epochs=20, batch_size=16, random_state=0, gradient_health=None,
        callbacks=[Poison(steps, value)],
    ).fit(X, Y)  # fmt: skip
    assert (model.net_.flat_parameters is None) == (optimizer is torch.optim.ASGD)
    clipping = clipping_of(model.net_)
    last_name = list(model.net_.module_.named_parameters())[-1][0]
    # What is only large is scaled down as soon as there is a bound.
    expected = [1, 0] if value == 1e30 else [2, 1]
    assert (clipping.skipped_, clipping.first_skipped_) == (sum(expected), (1, [last_name]))
    assert model.net_.history[:, "skipped_steps"] == expected + [0] * 18
    assert model.score(X, Y) > 0.9


def test_a_spoilt_gradient_leaves_plain_skorch_trained():
    poison = Poison((2, 15))
    net = plain_net(lr=0.3, max_epochs=20, callbacks=[poison, GradientClipping()]).fit(X32, Y.astype(np.int64))
    assert clipping_of(net).skipped_ == 2
    assert net.score(X32, Y) > 0.9


# ------------------------------------------------------------------ by value, by parameter


@pytest.mark.parametrize("path", PATHS)
def test_by_value_each_number_is_bounded(path):
    parameters = with_gradients(torch.tensor([0.5, -3.0, 1e30]), torch.tensor([[2.0]]))
    clipping = begun(1.0, by="value")
    take_step(clipping, parameters, path)
    assert [p.grad.flatten().tolist() for p in parameters] == [[0.5, -1.0, 1.0], [1.0]]
    inside = with_gradients(torch.tensor([0.9, -0.9]))  # larger than 1 as a whole
    take_step(clipping, inside, path)
    assert inside[0].grad.tolist() == pytest.approx([0.9, -0.9])
    clipping._read_device()
    assert clipping._n_clipped == 1


def adaptively_clipped(weights, gradient, ratio):
    """Brock et al. 2021, equation 3, unit by unit."""
    if weights.squeeze().ndim < 2:
        weights, gradient = weights[None], gradient[None]
    units = []
    for w, g in zip(weights, gradient, strict=True):
        bound = ratio * max(w.norm().item(), 1e-3)
        units.append(g * min(1.0, bound / max(g.norm().item(), 1e-6)))
    return torch.stack(units)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shape", [(5, 3), (4, 2, 3, 3), (7,), (), (1, 6), (6, 1)])
def test_by_parameter_each_unit_is_bounded_relative_to_its_weights(path, shape):
    torch.manual_seed(0)
    weights: Any = nn.Parameter(torch.randn(shape) * torch.randn(shape[:1] + (1,) * (len(shape) - 1)).exp())
    gradient = torch.randn(shape)
    take_step(begun(0.2, by="parameter"), with_gradients(gradient, weights=[weights]), path)
    expected = adaptively_clipped(weights.detach(), gradient, 0.2)
    torch.testing.assert_close(weights.grad, expected.view(shape))
    assert not torch.equal(weights.grad, gradient)


@pytest.mark.parametrize("path", PATHS)
def test_by_parameter_weights_of_zero_can_leave_zero(path):
    parameters = with_gradients(torch.tensor([3.0, 4.0]))
    assert take_step(begun(0.1, by="parameter"), parameters, path) == pytest.approx(0.1 * 1e-3)


def test_by_parameter_overflow_and_small_gradients():
    clipping = begun(0.1, by="parameter")
    weights: list[Any] = [nn.Parameter(torch.ones(2, 4)), nn.Parameter(torch.ones(3))]
    take_step(clipping, with_gradients(torch.full((2, 4), 1e30), torch.full((3,), 0.01), weights=weights))
    torch.testing.assert_close(weights[0].grad, torch.full((2, 4), 0.1))
    torch.testing.assert_close(weights[1].grad, torch.full((3,), 0.01))
    take_step(clipping, with_gradients(torch.full((2, 4), 0.01), torch.full((3,), 0.01), weights=weights))
    assert clipping._n_clipped == 1


@pytest.mark.parametrize("clipping", [GradientClipping(0.01, by="parameter"), GradientClipping(0.01, by="value")])
def test_the_other_ways_train_in_estimator_and_skorch(clipping):
    model = NeuralClassifier(MLP, max_epochs=20, lr=0.01, callbacks=[clipping], random_state=0).fit(X, Y)
    assert model.score(X, Y) > 0.8
    assert max(model.net_.history[:, "clipped_share"]) == 1.0
    net = plain_net(callbacks=[clipping]).fit(X32, Y.astype(np.int64))
    assert max(net.history[:, "clipped_share"]) == 1.0


# ------------------------------------------------------------------ where gradients lie


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("max_norm", ["auto", 0.5])
def test_parameters_without_gradients_are_left_alone(path, max_norm):
    parameters = [*with_gradients(torch.tensor([3.0, 4.0])), nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(0))]
    parameters[2].grad = torch.ones(0)
    clipping = begun(max_norm)
    assert take_step(clipping, parameters, path) == pytest.approx(5.0 if max_norm == "auto" else 0.5)
    parameters[0].grad = torch.tensor([3e30, 4e30])
    assert take_step(clipping, parameters, path) == pytest.approx(250.0 if max_norm == "auto" else 0.5)
    assert parameters[1].grad is None


def test_a_step_without_any_gradient_is_no_step():
    clipping = begun()
    clipping.on_grad_computed(NET, [("p", nn.Parameter(torch.ones(2)))])
    assert (clipping.norms_, clipping.skipped_) == ([], 0)


def test_gradients_of_several_dtypes_have_one_norm():
    parameters = with_gradients(torch.tensor([3.0]), torch.tensor([4.0], dtype=torch.float64))
    assert take_step(begun(1.0), parameters) == pytest.approx(1.0)
    assert [p.grad.item() for p in parameters] == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("params", [{"max_norm": 0.5}, {"max_norm": 0.5, "by": "value"}, {"max_norm": 0.5, "by": "parameter"}])  # fmt: skip
def test_a_sparse_gradient_is_clipped_like_the_dense_one(path, params):
    gradients = []
    for sparse in (True, False):
        torch.manual_seed(0)
        table: Any = nn.Embedding(6, 3, sparse=sparse)
        (table(torch.tensor([2, 2, 4])) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
        take_step(begun(**params), [table.weight], path)
        assert table.weight.grad.is_sparse == sparse
        gradients.append(table.weight.grad.to_dense())
    torch.testing.assert_close(*gradients)
    assert gradients[0].norm() > 0


class Words(nn.Module):
    """A sparse table, a frozen layer and one that is not used."""

    def __init__(self, in_features=4, out_features=3):
        super().__init__()
        self.table = nn.Embedding(8, 5, sparse=True)
        self.frozen = nn.Linear(5, 5).requires_grad_(False)
        self.unused = nn.Linear(2, 2)
        self.head = nn.Linear(5, out_features)

    def forward(self, x):
        return self.head(self.frozen(self.table((x > 0).long() + 2 * torch.arange(4)).sum(1)))


@pytest.mark.parametrize("where", ["estimator", "skorch"])
def test_sparse_frozen_and_unused_parameters(where):
    callbacks = [Poison((3,)), GradientClipping(0.05), NormsOfSteps()]
    if where == "estimator":
        model = NeuralClassifier(
            Words,
            optimizer=torch.optim.SGD,
            max_epochs=3,
            callbacks=callbacks[:2],
            preprocessing=False,
            lr=0.1,
            gradient_health=None,
        )
        net = model.fit(X32, Y).net_
    else:
        net = plain_net(Words, callbacks=callbacks[:2]).fit(X32, Y.astype(np.int64))
    clipping = clipping_of(net)
    assert clipping.first_skipped_ == (3, ["head.bias"])
    assert net.history[-1, "clipped_share"] == 1.0
    assert all(torch.isfinite(parameter).all() for parameter in net.module_.parameters())


class OwnGradients(Callback):
    """Puts new tensors into the place of the views of the flat buffer."""

    def on_grad_computed(self, net, named_parameters, **kwargs):
        for _, parameter in named_parameters:
            parameter.grad = torch.full_like(parameter, 7.0)


def test_gradients_that_a_callback_put_in_place_are_clipped_too():
    callbacks = [GradientClipping(0.01), NormsOfSteps(), OwnGradients()]
    net = NeuralClassifier(MLP, max_epochs=2, callbacks=callbacks).fit(X, Y).net_
    assert net.flat_parameters is not None
    assert max(dict(net.callbacks_)["NormsOfSteps"].norms) <= 0.01 * 1.0001
    n_parameters = sum(p.numel() for p in net.module_.parameters())
    assert clipping_of(net).norms_[0] == pytest.approx(7 * math.sqrt(n_parameters), rel=1e-4)


class AddsAGroup(Callback):
    """Trains a parameter that the module does not have, with a gradient of NaN in the second step."""

    def on_train_begin(self, net, **kwargs):
        self.extra = nn.Parameter(torch.ones(3))
        self.seen = 0
        net.optimizer_.add_param_group({"params": [self.extra]})

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.seen += 1
        self.extra.grad = torch.full((3,), math.nan if self.seen == 2 else 100.0)


def test_parameters_that_a_callback_added_are_clipped_and_named():
    net = NeuralClassifier(
        MLP, max_epochs=2, optimizer=torch.optim.SGD, lr=0.1, gradient_clipping=0.5, gradient_health=None,
        callbacks=[AddsAGroup()],
    ).fit(X, Y).net_  # fmt: skip
    clipping, adds = clipping_of(net), dict(net.callbacks_)["AddsAGroup"]
    assert clipping.first_skipped_ == (2, ["a parameter added to the optimizer"])
    assert clipping.norms_[0] == pytest.approx(100 * math.sqrt(3), rel=0.1)
    assert (adds.extra > 1 - 0.1 * 0.5 * adds.seen).all()


# ------------------------------------------------------------------ what it tells, and when it begins


class Listens(Callback):
    def on_train_begin(self, net, **kwargs):
        self.at_epoch_end, self.medians = [], []

    def on_batch_end(self, net, training=False, **kwargs):
        assert "gradient_norm" not in net.history[-1]

    def on_epoch_end(self, net, **kwargs):
        clipping = clipping_of(net)
        self.at_epoch_end.append((len(clipping.norms_), clipping.skipped_))
        self.medians.append(np.nanmedian(clipping.norms_))


@pytest.mark.parametrize("where", ["estimator", "skorch"])
def test_the_history_of_an_epoch_and_what_others_read_before_its_end(where):
    callbacks = [Poison((2, 9)), Listens(), GradientClipping(1e-3)]
    if where == "estimator":
        net = (
            NeuralClassifier(MLP, max_epochs=3, batch_size=32, gradient_health=None, callbacks=callbacks).fit(X, Y).net_
        )
    else:
        net = plain_net(callbacks=callbacks).fit(X32, Y.astype(np.int64))
    n_steps = len(net.history[-1, "batches"])
    assert dict(net.callbacks_)["Listens"].at_epoch_end == [(n_steps, 1), (n_steps, 2), (n_steps, 2)]
    assert net.history[:, "skipped_steps"] == [1, 1, 0]
    assert net.history[:, "clipped_share"] == pytest.approx([1 - 1 / n_steps, 1 - 1 / n_steps, 1.0])
    assert net.history[:, "gradient_norm"] == pytest.approx(dict(net.callbacks_)["Listens"].medians)


def test_an_epoch_without_a_finite_gradient_has_no_norm():
    net = plain_net(max_epochs=1, callbacks=[Poison(range(100)), GradientClipping()]).fit(X32, Y.astype(np.int64))
    assert math.isnan(net.history[-1, "gradient_norm"])
    assert net.history[-1, "clipped_share"] == 0
    assert net.history[-1, "skipped_steps"] == 5


def test_another_fit_starts_from_the_beginning():
    net = plain_net(callbacks=[Poison((2,)), GradientClipping()])
    net.fit(X32, Y.astype(np.int64))
    net.set_params(callbacks__Poison__steps=(7,))
    net.partial_fit(X32, Y.astype(np.int64))
    clipping = clipping_of(net)
    assert (clipping.skipped_, clipping.first_skipped_[0]) == (1, 7)
    clipping.on_train_begin(net)
    assert (clipping.norms_, clipping.skipped_, clipping.first_skipped_) == ([], 0, None)
    assert clipping._spikes.bound == math.inf


def test_a_trained_net_is_pickled_with_what_was_seen():
    model = NeuralClassifier(max_epochs=2, callbacks=[Poison((1,))], gradient_health=None, random_state=0).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    clipping = clipping_of(again.net_)
    assert clipping.norms_ == clipping_of(model.net_).norms_
    assert clipping.first_skipped_[0] == 1


# ------------------------------------------------------------------ the estimators


@pytest.mark.parametrize(
    ("given", "max_norm", "module"), [("auto", "auto", None), ("auto", "auto", MLP), (0.3, 0.3, MLP), (None, None, MLP)]
)
def test_the_parameter_of_the_estimators(given, max_norm, module):
    params = {} if module is None else {"module": module}
    model = NeuralClassifier(max_epochs=1, gradient_clipping=given, **params).fit(X, Y)
    found = [cb.max_norm for _, cb in model.net_.callbacks_ if isinstance(cb, GradientClipping)]
    assert found == ([] if max_norm is None else [max_norm])
    assert ("clipped_share" in model.net_.history[-1]) == (max_norm is not None)


def test_lbfgs_is_not_clipped():
    params = {"optimizer": torch.optim.LBFGS, "optimizer_params": {"max_iter": 1}, "lr": 0.01, "max_epochs": 1}
    model = NeuralClassifier(MLP, random_state=0, **params).fit(X, Y)
    assert not any(isinstance(cb, GradientClipping) for _, cb in model.net_.callbacks_)


@pytest.mark.parametrize(
    "given",
    [
        [],
        [EarlyStopping(), GradientClipping(), GradientHealth(), NormsOfSteps()],
        [("stop", EarlyStopping), ("clip", GradientClipping(1.0)), NormsOfSteps()],
    ],
)
def test_clipping_is_the_last_to_change_a_gradient_and_early_stopping_comes_last(given):
    model = NeuralClassifier(max_epochs=1, early_stopping=True, callbacks=given).fit(X, Y)
    order = [type(callback).__name__ for _, callback in model.net_.callbacks_]
    assert order[-3:] == ["GradientHealth", "GradientClipping", "EarlyStopping"]
    assert order[:-3] == (["NormsOfSteps"] if given else [])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"by": "layer"}, "by='layer'; expected 'norm', 'value' or 'parameter'"),
        ({"max_norm": "automatic"}, "max_norm='automatic'.*a number above 0, or 'auto'"),
        ({"by": "value"}, "max_norm='auto' with by='value'.*'auto' is for by='norm' only"),
        ({"max_norm": 0}, "max_norm=0; expected a number above 0"),
        ({"max_norm": math.nan}, "max_norm=nan"),
        ({"max_norm": None}, "max_norm=None"),
        ({"multiple": 1}, "multiple=1; expected a number above 1"),
    ],
)
def test_wrong_parameters_are_named(params, message):
    with pytest.raises(ValueError, match=f"GradientClipping: {message}"):
        plain_net(callbacks=[GradientClipping(**params)]).fit(X32, Y.astype(np.int64))


# ------------------------------------------------------------------ other networks


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.GRU(1, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.cells(x[:, :, None])[0][:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.inputs = nn.Linear(1, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 8, dropout=0.0, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.block(self.inputs(x[:, :, None])).mean(1))


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(1, 4, 2), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3))

    def forward(self, x):
        return self.layers(x[:, None, :])


@pytest.mark.parametrize(
    ("module", "by"), [(Recurrent, "norm"), (Recurrent, "parameter"), (Attention, "norm"), (Convolution, "parameter")]
)
def test_networks_of_users_train_in_the_estimator_and_in_skorch(module, by):
    clipping = GradientClipping("auto" if by == "norm" else 0.1, by=by)
    model = NeuralClassifier(module(), max_epochs=2, batch_size=16, callbacks=[clipping], random_state=0).fit(X, Y)
    net = plain_net(module, max_epochs=4, callbacks=[Poison((12,)), clipping]).fit(X32, Y.astype(np.int64))
    for trained in (model.net_, net):
        assert np.isfinite(trained.history[:, "train_loss"]).all()
        assert all(torch.isfinite(p).all() for p in trained.module_.parameters())
    assert clipping_of(net).skipped_ == 1


def test_a_criterion_with_parameters_belongs_to_the_gradient():
    class Scaled(nn.CrossEntropyLoss):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))

        def forward(self, raw_prediction, y):
            return super().forward(raw_prediction * self.factor, y)

    net = NeuralNet(
        MLP, Scaled, module__in_features=4, module__out_features=3, callbacks=[GradientClipping(1e-4)], verbose=0,
        max_epochs=1, train_split=None,
    ).fit(X32, Y.astype(np.int64))  # fmt: skip
    parameters = [*net.module_.parameters(), *net.criterion_.parameters()]
    assert math.hypot(*(p.grad.norm().item() for p in parameters)) == pytest.approx(1e-4, rel=1e-3)
