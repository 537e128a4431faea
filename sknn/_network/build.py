"""A user's module, class or instance, and the table's widths -> a network ready to train."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .._errors import refused_as, shown
from .._random import isolated_random_state
from ..modules import Committee
from .signature import (
    IN_FEATURES,
    OUT_FEATURES,
    missing_arguments,
    name_of,
    needs_categories,
    takes_categories,
    takes_several,
    widths,
)
from .table_network import FirstInput, TableNetwork, one_hot_of, users_network

__all__ = ["begins_with_embedding", "build_network", "fit_knots"]


def build_network(
    module: type[nn.Module] | nn.Module | Any,
    params: dict[str, Any],
    *,
    in_features: int,
    in_shape: tuple[int, ...],
    cat_cardinalities: Sequence[int],
    out_features: int,
    n_inputs: int = 1,
    n_networks: int = 1,
) -> nn.Module:
    """Make the network, or a committee of them, from a class or a function with ``module_params``, or copy an instance.

    `in_features` is the width of the input, `in_shape` the shape of one row, `out_features` the width that the loss
    needs. The network is called with `n_inputs` tensors, as many of them as its `forward` takes. Raises a TypeError if
    `module` does not make an ``nn.Module``, or makes one of torch.jit, and a ValueError if arguments of its constructor
    are missing.
    """
    reads_codes = takes_categories(module)
    if cat_cardinalities and not reads_codes:
        in_features += sum(cat_cardinalities)

    def build() -> nn.Module:
        if isinstance(module, nn.Module):
            _refuse_compiled(module)
            return copy.deepcopy(module)
        return _construct(module, params, in_features, in_shape, cat_cardinalities, out_features)

    network = build()
    needs_codes = needs_categories(network)
    takes_one = n_inputs > 1 and not takes_several(network)
    if n_networks > 1:
        network = Committee([network, *(build() for _ in range(n_networks - 1))])
    if cat_cardinalities or needs_codes:
        return TableNetwork(network, cat_cardinalities, reads_codes)
    return FirstInput(network) if takes_one else network


def begins_with_embedding(module: Any, params: dict[str, Any], n_columns: int) -> bool:
    """Whether the first layer of a module of the user's is an embedding, which needs integers.

    A class is built for that, with the widths that are known before training; one that cannot be built is none.
    """
    network = module
    if not isinstance(module, nn.Module):
        if takes_categories(module):
            return False
        with isolated_random_state(0, torch.device("cpu")):
            try:
                network = module(**widths(module, params, n_columns, (n_columns,), [], 2), **params)
            except Exception:  # of the user's constructor; the error is reported when the network is built for training
                return False
    if not isinstance(network, nn.Module) or takes_categories(network):
        return False
    first = next((layer for layer in network.modules() if not any(layer.children())), None)
    return isinstance(first, nn.Embedding | nn.EmbeddingBag)


def _construct(
    module: Any,
    params: dict[str, Any],
    in_features: int,
    in_shape: tuple[int, ...],
    cat_cardinalities: Sequence[int],
    out_features: int,
) -> nn.Module:
    name = name_of(module)
    with refused_as("module", "a class of torch.nn.Module, an instance, or a function that makes one"):
        filled = widths(module, params, in_features, in_shape, cat_cardinalities, out_features)
        missing = missing_arguments(module, {**filled, **params})
    if missing:
        example = ", ".join(f"{name!r}: ..." for name in missing)
        raise ValueError(
            f"module: {name} needs {missing}, which fit cannot fill in. Pass module_params={{{example}}} "
            f"(input and output widths are filled in under the names {IN_FEATURES} and {OUT_FEATURES})."
        )
    with refused_as(f"module: {name}", f"a constructor that accepts module_params={shown(params)}"):
        network = module(**filled, **params)
    if not isinstance(network, nn.Module):
        raise TypeError(f"module: {name} returned a {type(network).__name__}, expected a torch.nn.Module.")
    _refuse_compiled(network)
    return network


def _refuse_compiled(network: nn.Module) -> None:
    """Raise a TypeError for a network of torch.jit: a copy trains the parameters of the original, or none."""
    if isinstance(network, torch.jit.ScriptModule):
        raise TypeError(
            f"module: a {type(network).__name__}, which torch.jit has compiled, can be neither copied nor pickled. "
            "Pass the module that was scripted or traced, and compile=True to have it compiled."
        )


@torch.no_grad()
def fit_knots(network: nn.Module, some_rows: Callable[[], tuple[dict[str, Tensor], Tensor | None]]) -> None:
    """Give encoded training rows and their weights to a network that has a method ``fit_knots``."""
    inside = users_network(network)
    if not hasattr(inside, "fit_knots"):
        return
    inputs, weight = some_rows()
    x_num = inputs["x"]
    if x_num.ndim != 2:  # not a table, which `check_network` reports
        return
    one_hot = one_hot_of(network)
    if one_hot is not None:
        x_num = torch.cat([x_num, one_hot(inputs["x_cat"])], dim=1)
    inside.fit_knots(x_num, weight)  # pyright: ignore[reportCallIssue]
