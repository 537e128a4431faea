"""The modules around a user's network that prepare its inputs, and how any network is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..modules import Committee, OneHot, UnknownMasking
from ..modules.committee import members_of

__all__ = [
    "FirstInput",
    "TableNetwork",
    "committee_of",
    "first_output",
    "has_members",
    "inner_inputs",
    "multiplications",
    "network_inputs",
    "one_hot_of",
    "users_network",
]


class Adapter(nn.Module):
    """A module around a user's network, which changes only what this is given."""

    network: nn.Module


class FirstInput(Adapter):
    """Passes the first of several tensors to a network that takes one, such as rows without their lengths."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        """Raw prediction."""
        return self.network(x)


class TableNetwork(Adapter):
    """Passes category codes to a network: masked during training, and one-hot encoded if it has a single input.

    ``x_num`` float32 (batch, n_numeric), ``x_cat`` int64 (batch, n_categorical); the output is that of `network`.
    """

    def __init__(self, network: nn.Module, cat_cardinalities: Sequence[int], takes_categories: bool) -> None:
        super().__init__()
        self.network = network
        self.mask = UnknownMasking()
        self.one_hot = None if takes_categories else OneHot(cat_cardinalities)

    def forward(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Raw prediction."""
        return self.network(*self.network_inputs(x_num, x_cat))

    def network_inputs(self, x_num: Tensor, x_cat: Tensor | None = None, *, masked: bool = True) -> tuple[Any, ...]:
        """The arguments of the network inside; whether categories may be masked during training."""
        if x_cat is None:  # a table without categories, for a network that requires x_cat
            return x_num, torch.zeros(len(x_num), 0, dtype=torch.int64, device=x_num.device)
        x_cat = self.mask(x_cat) if masked else x_cat
        if self.one_hot is None:
            return x_num, x_cat
        return (torch.cat([x_num, self.one_hot(x_cat)], dim=1),)


def users_network(network: nn.Module) -> nn.Module:
    """The user's network, or the committee of them, without the `Adapter` around it."""
    return network.network if isinstance(network, Adapter) else network


def inner_inputs(network: nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """The arguments of the user's network for a batch, where no category is masked."""
    given = network_inputs(inputs)
    if isinstance(network, FirstInput):
        return given[:1]
    return network.network_inputs(*given, masked=False) if isinstance(network, TableNetwork) else given


def one_hot_of(network: nn.Module) -> OneHot | None:
    """The layer that encodes the categories for a network with a single input; None if there is none."""
    return network.one_hot if isinstance(network, TableNetwork) else None


def committee_of(network: nn.Module) -> Committee | None:
    """The committee inside a network, or None if it is a single network."""
    inside = users_network(network)
    return inside if isinstance(inside, Committee) else None


def has_members(network: nn.Module) -> bool:
    """Whether a network returns raw scores of members, ``(batch, n_members, out_features)``."""
    return members_of(users_network(network)) is not None


def multiplications(network: nn.Module) -> int:
    """Of a forward pass of one row, about: each weight once, unless a module says by an attribute how many it takes."""
    own = getattr(network, "multiplications", None)
    if isinstance(own, int):
        return own
    weights = sum(parameter.numel() for parameter in network.parameters(recurse=False))
    return weights + sum(multiplications(part) for part in network.children())


def network_inputs(inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """The arguments of a network for a batch: all of its tensors but the weights of the rows."""
    return tuple(values for name, values in inputs.items() if name != "sample_weight")


def first_output(output: Any) -> Tensor:
    """The raw prediction of a network that returns one tensor, or several with the raw prediction first."""
    return output[0] if isinstance(output, (tuple, list)) else output
