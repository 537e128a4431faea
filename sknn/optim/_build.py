"""Optimizer class and parameters -> an optimizer, over flat buffers where it treats every number alike."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from .._errors import refused_as, shown
from ._flat import FlatParameters, parameter_groups

__all__ = ["build_optimizer"]

# Optimizers that treat every number alike, so that one long vector serves as well as many small tensors.
ELEMENTWISE = (
    torch.optim.SGD,
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.Adamax,
    torch.optim.Adadelta,
    torch.optim.Adagrad,
    torch.optim.RMSprop,
)
FUSED = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad)


def _can_be_flat(optimizer: type, modules: list[nn.Module], groups: list[list[nn.Parameter]]) -> bool:
    if optimizer not in ELEMENTWISE:
        return False
    parameters = [p for group in groups for p in group]
    if len({(p.dtype, p.device) for p in parameters}) != 1:
        return False
    for module in modules:
        for part in module.modules():
            if getattr(part, "sparse", False):  # sparse gradients of an embedding
                return False
            if isinstance(part, nn.RNNBase) and parameters[0].is_cuda:  # cuDNN keeps a buffer of its own
                return False
    return True


def build_optimizer(
    optimizer: type[torch.optim.Optimizer], params: dict[str, Any], lr: float, modules: list[nn.Module]
) -> tuple[torch.optim.Optimizer, FlatParameters | None]:
    """The optimizer over parameter groups, flat where it can be.

    Parameters
    ----------
    optimizer : type
        A ``torch.optim.Optimizer`` class.
    params : dict
        Its keyword arguments. A ``weight_decay`` applies to weights, not to biases and norms.
    lr : float
        Learning rate.
    modules : list of nn.Module
        The network, and the criterion where that has parameters.

    Returns
    -------
    optimizer : torch.optim.Optimizer
    flat : FlatParameters or None
        None where the optimizer needs the parameters' shapes.

    Raises
    ------
    ValueError
        The network has nothing to train, or the optimizer refuses its arguments.
    """
    groups = [group for group in parameter_groups(modules) if group]
    if not groups:
        raise ValueError(
            f"module: {type(modules[0]).__name__} has no parameters that require gradients, so there is nothing to "
            "train. Set requires_grad=True on some of them."
        )
    with refused_as("optimizer", "a class of torch.optim, or a function that makes an optimizer"):
        accepted = inspect.signature(optimizer).parameters
    flat = None
    if _can_be_flat(optimizer, modules, groups):
        flat = FlatParameters(groups)
        groups = [[group] for group in flat.groups]
        on_known_device = groups[0][0].device.type in ("cpu", "cuda")
        if optimizer in FUSED and on_known_device and "foreach" not in params and not params.get("differentiable"):
            params = {"fused": True, **params}
    is_sparse = any(getattr(part, "sparse", False) for module in modules for part in module.modules())
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.SparseAdam) and not is_sparse:
        raise ValueError(
            f"optimizer: {optimizer.__name__} needs sparse gradients, as those of nn.Embedding(..., sparse=True), but "
            f"{type(modules[0]).__name__} has none. Use torch.optim.Adam."
        )
    # The decayed group comes first; where all parameters are exempt, the one group is exempt.
    exempt = [(len(groups) == 2 and i == 1) or not parameter_groups(modules)[0] for i in range(len(groups))]
    if "weight_decay" in accepted:
        specs: Any = [
            {"params": g, **({"weight_decay": 0.0} if e else {})} for g, e in zip(groups, exempt, strict=True)
        ]
    else:
        specs = [{"params": [p for g in groups for p in g]}]
    if optimizer is torch.optim.LBFGS:  # it allows one group only
        specs = [p for g in groups for p in g]
    try:
        made: Any = optimizer(specs, lr=lr, **params)  # type: ignore[call-arg]
    except Exception as error:
        name = getattr(optimizer, "__name__", type(optimizer).__name__)
        raise ValueError(
            f"optimizer: {name} refuses lr={lr!r}, optimizer_params={shown(params)}: {error or type(error).__name__}"
        ) from error
    if not isinstance(made, torch.optim.Optimizer):
        raise TypeError(f"optimizer: {shown(optimizer)} made {shown(made)}, expected a torch.optim.Optimizer.")
    return made, flat
