"""Errors of a network or a loss that are found before training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..losses import Loss
from .table_network import TableNetwork, first_output, has_members, network_inputs

__all__ = ["check_batch_norm", "check_loss", "check_network"]


def check_batch_norm(network: nn.Module, n_samples: int) -> None:
    """Raise a ValueError if a batch norm would be trained on a single row."""
    if n_samples == 1 and any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules()):
        raise ValueError(
            "n_samples=1: batch norm needs at least 2 training rows. Pass more rows, or use a module with another "
            "norm, such as torch.nn.LayerNorm."
        )


def check_network(network: nn.Module, inputs: dict[str, Tensor], expected: tuple[int, ...], label: str) -> Tensor:
    """The raw prediction (n_rows, width) of a few rows, or a ValueError if the network fails or its output is wrong.

    Lazy layers get their shapes. `expected` are the output widths that the loss accepts, `label` names the user's
    module in messages.
    """
    n_rows = len(inputs["x_num"])
    output = _call(network, inputs, label)
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
            "one raw score per class or output. Change the width of the last layer, or name it out_features in the "
            "constructor, so that fit sets it."
        )
    return output


@torch.no_grad()
def _call(network: nn.Module, inputs: dict[str, Tensor], label: str) -> object:
    """The output of a network in evaluation mode, or a ValueError that names its input."""
    training = network.training
    network.eval()
    try:
        return first_output(network(*network_inputs(inputs)))
    except Exception as error:
        x_num = inputs["x_num"]
        one_hot = network.one_hot if isinstance(network, TableNetwork) else None
        width = f", and {one_hot.out_features} one-hot columns" if one_hot is not None else ""
        raise ValueError(
            f"module: {label} failed on an input of shape {tuple(x_num.shape)}{width}, dtype {x_num.dtype}: "
            f"{type(error).__name__}: {str(error).rstrip('.')}. "
            "Its first layer needs the width of the preprocessed table: pass the class, so that fit sets the width. "
            "Images and sequences need a module made for them, or X.reshape(len(X), -1)."
        ) from error
    finally:
        network.train(training)


def check_loss(loss: Loss, raw_prediction: Tensor, y: Tensor) -> None:
    """Raise a ValueError if the loss does not accept the raw prediction of a few rows, or fails on it."""
    loss.check_raw_prediction(raw_prediction)
    name = loss.class_name
    try:
        with torch.no_grad():
            loss(raw_prediction, y)
    except Exception as error:
        raise ValueError(
            f"criterion: {name} failed on a raw prediction of shape {tuple(raw_prediction.shape)} and y of shape "
            f"{tuple(y.shape)}, dtype {y.dtype}: {type(error).__name__}: {str(error).rstrip('.')}. Do the lengths of "
            "its parameters match the number of classes or outputs?"
        ) from error
