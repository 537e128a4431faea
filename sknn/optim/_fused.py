"""A step of torch's fused optimizers without their bookkeeping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

__all__ = ["step_of"]

_torch: Any = torch  # the kernels are not part of its documented face


def step_of(optimizer: torch.optim.Optimizer) -> Callable[[], Any]:
    """The fastest function that does what ``optimizer.step()`` does.

    ``step`` of torch groups its tensors by device and dtype, looks for hooks and opens a profiler's range every time,
    which for one flat buffer takes longer than the update. The function found here calls the same kernel with the
    same state and the present hyperparameters of the groups.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer

    Returns
    -------
    callable
        ``optimizer.step`` itself for optimizers, options or hooks that it does not know.
    """
    kernel = _KERNELS.get(type(optimizer))
    if kernel is None or not all(_is_plain(group) for group in optimizer.param_groups) or _is_watched(optimizer):
        return optimizer.step

    has_state = False

    def step() -> None:
        nonlocal has_state
        if has_state and "step" not in vars(optimizer):  # a scheduler may have come since
            with torch.no_grad():
                kernel(optimizer)
        else:
            optimizer.step()
            has_state = True

    return step


def _is_plain(group: dict[str, Any]) -> bool:
    return (
        bool(group["fused"])
        and len(group["params"]) == 1
        and not isinstance(group["lr"], Tensor)
        and not group.get("capturable")
        and not group.get("amsgrad")
    )


def _is_watched(optimizer: torch.optim.Optimizer) -> bool:
    """Whether anybody hooked into its step: a scheduler of torch replaces the method."""
    return bool(
        "step" in vars(optimizer)
        or optimizer._optimizer_step_pre_hooks
        or optimizer._optimizer_step_post_hooks
        or _global_optimizer_pre_hooks
        or _global_optimizer_post_hooks
    )


def _adam(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        parameter = group["params"][0]
        state = optimizer.state[parameter]
        state["step"].add_(1)
        decoupled = group.get("decoupled_weight_decay", type(optimizer) is torch.optim.AdamW)
        beta1, beta2 = group["betas"]
        (_torch._fused_adamw_ if decoupled else _torch._fused_adam_)(
            [parameter],
            [parameter.grad],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [state["step"]],
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=group["maximize"],
        )


def _sgd(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        parameter = group["params"][0]
        momentum = group["momentum"]
        _torch._fused_sgd_(
            [parameter],
            [parameter.grad],
            [optimizer.state[parameter]["momentum_buffer"]] if momentum else [],
            weight_decay=group["weight_decay"],
            momentum=momentum,
            lr=group["lr"],
            dampening=group["dampening"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
            is_first_step=False,
        )


_KERNELS: dict[type, Callable[[torch.optim.Optimizer], None]] = {
    torch.optim.Adam: _adam,
    torch.optim.AdamW: _adam,
    torch.optim.SGD: _sgd,
}
