"""What the signature of a user's module says: which widths it asks for, and whether it reads category codes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from ..modules import ARCHITECTURES

__all__ = [
    "IN_FEATURES",
    "OUT_FEATURES",
    "constructor_values",
    "fits_any_columns",
    "missing_arguments",
    "name_of",
    "takes_categories",
    "takes_several",
    "widths",
]

# Names under which tutorials and papers ask for the two widths of a network.
IN_FEATURES = ("in_features", "in_channels", "input_size", "input_dim", "n_features")
OUT_FEATURES = ("out_features", "output_size", "output_dim", "n_outputs", "n_classes", "num_classes")


def _without_partial(module: Any) -> Any:
    while isinstance(module, functools.partial):
        module = module.func
    return module


def name_of(module: Any) -> str:
    """Name of a class or function for messages, without ``functools.partial`` around it."""
    module = _without_partial(module)
    return getattr(module, "__name__", repr(module))


def takes_categories(module: Any) -> bool:
    """Whether `forward` has a parameter x_cat; a function that makes a module has a parameter cat_cardinalities."""
    module = _without_partial(module)
    forward = getattr(module, "forward", None)
    name = "x_cat" if forward is not None else "cat_cardinalities"
    try:
        return name in inspect.signature(forward or module).parameters
    except (TypeError, ValueError):
        return False


def needs_categories(network: nn.Module) -> bool:
    """Whether `forward` cannot be called without x_cat."""
    parameter = inspect.signature(network.forward).parameters.get("x_cat")
    return parameter is not None and parameter.default is parameter.empty


def constructor_parameters(module: Any) -> dict[str, inspect.Parameter]:
    """Parameters of a constructor, and behind its ``**kwargs`` those of its base classes.

    A class that names a width itself decides what it passes on to its base classes.
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


def widths(
    module: Any,
    params: dict[str, Any],
    in_features: int,
    in_shape: tuple[int, ...],
    cat_cardinalities: Sequence[int],
    out_features: int,
) -> dict[str, Any]:
    """Constructor arguments that follow from X and y, where neither `params` nor a partial gives them."""
    given = {**getattr(module, "keywords", {}), **params}
    values: dict[str, Any] = dict.fromkeys(IN_FEATURES, in_features)
    values |= dict.fromkeys(OUT_FEATURES, out_features)
    values |= {"in_shape": tuple(in_shape), "cat_cardinalities": list(cat_cardinalities)}
    return {name: values[name] for name in constructor_parameters(module) if name in values and name not in given}


def constructor_values(module: Any, params: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Values of parameters that a module's constructor has: given, or its defaults; of an instance its attributes."""
    if isinstance(module, nn.Module):
        return {name: getattr(module, name) for name in names if hasattr(module, name)}
    given = {**getattr(module, "keywords", {}), **params}
    try:
        parameters = constructor_parameters(module)
    except (TypeError, ValueError):  # such as a class of C; whether it can be built, is seen later
        parameters = {}
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    values = {**defaults, **given}
    return {name: values[name] for name in names if name in values}


def takes_several(network: nn.Module) -> bool:
    """Whether `forward` can be called with two tensors or more."""
    try:
        inspect.signature(network.forward).bind(None, None)
    except TypeError:
        return False
    return True


def fits_any_columns(module: Any, params: dict[str, Any]) -> bool:
    """Whether idle columns may be left out: an architecture of sknn, which treats all columns alike, of any width.

    A module of the user may know columns by their positions.
    """
    given = {**getattr(module, "keywords", {}), **params}
    is_known = any(_without_partial(module) is architecture for architecture in ARCHITECTURES)
    has_positions = isinstance(module, functools.partial) and bool(module.args)
    return is_known and not has_positions and given.keys().isdisjoint(("in_features", "cat_cardinalities"))


def missing_arguments(module: Any, given: dict[str, Any]) -> list[str]:
    """Names of the constructor's parameters that have no default and are not given."""
    return [
        p.name
        for p in constructor_parameters(module).values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in given
    ]
