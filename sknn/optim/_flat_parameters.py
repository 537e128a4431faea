"""All parameters in one buffer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

__all__ = ["FlatParameters"]


class FlatParameters:
    """All parameters as views of one contiguous buffer, and their gradients as views of another.

    An element-wise optimizer then updates one tensor per group instead of many, the gradient norm is one reduction, and
    zeroing is one fill. On small networks these calls take most of the time of a training step.

    The parameters of `groups`, all of one dtype and device, become views of the buffer, in place, until `release`. They
    keep their memory format: convolutions would copy weights that are not in that of their input, twice a step.
    """

    def __init__(self, groups: list[list[nn.Parameter]]) -> None:
        self.parameters = [parameter for group in groups for parameter in group]
        first = self.parameters[0]
        self.data = torch.zeros(sum(p.numel() for p in self.parameters), dtype=first.dtype, device=first.device)
        self.gradient = torch.zeros_like(self.data)  # (n,), all gradients, one after another
        self._starts = [0, *accumulate(p.numel() for p in self.parameters)][:-1]
        self._strides = [torch.empty_like(p, device="meta").stride() for p in self.parameters]  # without gaps
        sizes = [sum(p.numel() for p in group) for group in groups]
        self.groups = [nn.Parameter(part) for part in self.data.split(sizes)]  # each with its part of the gradient
        self._group_gradients = self.gradient.split(sizes)
        self.attach()

    def attach(self) -> None:
        """Make every parameter and gradient a view of the buffers again, with its present values.

        Callbacks and modules may have replaced them: ``parameter.data = ...``, ``parameter.grad = ...``,
        ``zero_grad()``.
        """
        for group, gradients in zip(self.groups, self._group_gradients, strict=True):
            group.grad = gradients  # `zero_grad()` of the optimizer drops it
        size, data, gradient = self.data.element_size(), self.data.data_ptr(), self.gradient.data_ptr()
        for parameter, start, strides in zip(self.parameters, self._starts, self._strides, strict=True):
            if parameter.data_ptr() != data + size * start:
                view = self.data.as_strided(parameter.shape, strides, start)
                view.copy_(parameter.detach())
                parameter.data = view
            grad = parameter.grad
            if grad is None or grad.data_ptr() != gradient + size * start:
                view = self.gradient.as_strided(parameter.shape, strides, start)
                view.zero_() if grad is None else view.copy_(grad)
                parameter.grad = view

    def stacked(self, parameters: Sequence[nn.Parameter]) -> tuple[Tensor, Tensor] | None:
        """Parameters of one shape and their gradients as two tensors ``(n, *shape)``, views of the buffers.

        None if the parameters are not neighbours in the buffers, or if one of them is frozen or has hooks.
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
        part = slice(start, start + len(parameters) * first.numel())
        shape = (len(parameters), *first.shape)
        return self.data[part].view(shape), self.gradient[part].view(shape)

    def frozen(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Parameters that were frozen since, with copies of their values: the optimizer updates the whole buffer."""
        return [(p, p.detach().clone()) for p in self.parameters if not p.requires_grad]

    def release(self) -> None:
        """Give each parameter its own memory again: the pickle of a view contains the whole buffer."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
            parameter.grad = None
