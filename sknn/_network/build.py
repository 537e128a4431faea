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
from .._estimator.component_params import IN_FEATURES, OUT_FEATURES
from ..losses import Loss
from ..modules import Committee, OneHot, UnknownMasking

__all__ = [
    "TableNetwork",
    "build_network",
    "check_batch_norm",
    "check_network",
    "committee_of",
    "first_output",
    "fit_knots",
    "network_inputs",
    "users_network",
]


class TableNetwork(nn.Module):
    """Category codes in front of a network: masked while training, one-hot encoded for a network of one input.

    Parameters
    ----------
    network : nn.Module
    cat_cardinalities : sequence of int
        Number of codes of each categorical column.
    takes_categories : bool
        Whether `network` is called with ``(x_num, x_cat)``.

    Shape
    -----
    x_num : float32 (batch, n_numeric); x_cat : int64 (batch, n_categorical); output : that of `network`.
    """

    def __init__(self, network: nn.Module, cat_cardinalities: Sequence[int], takes_categories: bool) -> None:
        super().__init__()
        self.network = network
        self.mask = UnknownMasking()
        self.one_hot = None if takes_categories else OneHot(cat_cardinalities)

    def forward(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Raw prediction."""
        return self.network(*self.network_inputs(x_num, x_cat))

    def network_inputs(self, x_num: Tensor, x_cat: Tensor | None = None) -> tuple[Any, ...]:
        """What the network inside is called with."""
        if x_cat is None:  # a table without categories, for a network that asks for them
            return x_num, torch.zeros(len(x_num), 0, dtype=torch.int64, device=x_num.device)
        x_cat = self.mask(x_cat)
        if self.one_hot is None:
            return x_num, x_cat
        return (torch.cat([x_num, self.one_hot(x_cat)], dim=1),)


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


def users_network(network: nn.Module) -> nn.Module:
    """The network, or the committee, behind the categories that may stand in front of it."""
    return network.network if isinstance(network, TableNetwork) else network


def committee_of(network: nn.Module) -> Committee | None:
    """The committee that a network is, behind its categories, or None."""
    inside = users_network(network)
    return inside if isinstance(inside, Committee) else None


def has_members(network: nn.Module) -> bool:
    """Whether it returns raw scores of members, ``(batch, n_members, out_features)``."""
    inside = users_network(network)
    return hasattr(inside, "n_members")


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


def network_inputs(inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """What a network is called with for a batch: numbers, and categories where the table has any."""
    return (inputs["x_num"], inputs["x_cat"]) if "x_cat" in inputs else (inputs["x_num"],)


def first_output(output: Any) -> Tensor:
    """The raw prediction of a network that returns one tensor, or several with the raw prediction first."""
    return output[0] if isinstance(output, (tuple, list)) else output


def check_batch_norm(network: nn.Module, n_samples: int) -> None:
    """Raise a ValueError if a batch norm would have to learn from one row."""
    if n_samples == 1 and any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules()):
        raise ValueError(
            "n_samples=1: batch norm needs the variance of at least 2 training rows. Pass more rows, or a module "
            "with another norm, such as torch.nn.LayerNorm."
        )


@torch.no_grad()
def check_network(network: nn.Module, inputs: dict[str, Tensor], expected: tuple[int, ...], label: str) -> Tensor:
    """Run a few rows through the network: lazy layers learn their shapes, and a wrong output width is found now.

    Parameters
    ----------
    network : nn.Module
        On its device.
    inputs : dict of Tensor
        ``x_num`` and perhaps ``x_cat`` of two or more rows.
    expected : tuple of int
        Output widths that the loss accepts.
    label : str
        Name of the user's module, for messages.

    Returns
    -------
    raw_prediction : Tensor of shape (n_rows, width)

    Raises
    ------
    ValueError
        The network refuses the input, or its output has another shape.
    """
    n_rows = len(inputs["x_num"])
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            output = first_output(network(**inputs) if len(inputs) > 1 else network(inputs["x_num"]))
    except Exception as error:
        shape = tuple(inputs["x_num"].shape)
        one_hot = getattr(network, "one_hot", None)
        width = f", and {one_hot.out_features} one-hot columns" if one_hot is not None else ""
        raise ValueError(
            f"module: {label} failed on an input of shape {shape}{width}, dtype {inputs['x_num'].dtype}: "
            f"{type(error).__name__}: {str(error).rstrip('.')}. "
            "Its first layer needs the width that preprocessing gives: pass the class, so that fit fills it in. "
            "Images and sequences need a module made for them, or X.reshape(len(X), -1)."
        ) from error
    finally:
        network.train(training)
    if not isinstance(output, Tensor):
        raise ValueError(f"module: {label} returned a {type(output).__name__}, expected a tensor of raw scores.")
    if output.ndim == 3 and has_members(network):
        output = output[:, 0]
    if output.ndim == 1 and output.shape[0] == n_rows and 1 in expected:
        return output.unsqueeze(1)
    if output.ndim != 2 or output.shape[0] != n_rows or output.shape[1] not in expected:
        wanted = " or ".join(f"(batch, {width})" for width in expected)
        raise ValueError(
            f"module: {label} returned shape {tuple(output.shape)} for {n_rows} rows, expected {wanted}: "
            "one raw score for each class or output. Give its last layer that width, or let fit fill it in "
            "as the constructor's out_features."
        )
    return output


def check_loss(loss: Loss, raw_prediction: Tensor, y: Tensor) -> None:
    """Compute the loss of a few rows, so that what it refuses is found before training.

    Raises
    ------
    ValueError
        The loss cannot take this network's raw prediction, or fails on it.
    """
    loss.check_raw_prediction(raw_prediction)
    name = type(getattr(loss, "module", loss)).__name__
    try:
        with torch.no_grad():
            loss(raw_prediction, y)
    except Exception as error:
        raise ValueError(
            f"criterion: {name} failed on a raw prediction of shape {tuple(raw_prediction.shape)} and y of shape "
            f"{tuple(y.shape)}, dtype {y.dtype}: {type(error).__name__}: {str(error).rstrip('.')}. Check the lengths "
            "in its parameters against the number of classes or outputs."
        ) from error
