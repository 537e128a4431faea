"""A user's module, class or instance, and the table's widths -> a network ready to train."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .._errors import refused_as, shown
from ..modules import Committee
from .table_network import TableNetwork, users_network

__all__ = ["IN_FEATURES", "OUT_FEATURES", "build_network", "fit_knots"]

# Names under which tutorials and papers ask for the two widths of a network.
IN_FEATURES = ("in_features", "input_size", "input_dim", "n_features")
OUT_FEATURES = ("out_features", "output_size", "output_dim", "n_outputs", "n_classes", "num_classes")


def _takes_categories(module: Any) -> bool:
    """Whether `forward` names a parameter x_cat; a function says so by a parameter cat_cardinalities."""
    while isinstance(module, functools.partial):
        module = module.func
    forward = getattr(module, "forward", None)
    name = "x_cat" if forward is not None else "cat_cardinalities"
    try:
        return name in inspect.signature(forward or module).parameters
    except (TypeError, ValueError):
        return False


def _needs_categories(network: nn.Module) -> bool:
    """Whether `forward` cannot be called without x_cat."""
    parameter = inspect.signature(network.forward).parameters.get("x_cat")
    return parameter is not None and parameter.default is parameter.empty


def build_network(
    module: type[nn.Module] | nn.Module | Any,
    params: dict[str, Any],
    *,
    input_shape: tuple[int, ...],
    cat_cardinalities: Sequence[int],
    out_features: int,
    n_networks: int = 1,
) -> nn.Module:
    """Make the network, or a committee of them, from a class, or copy an instance.

    Parameters
    ----------
    module : type, callable or nn.Module
        A class (or function) that returns an ``nn.Module``, or an instance, which is copied.
    params : dict
        ``module_params``.
    input_shape : tuple of int
        Shape of one row of numbers, without the batch.
    cat_cardinalities : sequence of int
        Number of codes of each categorical column, 0 being unknown.
    out_features : int
        Width that the loss asks for.
    n_networks : int
        With more than one, a `Committee`.

    Returns
    -------
    network : nn.Module
        Called with ``x_num``, or with ``(x_num, x_cat)`` where there are categorical columns.

    Raises
    ------
    TypeError
        `module` makes no ``nn.Module``.
    ValueError
        The constructor needs arguments that nobody gave.
    """
    takes_categories = _takes_categories(module)
    in_features = input_shape[0] if len(input_shape) == 3 else input_shape[-1] if input_shape else 1
    if cat_cardinalities and not takes_categories:
        in_features += sum(cat_cardinalities)

    def build() -> nn.Module:
        if isinstance(module, nn.Module):
            return copy.deepcopy(module)
        return _construct(module, params, in_features, list(cat_cardinalities), out_features)

    network = build()
    needs_categories = _needs_categories(network)
    if n_networks > 1:
        network = Committee([network, *(build() for _ in range(n_networks - 1))])
    if not cat_cardinalities and not needs_categories:
        return network
    return TableNetwork(network, cat_cardinalities, takes_categories)


def _name(module: Any) -> str:
    while isinstance(module, functools.partial):
        module = module.func
    return getattr(module, "__name__", repr(module))


def _parameters_of(module: Any) -> dict[str, inspect.Parameter]:
    """Parameters of a constructor; behind its ``**kwargs`` those of the classes that it is derived from.

    A class that names a width itself says itself what it hands to these.
    """
    parameters = dict(inspect.signature(module).parameters)
    if any(name in parameters for name in (*IN_FEATURES, *OUT_FEATURES)):
        return parameters
    for base in module.__mro__[1:] if isinstance(module, type) else ():
        if base is nn.Module or not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
        if "__init__" in vars(base):
            parameters = {name: p for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
            inherited = list(inspect.signature(base).parameters.items())
            parameters.update({name: p for name, p in inherited if name not in parameters})
    return parameters


def _construct(
    module: Any, params: dict[str, Any], in_features: int, cat_cardinalities: list[int], out_features: int
) -> nn.Module:
    name = _name(module)
    with refused_as("module", "a class of torch.nn.Module, an instance, or a function that makes one"):
        parameters = _parameters_of(module)
    filled: dict[str, Any] = {}
    given = {**getattr(module, "keywords", {}), **params}  # those of a functools.partial
    for alias in parameters:
        if alias in given:
            continue
        if alias in IN_FEATURES:
            filled[alias] = in_features
        elif alias in OUT_FEATURES:
            filled[alias] = out_features
        elif alias == "cat_cardinalities":
            filled[alias] = cat_cardinalities
    missing = [
        p.name
        for p in parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        if p.name not in filled and p.name not in params
    ]
    if missing:
        example = ", ".join(f"{p!r}: ..." for p in missing)
        raise ValueError(
            f"module: {name} needs {missing}, which fit cannot fill in. Pass module_params={{{example}}} "
            f"(input and output widths are filled in under the names {IN_FEATURES} and {OUT_FEATURES})."
        )
    with refused_as(f"module: {name}", f"a constructor that accepts module_params={shown(params)}"):
        network = module(**filled, **params)
    if not isinstance(network, nn.Module):
        raise TypeError(f"module: {name} returned a {type(network).__name__}, expected a torch.nn.Module.")
    return network


@torch.no_grad()
def fit_knots(network: nn.Module, some_rows: Callable[[], tuple[dict[str, Tensor], Tensor | None]]) -> None:
    """Show encoded training rows, and their weights, to a network that places knots by them."""
    inside = users_network(network)
    if not hasattr(inside, "fit_knots"):
        return
    inputs, weight = some_rows()
    x_num = inputs["x_num"]
    if x_num.ndim != 2:  # no table: `check_network` will say so
        return
    if isinstance(network, TableNetwork) and network.one_hot is not None:
        x_num = torch.cat([x_num, network.one_hot(inputs["x_cat"])], dim=1)
    inside.fit_knots(x_num, weight)  # pyright: ignore[reportCallIssue]
