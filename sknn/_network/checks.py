"""What is found wrong with a network before it is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..losses import Loss
from .table_network import first_output, has_members

__all__ = ["check_batch_norm", "check_loss", "check_network"]


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
