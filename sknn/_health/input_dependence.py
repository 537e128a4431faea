"""How outputs and loss depend on the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .inspection import as_evaluated
from .recorder import first_tensor

__all__ = ["depends_on_input", "input_gradient", "noise_of_outputs"]


def _replaced(x: Any, new: Tensor) -> Any:
    """The inputs with another first tensor."""
    if isinstance(x, dict):
        name = next(iter(x))
        return {**x, name: new}
    return type(x)([new, *x[1:]]) if isinstance(x, (tuple, list)) else new


def input_gradient(net: Any, rows: tuple[Any, Any]) -> np.ndarray | None:
    """Norm of the gradient of the loss with respect to each step of the input, (n_steps,).

    None unless the input is a sequence (batch, time, features), or (batch, features, time) where the size of a
    recurrent layer says so, or the network is recurrent and reads columns as steps.
    """
    x, y = rows
    values = first_tensor(x)
    module = net.module_
    recurrent = [part for part in module.modules() if isinstance(part, (nn.RNNBase, nn.RNNCellBase))]
    if not values.is_floating_point() or values.ndim not in ((2, 3) if recurrent else (3,)):
        return None
    is_last = values.ndim == 3 and recurrent and recurrent[0].input_size == values.shape[1] != values.shape[2]
    time = 2 if is_last else 1
    if values.shape[time] < 8:
        return None
    grads = [(p, p.grad) for p in module.parameters()]
    try:
        with torch.enable_grad(), as_evaluated(module):
            given = values.detach().clone().requires_grad_()
            loss = net.get_loss(net.infer(_replaced(x, given)), y, X=x, training=False)
            (gradient,) = torch.autograd.grad(loss, given)
    except RuntimeError:  # in-place code that cannot be differentiated with respect to its input
        return None
    finally:
        for parameter, grad in grads:
            parameter.grad = grad
    steps = gradient.cpu().double().movedim(time, 0).flatten(1).norm(dim=1)
    return steps.cpu().numpy()


@torch.no_grad()
def depends_on_input(net: Any, rows: tuple[Any, Any]) -> bool:
    """Whether outputs move with the rows when these are permuted."""
    x, _ = rows
    order = torch.arange(len(first_tensor(x)), dtype=torch.int64).roll(1)
    module = net.module_
    if isinstance(x, dict):
        moved = {
            name: values[order.to(values.device)] if name.startswith("x_") or name == next(iter(x)) else values
            for name, values in x.items()
        }
    else:
        moved = _replaced(x, first_tensor(x)[order.to(first_tensor(x).device)])
    with as_evaluated(module):
        first = first_tensor(net.infer(x)).cpu().double()
        second = first_tensor(net.infer(moved)).cpu().double()
    expected = first[order.to(first.device)]
    unlike = (second - expected).square().mean()
    spread = (first - first.mean(0)).square().mean()
    return bool(unlike < 0.5 * spread)


@torch.no_grad()
def noise_of_outputs(net: Any, rows: tuple[Any, Any], *, training: bool) -> float:
    """Share of the variance of the outputs that is no function of the row: they differ when rows are sent twice.

    In training mode, or as evaluated; modes, weights and buffers are as before afterwards.
    """
    x, _ = rows
    module = net.module_
    weights = [(p, p.detach().clone()) for p in module.parameters()] if training else []
    try:
        with as_evaluated(module):
            if training:
                module.train()
            first, second = (first_tensor(net.infer(x)).cpu().double() for _ in range(2))
    finally:
        for parameter, value in weights:  # a module may change them in training mode
            parameter.copy_(value)
    noise = (first - second).square().mean() / 2
    spread = ((first - first.mean(0)).square() + (second - second.mean(0)).square()).mean() / 2
    return min(1.0, float(noise / spread)) if spread > 0 and bool(torch.isfinite(spread)) else 0.0
