"""Forward and hand-written backward pass of single layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["DERIVATIVES", "Bfloat16Linear", "Dropout", "LayerNorm", "Linear", "Link", "elementwise"]

_aten: Any = torch.ops.aten
_threshold_backward: Any = _aten.threshold_backward.grad_input


class Link:
    """One layer of a chain; `forward` keeps the tensors that `backward` needs."""

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def backward(self, gradient: Tensor, needs_input: bool) -> Tensor:
        """Gradient with respect to the input; those of parameters are written into their ``grad``."""
        raise NotImplementedError


class Linear(Link):
    def __init__(self, layer: nn.Linear, keeps_output: bool) -> None:
        self.weight, self.bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
        self.weight_grad: Any = layer.weight.grad
        self.bias_grad = None if layer.bias is None else layer.bias.grad
        self.transposed = self.weight.t()
        self.width = layer.out_features
        self.keeps_output = keeps_output  # buffers are overwritten by the next batch
        self.output = self.input_gradient = torch.empty(0, dtype=torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        n_rows = x.shape[0]
        if self.keeps_output or self.output.shape[0] != n_rows:
            self.output = x.new_empty((n_rows, self.width))
        output = self.output
        if self.bias is None:
            return torch.mm(x, self.transposed, out=output)
        return torch.addmm(self.bias, x, self.transposed, out=output)

    def backward(self, gradient: Tensor, needs_input: bool) -> Tensor:
        torch.mm(gradient.t(), self.x, out=self.weight_grad)
        if self.bias_grad is not None:
            torch.sum(gradient, 0, out=self.bias_grad)
        if not needs_input:
            return gradient
        if self.input_gradient.shape[0] != self.x.shape[0]:
            self.input_gradient = torch.empty_like(self.x)
        return torch.mm(gradient, self.weight, out=self.input_gradient)


class Bfloat16Linear(Linear):
    """Multiplies numbers rounded to bfloat16; weights, biases and outputs stay float32."""

    def forward(self, x: Tensor) -> Tensor:
        self.rounded_x, self.rounded_weight = x.bfloat16(), self.weight.bfloat16()
        output = torch.mm(self.rounded_x, self.rounded_weight.t()).float()
        return output if self.bias is None else output.add_(self.bias)

    def backward(self, gradient: Tensor, needs_input: bool) -> Tensor:
        rounded = gradient.bfloat16()
        self.weight_grad.copy_(torch.mm(rounded.t(), self.rounded_x))
        if self.bias_grad is not None:
            torch.sum(gradient, 0, out=self.bias_grad)
        return torch.mm(rounded, self.rounded_weight).float() if needs_input else gradient


class Elementwise(Link):
    """A function of each number; `derivative` is called with the gradient, the input and the output."""

    def __init__(
        self, function: Callable[[Tensor], Tensor], derivative: Callable[[Tensor, Tensor, Tensor], Tensor]
    ) -> None:
        self.function, self.derivative = function, derivative

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        self.output = self.function(x)
        return self.output

    def backward(self, gradient: Tensor, needs_input: bool) -> Tensor:
        return self.derivative(gradient, self.x, self.output)


class Dropout(Link):
    def __init__(self, probability: float) -> None:
        self.keep = 1 - probability

    def forward(self, x: Tensor) -> Tensor:
        self.mask = torch.empty_like(x).bernoulli_(self.keep).div_(self.keep)
        return x * self.mask

    def backward(self, gradient: Tensor, needs_input: bool) -> Tensor:
        return gradient * self.mask


class LayerNorm(Link):
    def __init__(self, layer: nn.LayerNorm) -> None:
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        self.x = x
        output, self.mean, self.rstd = _aten.native_layer_norm(
            x, layer.normalized_shape, layer.weight, layer.bias, layer.eps
        )
        return output

    def backward(self, gradient: Tensor, needs_input: bool) -> Tensor:
        layer = self.layer
        mask = [True, layer.weight is not None, layer.bias is not None]
        x_grad, *grads = _aten.native_layer_norm_backward(
            gradient, self.x, layer.normalized_shape, self.mean, self.rstd, layer.weight, layer.bias, mask
        )
        for parameter, grad in zip((layer.weight, layer.bias), grads, strict=True):
            if parameter is not None and parameter.grad is not None:
                parameter.grad.copy_(grad)
        return x_grad


def elementwise(layer: nn.Module, may_overwrite: bool = False) -> Elementwise | None:
    """The link of an activation, or None if it is not supported."""
    if type(layer) is nn.ReLU:
        function = torch.relu_ if may_overwrite else torch.relu
        return Elementwise(function, lambda g, x, out: _threshold_backward(g, out, 0, grad_input=g))
    if type(layer) is nn.Tanh:
        return Elementwise(torch.tanh, lambda g, x, out: _aten.tanh_backward(g, out))
    if type(layer) is nn.Sigmoid:
        return Elementwise(torch.sigmoid, lambda g, x, out: _aten.sigmoid_backward(g, out))
    if type(layer) in (nn.SiLU, nn.GELU, nn.Mish, nn.LeakyReLU, nn.SELU):
        layer = type(layer)(**_arguments(layer))  # never in place: the derivative needs the input
        return Elementwise(layer.forward, DERIVATIVES[type(layer)](layer))
    return None


def _arguments(layer: nn.Module) -> dict[str, Any]:
    if isinstance(layer, nn.LeakyReLU):
        return {"negative_slope": layer.negative_slope}
    return {"approximate": layer.approximate} if isinstance(layer, nn.GELU) else {}


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
DERIVATIVES: dict[type[nn.Module], Callable[[Any], Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    nn.SiLU: lambda layer: lambda g, x, out: _aten.silu_backward(g, x),
    nn.GELU: lambda layer: lambda g, x, out: _aten.gelu_backward(g, x, approximate=layer.approximate),
    nn.Mish: lambda layer: lambda g, x, out: _aten.mish_backward(g, x),
    nn.LeakyReLU: lambda layer: lambda g, x, out: _aten.leaky_relu_backward(g, x, layer.negative_slope, False),
    nn.SELU: lambda layer: lambda g, x, out: _aten.elu_backward(g, _SELU_ALPHA, _SELU_SCALE, 1.0, False, x),
}
