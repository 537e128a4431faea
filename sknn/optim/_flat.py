"""Which parameters decay, and all of them in one buffer."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

import torch
from torch import Tensor, nn

__all__ = ["FlatParameters", "parameter_groups"]

NORM_LAYERS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    *((nn.RMSNorm,) if hasattr(nn, "RMSNorm") else ()),
)


def parameter_groups(modules: Iterable[nn.Module]) -> list[list[nn.Parameter]]:
    """Trainable parameters in two groups: those that decay, and biases, norms and factors (``*scale``), which do not.

    Shared parameters appear once, where they are met first.
    """
    decayed: list[nn.Parameter] = []
    undecayed: list[nn.Parameter] = []
    seen: set[int] = set()
    for module in modules:
        for part in module.modules():
            for name, parameter in part.named_parameters(recurse=False):
                if not parameter.requires_grad or id(parameter) in seen:
                    continue
                seen.add(id(parameter))
                exempt = (
                    isinstance(part, NORM_LAYERS) or "bias" in name or name.endswith("scale") or parameter.ndim == 0
                )
                (undecayed if exempt else decayed).append(parameter)
    return [decayed, undecayed]


class FlatParameters:
    """All parameters as views of one contiguous buffer, and their gradients as views of another.

    An element-wise optimizer then updates one tensor a group instead of many, the gradient norm is one reduction, and
    zeroing is one fill: on small networks these calls are most of a training step.

    Parameters
    ----------
    groups : list of list of nn.Parameter
        Of one dtype and device. They are changed in place to views, until `release`.

    Attributes
    ----------
    groups : list of nn.Parameter
        The stretch of the buffer of each group, with its gradient.
    gradient : Tensor of shape (n,)
        All gradients, end to end.
    """

    def __init__(self, groups: list[list[nn.Parameter]]) -> None:
        self.parameters = [parameter for group in groups for parameter in group]
        first = self.parameters[0]
        self.data = torch.zeros(sum(p.numel() for p in self.parameters), dtype=first.dtype, device=first.device)
        self.gradient = torch.zeros_like(self.data)
        self._starts = [0, *accumulate(p.numel() for p in self.parameters)][:-1]
        sizes = [sum(p.numel() for p in group) for group in groups]
        self.groups = [nn.Parameter(stretch) for stretch in self.data.split(sizes)]
        self._group_gradients = self.gradient.split(sizes)
        self.attach()

    def attach(self) -> None:
        """Make parameters and gradients views where they are not, and take their present values into the buffers.

        Callbacks and modules replace them: ``parameter.data = ...``, ``parameter.grad = ...``, ``zero_grad()``.
        """
        for group, gradients in zip(self.groups, self._group_gradients, strict=True):
            group.grad = gradients  # `zero_grad()` of the optimizer drops it
        size, data, gradient = self.data.element_size(), self.data.data_ptr(), self.gradient.data_ptr()
        for parameter, start in zip(self.parameters, self._starts, strict=True):
            stop = start + parameter.numel()
            if parameter.data_ptr() != data + size * start:
                view = self.data[start:stop].view(parameter.shape)
                view.copy_(parameter.detach())
                parameter.data = view
            grad = parameter.grad
            if grad is None or grad.data_ptr() != gradient + size * start:
                view = self.gradient[start:stop].view(parameter.shape)
                view.zero_() if grad is None else view.copy_(grad)
                parameter.grad = view

    def frozen(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Parameters that were frozen since, with copies: the optimizer moves its buffer as a whole."""
        return [(p, p.detach().clone()) for p in self.parameters if not p.requires_grad]

    def release(self) -> None:
        """Give each parameter memory of its own again: a pickled view would carry the whole buffer."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
            parameter.grad = None
