"""Networks of one shape in one pass: what every such gradient offers, and the memory that it computes in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..modules.tabm import Memory
from ..optim import FlatParameters

__all__ = ["Buffers", "Stack"]


class Buffers(Memory):
    """Memory that is kept from step to step, a buffer for each name and shape; ``buffers[name]`` is the last one."""

    def __init__(self) -> None:
        self._by_shape: dict[tuple[Any, ...], Tensor] = {}
        self._last: dict[str, Tensor] = {}

    def result(self, name: str, shape: Sequence[int]) -> Tensor:
        key = (name, *shape)
        buffer = self._by_shape.get(key)
        if buffer is None:
            buffer = self._by_shape[key] = torch.empty(*shape)
        self._last[name] = buffer
        return buffer

    def over(self, x: Tensor) -> Tensor:
        return x

    def contiguous(self, name: str, x: Tensor) -> Tensor:
        return self.result(name, x.shape).copy_(x)

    def __getitem__(self, name: str) -> Tensor:
        return self._last[name]


class Stack:
    """Forward and backward pass through networks of one class and shape, to be run under no_grad.

    Attributes
    ----------
    networks : list of nn.Module
        Each of them can be computed on a thread of its own.
    covers_all : bool
        Whether `backward` overwrites all gradients, so that none needs to be zeroed.
    buffers : Buffers
        May be handed on to the stack of the same network that replaces this one.
    """

    networks: Sequence[nn.Module]
    covers_all: bool
    buffers: Buffers

    @classmethod
    def of(cls, network: nn.Module, flat: FlatParameters) -> Stack | None:
        """The stack of a network in training mode whose parameters lie in `flat`, or None if it is not supported."""
        raise NotImplementedError

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Raw prediction of a batch as the network returns it, new memory."""
        raise NotImplementedError

    def backward(self, gradient: Tensor) -> None:
        """From the gradient with respect to the raw prediction to those of all parameters."""
        raise NotImplementedError
