"""All parameters in one buffer, whatever callbacks do to them."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP
from sknn.optim import FlatParameters

GENERATOR = np.random.default_rng(0)


X = GENERATOR.normal(size=(96, 4)).astype(np.float32)


Y = (X[:, 0] > 0).astype(int)


def make_flat() -> tuple[nn.Linear, FlatParameters]:
    torch.manual_seed(0)
    linear = nn.Linear(3, 2)
    return linear, FlatParameters([[linear.weight], [linear.bias]])


def test_parameters_and_gradients_are_views_of_the_buffer() -> None:
    linear, flat = make_flat()
    weights, biases = flat.groups
    torch.testing.assert_close(weights[:6], linear.weight.flatten(), rtol=0, atol=0)
    torch.testing.assert_close(biases[:2], linear.bias, rtol=0, atol=0)
    linear(torch.ones(4, 3)).square().sum().backward()
    torch.testing.assert_close(flat.gradient[:6], linear.weight.grad.flatten())
    torch.testing.assert_close(biases.grad[:2], linear.bias.grad)
    torch.testing.assert_close(flat.gradient.norm(), torch.cat([linear.weight.grad.flatten(), linear.bias.grad]).norm())
    with torch.no_grad():
        flat.data.fill_(7.0)
    assert (linear.weight == 7).all()
    assert (linear.bias == 7).all()
    assert (biases == 7).all()


def test_release_gives_own_memory_with_the_same_values() -> None:
    linear, flat = make_flat()
    before = linear.weight.detach().clone()
    flat.release()
    torch.testing.assert_close(linear.weight.detach(), before, rtol=0, atol=0)
    assert linear.weight.grad is None
    assert linear.weight.untyped_storage().nbytes() == 4 * linear.weight.numel()
    with torch.no_grad():
        flat.data.zero_()
    torch.testing.assert_close(linear.weight.detach(), before, rtol=0, atol=0)


def test_attach_takes_values_that_were_changed_meanwhile() -> None:
    linear, flat = make_flat()
    flat.release()
    with torch.no_grad():
        linear.bias.fill_(3.0)
    flat.attach()
    assert (linear.bias == 3).all()
    assert (flat.groups[1][:2] == 3).all()
    with torch.no_grad():
        flat.data.zero_()
    assert (linear.bias == 0).all()
    assert linear.bias.grad.data_ptr() == flat.groups[1].grad.data_ptr()


class ReplaceGradients(Callback):
    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        for _, parameter in named_parameters:
            parameter.grad = 0 * parameter.grad


class ForgetGradients(Callback):
    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        net.module_.zero_grad()


class BoundWeights(Callback):
    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        for parameter in net.module_.parameters():
            parameter.data = parameter.data.clamp(-0.1, 0.1)


class Recurrent(nn.Module):
    """Not a chain."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.recurrent, self.head = nn.RNN(in_features, 6, batch_first=True), nn.Linear(6, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(x.unsqueeze(1))[0][:, -1])


@pytest.mark.parametrize("module", [MLP, Recurrent])
def test_tensors_that_a_callback_replaces_count(module: type[nn.Module]) -> None:
    params: dict[str, Any] = {"max_epochs": 4, "batch_size": 16, "random_state": 0, "lr": 0.05}
    plain = NeuralClassifier(module, **params).fit(X, Y)
    still = NeuralClassifier(module, **params, optimizer=torch.optim.SGD, callbacks=[ReplaceGradients()]).fit(X, Y)
    assert len({round(loss, 5) for loss in still.loss_curve_}) == 1
    forgetful = NeuralClassifier(module, **params, callbacks=[ForgetGradients()]).fit(X, Y)
    np.testing.assert_array_equal(forgetful.predict_proba(X), plain.predict_proba(X))
    bounded = NeuralClassifier(module, **params, callbacks=[BoundWeights()]).fit(X, Y)
    assert max(p.abs().max().item() for p in bounded.module_.parameters()) < 0.1001
    assert max(p.abs().max().item() for p in plain.module_.parameters()) > 0.1001


@pytest.mark.parametrize("module", [MLP, Recurrent])
@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_a_layer_frozen_meanwhile_stays_in_spite_of_decay_and_momentum(module: Any, optimizer: type) -> None:
    class Freeze(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) == 2:
                self.frozen = next(net.module_.parameters()).requires_grad_(False)
                self.before = self.frozen.detach().clone()
            elif len(net.history) > 2:
                torch.testing.assert_close(self.frozen.detach(), self.before, rtol=0, atol=0)

    params = {"weight_decay": 0.5, **({"momentum": 0.9} if optimizer is torch.optim.SGD else {})}
    model = NeuralClassifier(module, max_epochs=5, optimizer=optimizer, optimizer_params=params, callbacks=[Freeze()])
    assert model.fit(X, Y).n_iter_ == 5


@pytest.mark.parametrize("module", [MLP, Recurrent])
def test_gradients_that_the_optimizer_forgets_are_put_back(module: Any) -> None:
    class ForgetAll(Callback):
        def on_batch_end(self, net: Any, **kwargs: Any) -> None:
            net.optimizer_.zero_grad()

    params: dict[str, Any] = {"max_epochs": 3, "random_state": 0}
    fits = [NeuralClassifier(module, callbacks=cbs, **params).fit(X, Y) for cbs in ([], [ForgetAll()])]
    assert fits[0].loss_curve_ == fits[1].loss_curve_


