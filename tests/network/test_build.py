"""Classes, functions, instances, and networks for images and sequences."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor

from .subjects import GENERATOR, SimpleNN, X, Y


def test_the_tutorial_network() -> None:
    X, y = make_classification(150, 10, n_informative=6, n_classes=3, random_state=0)
    model = NeuralClassifier(
        SimpleNN,
        module_params={"hidden_size": 5},
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.001,
        max_epochs=20,
        batch_size=32,
        random_state=0,
    )
    model.fit(X, y)
    assert type(model.module_) is SimpleNN
    assert (model.module_.fc1.in_features, model.module_.fc1.out_features) == (10, 5)
    assert model.module_.fc2.out_features == 3
    assert model.n_iter_ == 20
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (150, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_the_tutorial_network_by_its_own_parameter_names() -> None:
    model = NeuralClassifier(SimpleNN).set_params(module__hidden_size=7, max_epochs=1).fit(X, Y)
    assert model.module_.fc1.out_features == 7


def make_net(in_features: int, out_features: int, width: int = 6) -> nn.Module:
    return nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, out_features))


@pytest.mark.parametrize(
    ("module", "params"),
    [
        (make_net, None),
        (make_net, {"width": 9}),
        (partial(make_net, width=9), None),
        (partial(SimpleNN, hidden_size=9), None),
        (partial(partial(SimpleNN, hidden_size=3), hidden_size=9), None),
    ],
    ids=["function", "function with parameters", "partial function", "partial class", "partial partial"],
)
def test_functions_and_partials_are_built(module: Any, params: dict[str, Any] | None) -> None:
    model = NeuralClassifier(module, module_params=params, max_epochs=1, random_state=0).fit(X, Y)
    width = next(model.module_.parameters()).shape[0]
    assert width == (6 if module is make_net and params is None else 9)
    assert model.predict(X).shape == (60,)


def test_lazy_modules_learn_their_width_from_the_table() -> None:
    class Lazy(nn.Module):
        def __init__(self, out_features: int) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(out_features))

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)

    model = NeuralClassifier(Lazy, max_epochs=3, random_state=0).fit(X, Y)
    assert type(model.module_.layers[0]) is nn.Linear
    assert model.module_.layers[0].in_features == 5
    again = NeuralClassifier(Lazy, max_epochs=3, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))


def test_an_instance_is_copied_and_never_changed() -> None:
    network = make_net(5, 3)
    before = copy.deepcopy(network.state_dict())
    model = NeuralClassifier(network, max_epochs=2, lr=0.1, random_state=0).fit(X, Y)
    model.fit(X, Y)
    assert model.module is network
    assert model.module_ is not network
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not torch.equal(model.module_[0].weight, before["0.weight"])


def test_training_starts_from_the_instances_weights() -> None:
    network = make_net(5, 3)
    model = NeuralClassifier(network, max_epochs=1, lr=1e-12, preprocessing=False).fit(X, Y)
    torch.testing.assert_close(model.module_[0].weight, network[0].weight, atol=1e-6, rtol=0)


def test_a_lazy_instance_is_copied_too() -> None:
    network = nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(3))
    NeuralClassifier(network, max_epochs=1).fit(X, Y)
    assert isinstance(network[0], nn.LazyLinear)


class ConvNet(nn.Module):
    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_features, 4, 3, padding=1)
        self.last = nn.Linear(4, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(torch.relu(self.conv(images)).mean(dim=(2, 3)))


class LSTMNet(nn.Module):
    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, 8, batch_first=True)
        self.last = nn.Linear(8, output_size)

    def forward(self, sequences: Tensor) -> Tensor:
        return self.last(self.lstm(sequences)[0][:, -1])


def test_images_go_through_a_conv2d_network() -> None:
    images = GENERATOR.normal(size=(60, 3, 6, 5))
    y = np.repeat(["dark", "bright"], 30)
    images[30:] += 1.0
    model = NeuralClassifier(ConvNet, lr=0.03, max_epochs=15, random_state=0).fit(images, y)
    assert model.module_.conv.in_channels == 3
    assert model.score(images, y) > 0.9
    with pytest.raises(ValueError, match=r"expected rows of shape \(3, 6, 5\) as in fit, got \(3, 6, 4\)"):
        model.predict(images[..., :4])


def test_sequences_go_through_an_lstm() -> None:
    sequences = GENERATOR.normal(size=(80, 7, 2))
    y = sequences[:, -2:, 0].sum(axis=1)
    model = NeuralRegressor(LSTMNet, lr=0.05, max_epochs=20, gradient_health=None, random_state=0).fit(sequences, y)
    assert model.module_.lstm.input_size == 2
    assert model.score(sequences, y) > 0.7


def test_a_sequential_with_flatten_takes_images() -> None:
    images = GENERATOR.normal(size=(60, 1, 4, 4)).astype(np.uint8)
    model = NeuralClassifier(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), max_epochs=1).fit(images, Y)
    assert model.predict_proba(images).shape == (60, 3)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("compiled", [torch.jit.script, lambda net: torch.jit.trace(net, torch.zeros(2, 5))])
def test_a_network_that_torch_jit_has_compiled_is_refused(compiled: Any) -> None:
    network = compiled(nn.Linear(5, 3))
    for module in (network, lambda: network):
        with pytest.raises(TypeError, match=r"module: a \w+Module, which torch\.jit has compiled.* compile=True"):
            NeuralClassifier(module, max_epochs=2).fit(X, Y)
