"""Initial weights and dropout that suit an activation."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from sknn.modules import MLP, ResNet
from sknn.modules.activations import HalfSine, initialize_linear_, make_dropout

ACTIVATIONS = [nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Mish, nn.SELU, nn.Tanh, nn.Sigmoid, HalfSine]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_variance_survives_ten_layers(activation: type[nn.Module]) -> None:
    mlp = MLP(256, 1, hidden_sizes=(256,) * 10, activation=activation)
    hidden, variances = torch.randn(256, 256), []
    with torch.no_grad():
        for layer in mlp.layers[:-1]:
            hidden = layer(hidden)
            if not isinstance(layer, nn.Linear):
                variances.append(hidden.var().item())
    assert len(variances) == 10
    # SiLU's fixed point is the least stable; 10 is what its random growth may add up to.
    assert 0.1 < variances[-1] / variances[0] < 10
    assert 0.02 < variances[-1] < 10


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_survives_ten_layers(activation: type[nn.Module]) -> None:
    mlp = MLP(256, 1, hidden_sizes=(256,) * 10, activation=activation)
    hidden = mlp.layers[:-1](torch.randn(64, 256))
    (hidden * torch.randn_like(hidden)).sum().backward()
    first, last = mlp.layers[0].weight.grad.norm(), mlp.layers[-3].weight.grad.norm()
    # With Xavier's gain of 1, a sigmoid's ratio would be 4e-6.
    assert (0.005 if activation is nn.Sigmoid else 0.2) < first / last < 10


@pytest.mark.parametrize("activation", [nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Mish, nn.SELU])
def test_gain_keeps_the_second_moment_of_a_normal(activation: type[nn.Module]) -> None:
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    gain = float((density * activation()(z).square()).sum()) ** -0.5
    linear = initialize_linear_(nn.Linear(1000, 1000), activation)
    assert linear.weight.std().item() * math.sqrt(1000) == pytest.approx(gain, rel=5e-3)
    assert not linear.bias.any()


@pytest.mark.parametrize(("activation", "gain"), [(nn.Tanh, 5 / 3), (nn.Sigmoid, 4.0)])
def test_xavier_is_uniform_with_its_gain(activation: type[nn.Module], gain: float) -> None:
    linear = initialize_linear_(nn.Linear(300, 100), activation)
    assert linear.weight.abs().max().item() == pytest.approx(gain * math.sqrt(6 / 400), rel=1e-2)


def test_unknown_activation_keeps_the_default_of_pytorch() -> None:
    linear = nn.Linear(4, 3)
    before = copy.deepcopy(linear.state_dict())
    initialize_linear_(linear, nn.Softsign)
    for name, value in linear.state_dict().items():
        assert torch.equal(value, before[name])


def test_initialisation_obeys_its_generator_and_a_layer_without_bias() -> None:
    weights = [
        initialize_linear_(nn.Linear(4, 3, bias=False), kind, torch.Generator().manual_seed(1)).weight
        for kind in (nn.ReLU, nn.ReLU, nn.Tanh, nn.Tanh)
    ]
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[2], weights[3])


def test_initialisation_names_the_activation_that_is_no_class() -> None:
    with pytest.raises(TypeError, match="activation='relu' is not a class"):
        initialize_linear_(nn.Linear(4, 3), "relu")  # type: ignore[arg-type]


def test_selu_goes_with_alpha_dropout() -> None:
    for network in (
        MLP(4, 2, activation=nn.SELU, dropout=0.1),
        ResNet(4, 2, activation=nn.SELU, dropout=0.1),
    ):
        kinds = {type(module) for module in network.modules()}
        assert nn.AlphaDropout in kinds
        assert nn.Dropout not in kinds
    assert type(make_dropout(nn.ReLU, 0.1)) is nn.Dropout
