"""The activation of the layers of a `TabM`, in place, and its derivative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..modules.activations import HalfSine

__all__ = ["LayerActivations", "n_rectified"]

_threshold_backward: Any = torch.ops.aten.threshold_backward.grad_input


class _Buffers(Protocol):
    def result(self, name: str, shape: Sequence[int]) -> Tensor: ...
    def __getitem__(self, name: str) -> Tensor: ...


def n_rectified(activation: nn.Module, width: int) -> int | None:
    """How many units are rectified linear ones; the others are sines. None for any other activation."""
    return {nn.ReLU: width, HalfSine: width // 2}.get(type(activation))


class LayerActivations:
    """The activation and dropout of one layer after the other, in place.

    Parameters
    ----------
    n_rectified : int
        Number of the first units that are rectified, the others are sines.
    keep : float
        1 - dropout.
    buffers
        Where the derivatives of the sines are kept.
    """

    def __init__(self, n_rectified: int, keep: float, buffers: _Buffers) -> None:
        self.n_rectified, self.keep, self.buffers = n_rectified, keep, buffers

    def begin(self, masks: Tensor | None, *, differentiates: bool) -> None:
        """Before the first layer of a forward pass; which units each layer keeps, (..., n_layers, 1, b, w), or None."""
        self._layer, self._differentiates = 0, differentiates
        self._masks = None if masks is None else masks.unbind(-4)

    def forward(self, units: Tensor) -> Tensor:
        """The next layer, (..., m, b, w)."""
        n = self.n_rectified
        mask = None if self._masks is None else self._masks[self._layer]
        if n < units.shape[-1]:
            waves = units[..., n:]
            if self._differentiates:
                slope = self.buffers.result(f"slope {self._layer}", waves.shape)
                torch.cos(waves, out=slope)
                if mask is not None:
                    slope.mul_(mask[..., n:]).mul_(1 / self.keep)
            waves.sin_()
        torch.relu_(units[..., :n])
        self._layer += 1
        return units if mask is None else units.mul_(mask).mul_(1 / self.keep)

    def backward(self, layer: int, of_units: Tensor, units: Tensor, of_layer: Tensor) -> None:
        """Write the gradient before the activation, from that of the units and these, which may have been dropped."""
        n = self.n_rectified
        # Units that are negative or dropped are 0.
        rectified = of_layer[..., :n]
        _threshold_backward(of_units[..., :n], units[..., :n], 0, grad_input=rectified)
        if self.keep < 1:
            rectified.mul_(1 / self.keep)
        if n < units.shape[-1]:
            torch.mul(of_units[..., n:], self.buffers[f"slope {layer}"], out=of_layer[..., n:])
