"""What torch does not pickle of a module or an optimizer, and what a resumed run therefore puts there again."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn

__all__ = ["count_steps", "parameter_hooks", "restore_hooks"]

_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def parameter_hooks(module: nn.Module) -> dict[str, list[Any]]:
    """Hooks of each parameter."""
    return {name: [getattr(p, kind) for kind in _HOOKS] for name, p in module.named_parameters()}


def restore_hooks(module: nn.Module, hooks: dict[str, list[Any]]) -> None:
    """Give the parameters of the same names these hooks."""
    for name, parameter in module.named_parameters():
        for kind, value in zip(_HOOKS, hooks.get(name, ()), strict=False):
            if value is not None:
                setattr(parameter, kind, value)


def count_steps(optimizer: torch.optim.Optimizer) -> None:
    """As torch's schedulers do when they are made: they warn if they are stepped before the optimizer is."""
    step = optimizer.step

    @functools.wraps(step)
    def counted(*args: Any, **kwargs: Any) -> Any:
        setattr(optimizer, "_opt_called", True)  # noqa: B010
        return step(*args, **kwargs)

    setattr(counted, "_wrapped_by_lr_sched", True)  # noqa: B010
    setattr(optimizer, "step", counted)  # noqa: B010
