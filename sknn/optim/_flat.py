"""Which parameters decay, and all of them in one buffer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from ..modules import Committee

__all__ = ["FlatParameters", "parameter_groups"]

NORM_LAYERS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    *((nn.RMSNorm,) if hasattr(nn, "RMSNorm") else ()),
)


def parameter_groups(modules: Sequence[nn.Module]) -> list[list[nn.Parameter]]:
    """Trainable parameters in two groups: those that decay, and biases, norms and factors (``*scale``), which do not.

    Shared parameters appear once, where they are met first. Those of the networks of a committee that play the same
    part lie next to each other.
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
    part_of: dict[int, int] = {}
    for module in modules:
        for committee in module.modules():
            if isinstance(committee, Committee):
                for network in committee.networks:
                    part_of.update({id(parameter): i for i, parameter in enumerate(network.parameters())})
    return [sorted(group, key=lambda parameter: part_of.get(id(parameter), -1)) for group in (decayed, undecayed)]


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

    def stacked(self, parameters: Sequence[nn.Parameter]) -> tuple[Tensor, Tensor] | None:
        """Parameters of one shape that lie one after another, and their gradients, as one: ``(n, *shape)`` each.

        None if they do not lie so, or if some of them are not to be trained as they are: frozen, or with hooks.
        """
        first, size = parameters[0], self.data.element_size()
        start = (first.data_ptr() - self.data.data_ptr()) // size
        for i, parameter in enumerate(parameters):
            gradient = parameter.grad
            distance = size * (start + i * first.numel())
            if not parameter.requires_grad or gradient is None or type(parameter) is not nn.Parameter:
                return None
            if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
                return None
            if parameter.shape != first.shape or parameter.data_ptr() != self.data.data_ptr() + distance:
                return None
            if gradient.data_ptr() != self.gradient.data_ptr() + distance:
                return None
        stretch = slice(start, start + len(parameters) * first.numel())
        shape = (len(parameters), *first.shape)
        return self.data[stretch].view(shape), self.gradient[stretch].view(shape)

    def frozen(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Parameters that were frozen since, with copies: the optimizer moves its buffer as a whole."""
        return [(p, p.detach().clone()) for p in self.parameters if not p.requires_grad]

    def release(self) -> None:
        """Give each parameter memory of its own again: a pickled view would carry the whole buffer."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
            parameter.grad = None
