"""Errors of a network or a loss, nearly all of them found before training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .._errors import one_line, shown
from ..losses import Loss
from ..modules._layers import BATCH_NORMS
from .failures import advice_for, layer_at_fault
from .table_network import first_output, has_members, network_inputs, one_hot_of

__all__ = ["check_loss", "check_network", "checked_batch_norm"]


@contextmanager
def checked_batch_norm(n_samples: int, batch_size: int) -> Iterator[None]:
    """A context of training steps: a ValueError names what left a batch norm a single row, with advice."""
    try:
        yield
    except ValueError as error:
        layer, given = layer_at_fault(error.__traceback__)
        if not isinstance(layer, BATCH_NORMS) or given is None or given.numel() > given.shape[1]:
            raise
        if batch_size == 1 and n_samples > 1:
            text = "batch_size=1: batch norm needs at least 2 rows in each batch. Pass a larger batch_size"
        else:
            text = "n_samples=1: batch norm needs at least 2 training rows. Pass more rows"
        raise ValueError(f"{text}, or use a module with another norm, such as torch.nn.LayerNorm.") from error


def check_network(
    network: nn.Module, inputs: dict[str, Tensor], expected: tuple[int, ...], label: str, *, is_instance: bool = True
) -> Tensor:
    """The raw prediction of a few rows, or a ValueError if the network fails or its output is wrong.

    It is (n_rows, width), or (n_rows, n_members, width).

    Lazy layers get their shapes. `expected` are the output widths that the loss accepts, `label` names the user's
    module in messages, and `is_instance` says that it was not a class.
    """
    n_rows = len(inputs["x"])
    output = _call(network, inputs, label, is_instance=is_instance)
    if not isinstance(output, Tensor):
        raise ValueError(f"module: {label} returned {_described(output)}, expected a tensor of raw scores.")
    if not output.is_floating_point():
        raise ValueError(
            f"module: {label} returned a tensor of {output.dtype}, expected raw scores of float32, not labels."
        )
    if output.ndim == 3 and has_members(network) and output.shape[0] == n_rows and output.shape[2] in expected:
        return output
    if output.ndim == 1 and output.shape[0] == n_rows and 1 in expected:
        return output.unsqueeze(1)
    if output.ndim != 2 or output.shape[0] != n_rows or output.shape[1] not in expected:
        wanted = " or ".join(f"(batch, {width})" for width in expected)
        raise ValueError(
            f"module: {label} returned shape {tuple(output.shape)} for {n_rows} rows, expected {wanted}: "
            f"one raw score per class or output. {_shape_advice(tuple(output.shape), n_rows)}"
        )
    return output


def _described(output: object) -> str:
    """What a module returned instead of a tensor."""
    if output is None:
        return "None (does its forward end with a return?)"
    if isinstance(output, dict):
        return f"a dict with the keys {shown(list(output))} (return one of its values)"
    return f"a {type(output).__name__}"


def _shape_advice(shape: tuple[int, ...], n_rows: int) -> str:
    if len(shape) > 2 and shape[0] == n_rows:
        return (
            "Reduce the axes in between, as by x.mean(dim=1) or x[:, -1]; if they are members of an ensemble, give the "
            "module an attribute n_members."
        )
    if len(shape) != 2 or shape[0] != n_rows:
        return "The first axis must be that of the rows, in their order."
    return "Change the width of the last layer, or name it out_features in the constructor, so that fit sets it."


@torch.no_grad()
def _call(network: nn.Module, inputs: dict[str, Tensor], label: str, *, is_instance: bool) -> object:
    """The output of a network in evaluation mode, or a ValueError that names its input."""
    training = network.training
    network.eval()
    try:
        return first_output(network(*network_inputs(inputs)))
    except Exception as error:
        x_num = inputs["x"]
        one_hot = one_hot_of(network)
        width = f", and {one_hot.out_features} one-hot columns" if one_hot is not None else ""
        raise ValueError(
            f"module: {label} failed on an input of shape {tuple(x_num.shape)}{width}, dtype {x_num.dtype}: "
            f"{type(error).__name__}: {one_line(str(error)).rstrip('.')}."
            f"{advice_for(error, network, inputs, is_instance=is_instance)}"
        ) from error
    finally:
        network.train(training)


def check_loss(loss: Loss, raw_prediction: Tensor, y: Tensor) -> None:
    """Raise a ValueError if the loss does not accept the raw prediction of a few rows, or fails on it."""
    loss.check_raw_prediction(raw_prediction.flatten(0, -2))
    raw_prediction = raw_prediction[:, 0] if raw_prediction.ndim == 3 else raw_prediction
    name = loss.class_name
    try:
        with torch.no_grad():
            loss(raw_prediction, y)
    except Exception as error:
        raise ValueError(
            f"criterion: {name} failed on a raw prediction of shape {tuple(raw_prediction.shape)} and y of shape "
            f"{tuple(y.shape)}, dtype {y.dtype}: {type(error).__name__}: {one_line(str(error)).rstrip('.')}. Do "
            "the lengths of its parameters match the number of classes or outputs?"
        ) from error
