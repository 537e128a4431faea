"""Why a module failed on its first batch: advice, chosen by the layer at fault and what it was given."""

from __future__ import annotations

import inspect
import math
from types import TracebackType
from typing import Any

from torch import Tensor, nn

from ..modules._layers import BATCH_NORMS, CONVOLUTIONS
from .table_network import committee_of, one_hot_of, users_network

__all__ = ["advice_for", "layer_at_fault"]

_AXES = {1: "length", 2: "height, width", 3: "depth, height, width"}


def advice_for(error: Exception, network: nn.Module, inputs: dict[str, Tensor], *, is_instance: bool) -> str:
    """A sentence that helps against an error of a module's `forward`, with a space before it; "" if none applies.

    `is_instance`: the user passed an instance, and not a class, whose widths are filled in.
    """
    committee = committee_of(network)
    module = users_network(network) if committee is None else committee.networks[0]
    if isinstance(error, TypeError):
        needed = _unserved_arguments(module, len(inputs) if one_hot_of(network) is None else 1)
        if needed:
            return (
                f" forward needs {needed}; fit passes one tensor, the rows of X. Name a second one x_cat to receive "
                "the codes of categorical columns; give any other a default, or compute it in forward."
            )
    layer, given = layer_at_fault(error.__traceback__)
    if layer is None or given is None:
        return ""
    is_first = given.shape == _shape_of_input(network, inputs)
    kind, shape = type(layer).__name__, tuple(given.shape)
    own = {parameter.dtype for parameter in layer.parameters(recurse=False) if parameter.is_floating_point()}
    if given.is_floating_point() and own and given.dtype not in own:
        return (
            f" fit trains all parameters as float32, and {kind} was given {given.dtype}: leave out the conversion of x "
            "in forward."
        )
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        return _advice_for_codes(layer, given, has_categories="x_cat" in inputs)
    if isinstance(layer, CONVOLUTIONS):
        return _advice_for_convolution(layer, shape, is_first=is_first)
    width, axis = _width_of(layer)
    if width is None or given.ndim <= axis or shape[axis] == width[1]:
        return ""
    fact = f" {kind} has {width[0]}={width[1]} and was given the shape {shape}."
    if isinstance(layer, nn.Linear) and math.prod(shape[1:]) == width[1]:
        return f"{fact} Flatten the rows first, by nn.Flatten() or X.reshape(len(X), -1)."
    if not is_first or given.ndim > 2:
        return fact
    fix = "pass the class" if is_instance else "let the constructor take in_features"
    return (
        f" Its first layer needs the width of the preprocessed table: set {width[0]}={shape[axis]}, or {fix}, so that "
        "fit sets the width."
    )


def _unserved_arguments(module: nn.Module, n_passed: int) -> list[str]:
    """All arguments that `forward` needs, if these are more than are passed."""
    parameters = inspect.signature(module.forward).parameters.values()
    by_name = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    by_position = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    return [*by_position, *by_name] if by_name or len(by_position) > n_passed else []


def _shape_of_input(network: nn.Module, inputs: dict[str, Tensor]) -> tuple[int, ...]:
    """Shape of the first tensor that the user's module is called with."""
    shape = tuple(inputs["x"].shape)
    one_hot = one_hot_of(network)
    return shape if one_hot is None else (*shape[:-1], shape[-1] + one_hot.out_features)


def layer_at_fault(traceback: TracebackType | None) -> tuple[nn.Module | None, Tensor | None]:
    """The innermost module whose `forward` was running, and the first tensor that it was given."""
    layer = given = None
    while traceback is not None:
        frame, traceback = traceback.tb_frame, traceback.tb_next
        arguments = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        if frame.f_code.co_name != "forward" or len(arguments) < 2:
            continue
        found, first = frame.f_locals.get(arguments[0]), frame.f_locals.get(arguments[1])
        if isinstance(found, nn.Module):
            layer, given = found, first if isinstance(first, Tensor) else None
    return layer, given


def _advice_for_codes(layer: nn.Embedding | nn.EmbeddingBag, given: Tensor, *, has_categories: bool) -> str:
    if given.is_floating_point():
        first = "set preprocessing=False and " if given.ndim == 2 else ""
        return (
            f" {type(layer).__name__} needs integers, and fit passes X as float32: {first}call x.long() in forward. Or "
            "pass the codes as categorical columns, and name a parameter of forward x_cat, which receives them."
        )
    low, high = int(given.min()), int(given.max())
    kind, size = type(layer).__name__, layer.num_embeddings
    fact = f" {kind} has num_embeddings={size} and was given codes from {low} to {high}."
    if not has_categories:
        return fact
    return f"{fact} A column of K categories has the codes 0 (unknown) to K + 1 (missing); see cat_cardinalities."


def _advice_for_convolution(layer: Any, shape: tuple[int, ...], *, is_first: bool) -> str:
    kind, n_axes = type(layer).__name__, len(layer.kernel_size)
    wanted = f"(batch, channels, {_AXES[n_axes]})"
    what = f" {kind} with in_channels={layer.in_channels} needs {wanted}, and was given {shape}."
    name = "X" if is_first else "x"
    if len(shape) == n_axes + 1 and layer.in_channels == 1:
        return f"{what} Add the axis of channels: {name}[:, None]."
    if len(shape) < n_axes + 2:
        return f"{what} Bring it into this shape: {name}.reshape(len({name}), {layer.in_channels}, {_AXES[n_axes]})."
    if shape[1] == layer.in_channels or len(shape) > n_axes + 2:
        return what if len(shape) > n_axes + 2 else ""
    if shape[-1] == layer.in_channels:
        return f"{what} The channels come second: {'np.moveaxis(X, -1, 1)' if is_first else 'x.movedim(-1, 1)'}."
    return what


def _width_of(layer: nn.Module) -> tuple[tuple[str, int] | None, int]:
    """Name and size of the width that a layer accepts, and the axis of its input that must have this size."""
    if isinstance(layer, nn.Linear):
        return ("in_features", layer.in_features), -1
    if isinstance(layer, nn.RNNBase):
        return ("input_size", layer.input_size), -1
    if isinstance(layer, BATCH_NORMS):
        return ("num_features", layer.num_features), 1
    if isinstance(layer, nn.LayerNorm):
        return ("normalized_shape", layer.normalized_shape[-1]), -1
    return None, -1
