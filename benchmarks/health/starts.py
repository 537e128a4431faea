"""How the weights of a user's module begin. Each takes the module, and changes it in place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

__all__ = ["Start", "all_of", "biases", "constant", "he", "last_zero", "normal", "positive"]
__all__ += ["recurrent", "scaled", "xavier", "zeroed"]

Start = Callable[[nn.Module], None]

_WITH_WEIGHT = (nn.Linear, nn.Conv2d)


def _weights(net: nn.Module, hidden_only: bool = False) -> list[Any]:
    layers: list[Any] = [layer for layer in net.modules() if isinstance(layer, _WITH_WEIGHT)]
    return layers[:-1] if hidden_only else layers


@torch.no_grad()
def _normal(net: nn.Module, std: float | None, gain: float, hidden_only: bool) -> None:
    for layer in _weights(net, hidden_only):
        fan_in = layer.weight[0].numel()
        layer.weight.normal_(0, gain / fan_in**0.5 if std is None else std)
        if layer.bias is not None:
            layer.bias.zero_()


def normal(std: float, *, hidden_only: bool = False) -> Start:
    """Weights from N(0, std^2), whatever the width."""
    return partial(_normal, std=std, gain=1.0, hidden_only=hidden_only)


def scaled(gain: float, *, hidden_only: bool = False) -> Start:
    """Weights from N(0, gain^2 / fan_in)."""
    return partial(_normal, std=None, gain=gain, hidden_only=hidden_only)


he = scaled(2**0.5)
xavier = scaled(1.0)


@torch.no_grad()
def _constant(net: nn.Module, value: float) -> None:
    for parameter in net.parameters():
        parameter.fill_(value)


def constant(value: float) -> Start:
    """Every number of every parameter."""
    return partial(_constant, value=value)


@torch.no_grad()
def _biases(net: nn.Module, value: float, share: float, layers: slice) -> None:
    for layer in _weights(net, hidden_only=True)[layers]:
        n_units = round(share * len(layer.bias))
        layer.bias[:n_units] = value


def biases(value: float, *, share: float = 1.0, layers: slice = slice(None)) -> Start:
    """Biases of a share of the units of hidden layers."""
    return partial(_biases, value=value, share=share, layers=layers)


@torch.no_grad()
def last_zero(net: nn.Module) -> None:
    """The last layer returns 0."""
    layer = _weights(net)[-1]
    layer.weight.zero_()
    layer.bias.zero_()


@torch.no_grad()
def _recurrent(net: nn.Module, gain: float | None, input_gain: float | None, forget: float | None) -> None:
    for name, parameter in net.named_parameters():
        if "weight_hh" in name and gain is not None:
            for gate in parameter.split(parameter.shape[1]):
                nn.init.orthogonal_(gate)
                gate.mul_(gain)
        if "weight_ih" in name and input_gain is not None:
            parameter.normal_(0, input_gain)
        if "bias_ih" in name and forget is not None:
            n = len(parameter) // 4
            parameter[n : 2 * n] = forget


def recurrent(gain: float | None = None, input_gain: float | None = None, forget: float | None = None) -> Start:
    """Orthogonal recurrent weights times gain, input weights from N(0, input_gain^2), bias of an LSTM's forget gate."""
    return partial(_recurrent, gain=gain, input_gain=input_gain, forget=forget)


def _all_of(net: nn.Module, starts: tuple[Start, ...]) -> None:
    for start in starts:
        start(net)


def all_of(*starts: Start) -> Start:
    """One after the other."""
    return partial(_all_of, starts=starts)


@torch.no_grad()
def positive(net: nn.Module) -> None:
    """No weight is negative, as after a prior that was meant for other inputs."""
    for layer in _weights(net):
        layer.weight.abs_()


def zeroed(net: nn.Module) -> nn.Module:
    """The same module, all weights 0."""
    _constant(net, 0.0)
    return net
