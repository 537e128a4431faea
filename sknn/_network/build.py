"""A user's module, class or instance, and the table's widths -> a network ready to train."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .._errors import refused_as, shown
from ..modules import Committee
from .signature import IN_FEATURES, OUT_FEATURES, missing_arguments, name_of, needs_categories, takes_categories, widths
from .table_network import TableNetwork, one_hot_of, users_network

__all__ = ["build_network", "fit_knots"]


def build_network(
    module: type[nn.Module] | nn.Module | Any,
    params: dict[str, Any],
    *,
    input_shape: tuple[int, ...],
    cat_cardinalities: Sequence[int],
    out_features: int,
    n_networks: int = 1,
) -> nn.Module:
    """Make the network, or a committee of them, from a class or a function with ``module_params``, or copy an instance.

    `input_shape` is the shape of one row of numbers; `out_features` the width that the loss needs. The network is
    called with ``x_num``, or with ``(x_num, x_cat)`` where there are categorical columns. Raises a TypeError if
    `module` does not make an ``nn.Module``, or makes one of torch.jit, and a ValueError if arguments of its constructor
    are missing.
    """
    reads_codes = takes_categories(module)
    in_features = input_shape[0] if len(input_shape) == 3 else input_shape[-1] if input_shape else 1
    if cat_cardinalities and not reads_codes:
        in_features += sum(cat_cardinalities)

    def build() -> nn.Module:
        if isinstance(module, nn.Module):
            _refuse_compiled(module)
            return copy.deepcopy(module)
        return _construct(module, params, in_features, cat_cardinalities, out_features)

    network = build()
    needs_codes = needs_categories(network)
    if n_networks > 1:
        network = Committee([network, *(build() for _ in range(n_networks - 1))])
    return TableNetwork(network, cat_cardinalities, reads_codes) if cat_cardinalities or needs_codes else network


def _construct(
    module: Any, params: dict[str, Any], in_features: int, cat_cardinalities: Sequence[int], out_features: int
) -> nn.Module:
    name = name_of(module)
    with refused_as("module", "a class of torch.nn.Module, an instance, or a function that makes one"):
        filled = widths(module, params, in_features, cat_cardinalities, out_features)
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
    x_num = inputs["x_num"]
    if x_num.ndim != 2:  # not a table, which `check_network` reports
        return
    one_hot = one_hot_of(network)
    if one_hot is not None:
        x_num = torch.cat([x_num, one_hot(inputs["x_cat"])], dim=1)
    inside.fit_knots(x_num, weight)  # pyright: ignore[reportCallIssue]
