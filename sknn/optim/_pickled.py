"""The state of an optimizer as it is pickled."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

__all__ = ["load_pickled", "to_pickle"]


def to_pickle(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """State and groups of the optimizer on the CPU, and the shapes of its parameters."""
    return {"shapes": _shapes(optimizer), "state": _on_cpu(optimizer.state_dict())}


def load_pickled(optimizer: torch.optim.Optimizer, pickled: dict[str, Any]) -> None:
    """Give a new optimizer the state that `to_pickle` returned.

    A callback may have frozen parameters or added a group since. The state does not fit the optimizer's parameters
    then: it is ignored, with a warning.
    """
    if pickled["shapes"] != _shapes(optimizer):
        warnings.warn(
            f"The loaded state of {type(optimizer).__name__} belongs to parameters of shapes {pickled['shapes']}, but "
            f"the network now trains {_shapes(optimizer)}: a callback froze or added some. The optimizer begins anew.",
            UserWarning,
            stacklevel=2,
        )
        return
    optimizer.load_state_dict(pickled["state"])


def _shapes(optimizer: torch.optim.Optimizer) -> list[list[tuple[int, ...]]]:
    return [[tuple(parameter.shape) for parameter in group["params"]] for group in optimizer.param_groups]


def _on_cpu(value: Any) -> Any:
    """The same structure with tensors on the CPU, in their own memory."""
    if isinstance(value, Tensor):
        # The pickle of a view contains the whole buffer.
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _on_cpu(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_on_cpu(item) for item in value)
    return value