@pytest.mark.parametrize("module", [MLP, Recurrent])
def test_a_callback_may_differentiate_what_it_adds_to_the_gradient(module: Any) -> None:
    class Penalty(Callback):
        def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
            sum(p.square().sum() for _, p in named_parameters).backward()

    params: dict[str, Any] = {"max_epochs": 5, "random_state": 0, "lr": 0.01}
    plain, small = [NeuralClassifier(module, callbacks=cbs, **params).fit(X, Y) for cbs in ([], [Penalty()])]
    assert sum(p.norm() for p in small.module_.parameters()) < sum(p.norm() for p in plain.module_.parameters())


def test_every_callback_sees_the_named_parameters() -> None:
    class Count(Callback):
        def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
            seen.append(len(list(named_parameters)))

    seen: list[int] = []
    NeuralClassifier(MLP, max_epochs=1, batch_size=200, callbacks=[Count(), ("again", Count())]).fit(X, Y)
    assert seen == [6, 6]


def test_a_group_added_meanwhile_is_zeroed_and_clipped() -> None:
    class Unfreeze(Callback):
        def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) == 2:
                layer = net.module_[0].requires_grad_(True)
                net.optimizer_.add_param_group({"params": list(layer.parameters())})

        def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
            if training and net.module_[0].weight.grad is not None:
                norms.append(net.module_[0].weight.grad.norm().item())

    norms: list[float] = []
    network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    network[0].requires_grad_(False)
    params: dict[str, Any] = {"lr": 1e-6, "max_epochs": 5, "lr_schedule": "constant", "random_state": 0}
    params |= {"optimizer": torch.optim.SGD, "batch_size": 200, "callbacks": [Unfreeze()]}
    NeuralClassifier(network, gradient_clipping=None, **params).fit(X, Y)
    assert norms[-1] == pytest.approx(norms[0], rel=0.01)
    first = norms[0]
    norms.clear()
    NeuralClassifier(network, gradient_clipping=first / 2, **params).fit(X, Y)
    assert max(norms) < first * 0.51


def test_momentum_may_begin_meanwhile() -> None:
    class Begin(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            net.optimizer_.param_groups[0]["momentum"] = 0.9

    model = NeuralClassifier(MLP, max_epochs=4, optimizer=torch.optim.SGD, callbacks=[Begin()]).fit(X, Y)
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")
def test_training_that_went_wrong_does_not_affect_a_warm_start() -> None:
    params: dict[str, Any] = {"max_epochs": 3, "optimizer": torch.optim.SGD, "preprocessing": False}
    model = NeuralRegressor(MLP, module_params={"hidden_sizes": (7, 7)}, warm_start=True, **params).fit(X, X[:, 0])
    huge = X.copy()
    huge[0] = 3e38
    assert model.fit(huge, X[:, 0]).health_.status == "unhealthy"
    assert model.fit(X, X[:, 0]).health_.findings == []


def test_a_frozen_layer_stays_as_it_is_while_the_rest_trains() -> None:
    network = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    network[0].requires_grad_(False)
    model = NeuralClassifier(network, max_epochs=3, lr=0.1, preprocessing=False, random_state=0).fit(X, Y)
    assert torch.equal(model.module_[0].weight, network[0].weight)
    assert not torch.equal(model.module_[2].weight, network[2].weight)


def test_shared_parameters_stay_shared_through_fit_and_pickle() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.second = nn.Linear(4, 4)
            self.second.weight = self.first.weight
            self.last = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.tanh(self.second(torch.tanh(self.first(x)))))

    model = NeuralClassifier(Tied(), max_epochs=2, preprocessing=False, random_state=0).fit(X, Y)
    assert model.module_.second.weight is model.module_.first.weight
    assert torch.isfinite(model.module_.first.weight).all()


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad])
def test_a_fitted_network_is_pickled_without_the_buffer(optimizer: type) -> None:
    model = NeuralClassifier(MLP, module_params={"hidden_sizes": (64, 64)}, optimizer=optimizer, max_epochs=2)
    model.fit(X, Y)
    n_bytes = sum(4 * p.numel() for p in model.module_.parameters())
    saved = io.BytesIO()
    torch.save(model.module_.state_dict(), saved)
    assert len(saved.getvalue()) < n_bytes + 10_000
    assert len(pickle.dumps(model.module_)) < n_bytes + 20_000


def test_parameters_and_gradients_keep_their_memory_format() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 5, 3, bias=False).to(memory_format=torch.channels_last)
    before = convolution.weight.detach().clone()
    flat = FlatParameters([[convolution.weight]])
    for _ in range(2):
        for tensor in (convolution.weight, convolution.weight.grad):
            assert tensor is not None
            assert tensor.is_contiguous(memory_format=torch.channels_last)
            assert not tensor.is_contiguous()
        torch.testing.assert_close(convolution.weight.detach(), before, rtol=0, atol=0)
        torch.testing.assert_close(flat.data, before.permute(0, 2, 3, 1).flatten(), rtol=0, atol=0)
        convolution.weight.data, convolution.weight.grad = before.contiguous(), None  # as a callback may do
        flat.attach()
    flat.release()
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
