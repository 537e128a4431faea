"""A step of torch's fused optimizers without the overhead of ``Optimizer.step``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

__all__ = ["step_of"]

_torch: Any = torch  # the kernels are not part of the documented API


def step_of(optimizer: torch.optim.Optimizer) -> Callable[[], Any]:
    """The fastest function that does what ``optimizer.step()`` does.

    ``step`` of torch groups its tensors by device and dtype, checks for hooks and opens a profiler range every time,
    which takes longer than the update of one flat buffer. The returned function calls the same kernel with the same
    state and the present hyperparameters of the groups. It is ``optimizer.step`` itself for other optimizers,
    unsupported options, and optimizers with hooks.
    """
    kernel = _KERNELS.get(type(optimizer))
    if kernel is None or not all(_is_plain(group) for group in optimizer.param_groups) or _is_watched(optimizer):
        return optimizer.step

    has_state = False

    def step() -> None:
        nonlocal has_state
        if has_state and "step" not in vars(optimizer):  # a scheduler may have been made since
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
    """Whether its step has hooks, or was replaced, as torch's schedulers do."""
    return bool(
        "step" in vars(optimizer)
        or optimizer._optimizer_step_pre_hooks
        or optimizer._optimizer_step_post_hooks
        or _global_optimizer_pre_hooks
        or _global_optimizer_post_hooks
    )


def _adam(optimizer: torch.optim.Optimizer) -> None:
    groups = optimizer.param_groups
    first = groups[0]
    parameters = [group["params"][0] for group in groups]
    states = [optimizer.state[parameter] for parameter in parameters]
    decoupled = first.get("decoupled_weight_decay", type(optimizer) is torch.optim.AdamW)
    kernel = _torch._fused_adamw_ if decoupled else _torch._fused_adam_
    for state in states:
        state["step"].add_(1)
    if decoupled and all(group[name] == first[name] for group in groups[1:] for name in _ADAM_OPTIONS):
        # Decay is a factor on the weights before the step, so that all groups fit one call.
        for parameter, group in zip(parameters, groups, strict=True):
            if group["weight_decay"]:
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
        _adam_kernel(kernel, parameters, states, {**first, "weight_decay": 0.0})
    else:
        for parameter, state, group in zip(parameters, states, groups, strict=True):
            _adam_kernel(kernel, [parameter], [state], group)


_ADAM_OPTIONS = ("lr", "betas", "eps", "maximize")


def _adam_kernel(kernel: Any, parameters: list[Any], states: list[dict[str, Tensor]], options: dict[str, Any]) -> None:
    beta1, beta2 = options["betas"]
    kernel(
        parameters,
        [parameter.grad for parameter in parameters],
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [],
        [state["step"] for state in states],
        lr=options["lr"],
        beta1=beta1,
        beta2=beta2,
        weight_decay=options["weight_decay"],
        eps=options["eps"],
        amsgrad=False,
        maximize=options["maximize"],
    )


def _sgd(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        if group["momentum"] and optimizer.state[group["params"][0]].get("momentum_buffer") is None:
            optimizer.step()  # momentum starts with this step
            return
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
