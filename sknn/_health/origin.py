"""Where the first non-finite value arose, found by one replay of the batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from skorch.dataset import unpack_data
from torch import Tensor

from .inspection import as_evaluated
from .observer import WEIGHING, column_name, layer_of
from .recorder import Operation, Recorder, first_tensor, recorded, tensors_in

__all__ = ["LARGEST", "Origin", "bad_parameters", "has_overflown", "largest_of", "origin_of"]

# The square of a larger float32 is infinite, and norms are made of squares.
LARGEST = 1e18
# Numbers that an operation makes too large were large already; a logarithm or division makes infinity of any number.
_LARGE = 1e6


@dataclass
class Origin:
    """What became non-finite first."""

    stage: str  # "input", "weight", "forward", "loss", "gradient" or "unknown"
    layer: str | None  # the column of an input, else the layer
    what: str  # the same as a clause of a sentence
    has_grown: bool = False  # whether large numbers became larger still, rather than an operation having no result


def largest_of(dtype: torch.dtype) -> float:
    """The largest number that counts as finite; half precision ends before."""
    return min(LARGEST, torch.finfo(dtype).max)


def has_overflown(tensor: Tensor) -> bool:
    """Whether it contains NaN, infinity, or a number whose square is infinite. Synchronises."""
    if not tensor.is_floating_point() or not tensor.numel():
        return False
    return not bool(tensor.detach().abs().max() <= largest_of(tensor.dtype))


def _worst(tensor: Tensor) -> float:
    """NaN if it contains one, else the value of the largest magnitude."""
    flat = tensor.detach().flatten()
    nan = flat.isnan()
    return float("nan") if bool(nan.any()) else flat[flat.abs().argmax()].item()


def bad_parameters(module: Any, *, of_gradient: bool) -> list[str]:
    """Names of the parameters that, or whose gradients, are not finite or overflow."""
    found = []
    for name, parameter in module.named_parameters():
        values = parameter.grad if of_gradient else parameter
        if values is not None and has_overflown(values.coalesce().values() if values.is_sparse else values):
            found.append(name)
    return found


def origin_of(net: Any, batch: Any, columns: Sequence[str] | None = None, gradients: Sequence[str] = ()) -> Origin:
    """Find the first non-finite value: in the batch, the weights, the forward pass, the loss or the gradient.

    The net is as it was when the batch was used; `gradients` names parameters whose gradients are not finite.
    """
    module = net.module_
    if batch is not None:
        x, y = unpack_data(batch)
        found = _in_inputs(x, columns)
        if found is not None:
            return found
        if isinstance(y, Tensor) and has_overflown(y):
            return Origin("input", "y", f"the target holds {_worst(y):g}")
    weights = bad_parameters(module, of_gradient=False)
    if weights:
        worst = _worst(module.get_parameter(weights[0]))
        return Origin("weight", layer_of(weights[0]), f"weights of {layer_of(weights[0])} hold {worst:g}")
    if batch is not None:
        found = _in_forward(net, x, y)
        if found is not None:
            return found
    if gradients:
        layer = layer_of(gradients[-1])  # backward passes begin at the output
        has_nan = any(_has_nan(module.get_parameter(name).grad) for name in gradients)
        how = "not finite" if has_nan else "too large"
        what = f"the gradient of {layer} is {how}, though loss and activations are finite"
        return Origin("gradient", layer, what, has_grown=not has_nan)
    return Origin("unknown", None, "a value is not finite")


def _has_nan(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(
        (gradient.coalesce().values() if gradient.is_sparse else gradient).isnan().any()
    )


def _largest(tensors: Iterable[Tensor]) -> float:
    """The largest magnitude; 0 for none."""
    return max((t.detach().abs().max().item() for t in tensors if t.is_floating_point() and t.numel()), default=0.0)


def _in_inputs(x: Any, columns: Sequence[str] | None) -> Origin | None:
    values = first_tensor(x)
    if not has_overflown(values):
        return None
    bad = ~(values.detach().abs() <= LARGEST)
    rows = int(bad.reshape(len(values), -1).any(1).sum())
    worst = _worst(values)
    if values.ndim < 2:
        return Origin("input", None, f"the input holds {worst:g} in {rows} row(s) of the batch")
    position = int(bad.reshape(-1, values.shape[-1]).any(0).nonzero()[0])
    column = column_name(columns, position, values.shape[-1])
    return Origin("input", column, f"{column} of the input holds {worst:g} in {rows} row(s) of the batch")


def _in_forward(net: Any, x: Any, y: Any) -> Origin | None:
    found: list[Origin] = []
    last_layer = [""]

    def after(operation: Operation) -> None:
        if operation.weight is not None:
            last_layer[0] = layer_of(operation.weight)
        outputs = operation.output if isinstance(operation.output, (tuple, list)) else [operation.output]
        for output in outputs:
            if not isinstance(output, Tensor) or not (operation.weight or recorder.comes_from_input(operation)):
                continue  # constants may be infinite on purpose, as in masks
            if not found and has_overflown(output):
                layer = operation.layer or last_layer[0]
                where = layer or type(net.module_).__name__
                what = f"the forward pass: {operation.name} in {where} gives {_worst(output):g}"
                given = _largest(tensors_in([*operation.args, *operation.kwargs.values()]))
                has_grown = not output.isnan().any() and (operation.name in WEIGHING or given > _LARGE)
                found.append(Origin("forward", where, what, bool(has_grown)))

    module = net.module_
    recorder = Recorder(module, after=after)
    recorder.follow(x)
    with torch.no_grad(), as_evaluated(module):
        with recorded(module, recorder):
            output = net.infer(x)
        recorder.release()
        if found:
            return found[0]
        loss = net.get_loss(output, y, X=x, training=False)
    if has_overflown(loss):
        raw = first_tensor(output)
        largest = raw.abs().max().item()
        what = f"the loss is {loss.item():g} of raw scores up to {largest:g}"
        has_grown = not loss.isnan() and max(largest, _largest(tensors_in([y]))) > _LARGE
        return Origin("loss", type(net.criterion_).__name__, what, bool(has_grown))
    return None
