"""What a network has learned as features: the units of its last hidden layer, and vectors of categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..modules import CategoricalEmbeddings, Committee, FeatureTokenizer
from .table_network import inner_inputs, users_network

__all__ = ["category_vectors", "hidden_units"]


def hidden_units(network: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """What the output layer of a network reads, (batch, width); of a committee that of all networks side by side.

    Networks and members are concatenated, not averaged: unit 3 of one has nothing to do with unit 3 of another.
    """
    given = inner_inputs(network, inputs)
    parts = [_hidden_units(one, given) for one in _networks(network)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def category_vectors(network: nn.Module, cardinalities: Sequence[int]) -> dict[int, Tensor]:
    """The vectors of the codes, (cardinality, width), of each categorical column that has any, by its position.

    Those of all networks of a committee stand side by side. Without a layer of sknn that embeds these columns there are
    none.
    """
    found = [_category_vectors(one, cardinalities) for one in _networks(network)]
    return {column: torch.cat([vectors[column] for vectors in found], dim=1) for column in found[0]}


def _category_vectors(network: nn.Module, cardinalities: Sequence[int]) -> dict[int, Tensor]:
    for layer in network.modules():
        if isinstance(layer, CategoricalEmbeddings | FeatureTokenizer):
            vectors = layer.vectors()
            if all(i < len(cardinalities) and len(of_i) == cardinalities[i] for i, of_i in vectors.items()):
                return vectors
    return {}


def _networks(network: nn.Module) -> list[nn.Module]:
    """The networks of a committee, or the single one."""
    inside = users_network(network)
    return [*inside.networks] if isinstance(inside, Committee) else [inside]


def _hidden_units(network: nn.Module, given: tuple[Tensor, ...]) -> Tensor:
    """The same of a single network, by its method `forward_hidden`, or else the input of its last linear layer."""
    name, n_rows = type(network).__name__, len(given[0])
    if hasattr(network, "forward_hidden"):
        hidden: Any = network.forward_hidden(*given)  # pyright: ignore[reportCallIssue]
        if isinstance(hidden, Tensor) and hidden.ndim in (2, 3) and len(hidden) == n_rows:
            return hidden.flatten(1)
        found = f"forward_hidden of {name} returned {_shown(hidden)}; expected a tensor (batch, width)"
        raise ValueError(f"{found} or (batch, n_members, width), here with batch={n_rows}.")
    with _LastLinear() as last:
        network(*given)
    if last.input is None:
        found = "calls no linear layer"
    elif last.input.ndim != 2 or len(last.input) != n_rows:
        found = f"has a last linear layer that reads {_shown(last.input)} for a batch of {n_rows}"
    else:
        return last.input
    raise ValueError(
        f"{name} {found}, so its last hidden layer is unknown. Give it a method forward_hidden with the arguments of "
        "forward that returns this layer, (batch, width)."
    )


class _LastLinear(TorchFunctionMode):
    """Keeps the input of the linear layer that ran last in this thread.

    Nothing is registered in the network, which other threads may be using.
    """

    input: Tensor | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function."""
        kwargs = kwargs or {}
        if func is functional.linear:
            self.input = args[0] if args else kwargs["input"]
        return func(*args, **kwargs)


def _shown(value: Any) -> str:
    return f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
