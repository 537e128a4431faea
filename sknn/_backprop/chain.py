"""Hand-written gradients of networks that are a sequence of layers.

Automatic differentiation records every operation and walks the record backwards; on small networks that costs more than
the arithmetic. In a chain of linear layers and element-wise functions the gradient is known: for
:math:`z = x W^T + b` and a gradient :math:`g` of the loss with respect to :math:`z`,

.. math:: \\partial W = g^T x, \\quad \\partial b = \\sum_i g_i, \\quad \\partial x = g W.

Kernels, their order and the numbers are those of automatic differentiation, which a test checks; buffers are reused.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules import module as _torch_module

from .._network.table_network import TableNetwork, users_network
from ..modules import MLP
from .layers import DERIVATIVES, Bfloat16Linear, Dropout, LayerNorm, Linear, Link, elementwise
from .precision import worth_bfloat16

__all__ = ["Chain", "evaluated", "has_global_hooks", "is_touched"]

_KNOWN = {nn.Linear, nn.LayerNorm, nn.Dropout, nn.ReLU, nn.Tanh, nn.Sigmoid, *DERIVATIVES}


class Chain:
    """Forward and backward pass through a sequence of linear layers and element-wise functions; runs under no_grad.

    `columns` makes the input (batch, in_features) of the first layer; its parameters, if it has any, are differentiated
    automatically. The gradients of the `layers`, as accepted by `Chain.of`, exist and are overwritten.
    With `precision` "auto", `worth_bfloat16` decides on the matrix products of hidden layers.
    """

    # Whether `backward` overwrites the gradients of all trained parameters, so that none needs to be zeroed.
    covers_all = False

    def __init__(
        self, columns: Callable[..., Tensor], layers: list[nn.Module], precision: str = "float32", batch_size: int = 0
    ) -> None:
        self.columns = columns
        linear = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
        self.links: list[Link] = []
        for i, layer in enumerate(layers):
            if isinstance(layer, nn.Linear):
                # Products with inputs and raw predictions stay float32 with "auto".
                auto = precision == "auto" and i in linear[1:-1] and worth_bfloat16(batch_size, *layer.weight.shape)
                kind = Bfloat16Linear if auto or precision == "bfloat16" else Linear
                # The raw prediction must outlive the batch, and an activation behind it may work in place.
                self.links.append(kind(layer, keeps_output=i >= linear[-1]))
            elif isinstance(layer, nn.Dropout):
                self.links.append(Dropout(layer.p))
            elif isinstance(layer, nn.LayerNorm):
                self.links.append(LayerNorm(layer))
            else:
                link = elementwise(layer, may_overwrite=i > 0 and isinstance(layers[i - 1], nn.Linear))
                assert link is not None
                self.links.append(link)

    @classmethod
    def of(
        cls, network: nn.Module, trained: list[nn.Parameter], precision: str = "float32", batch_size: int = 0
    ) -> Chain | None:
        """The chain of a network in training mode whose gradient buffers exist, or None if it is not supported.

        Supported are an `MLP` and an ``nn.Sequential`` of linear layers, layer norms, dropout and known activations, on
        the CPU, in float32, all trainable, without hooks.
        """
        if has_global_hooks() or torch.is_autocast_enabled("cpu"):
            return None
        inner = users_network(network)
        if any(map(is_touched, (network, inner))):
            return None
        columns: Callable[..., Tensor] = _only_numbers
        if type(inner) is MLP and inner.embeddings is not None:
            columns = inner.columns
        layers = _layers(inner.layers if type(inner) is MLP else inner)
        if not layers or not isinstance(layers[0], nn.Linear):
            return None
        inside = [id(parameter) for layer in layers for parameter in layer.parameters()]
        if len(set(inside)) < len(inside) or not all(map(_is_known, layers)):  # shared weights
            return None
        if isinstance(network, TableNetwork):
            columns = _composed(columns, network.network_inputs)
        chain = cls(columns, layers, precision, batch_size)
        chain.covers_all = set(inside) == {id(parameter) for parameter in trained}
        return chain

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Raw prediction of a batch, new memory."""
        if self.columns is _only_numbers:
            self.x = x = inputs["x"]
        else:
            with torch.enable_grad():
                self.x = self.columns(inputs["x"], inputs.get("x_cat"))
            x = self.x.detach()
        for link in self.links:
            x = link.forward(x)
        return x

    def backward(self, gradient: Tensor) -> None:
        """From the gradient with respect to the raw prediction to those of all parameters."""
        for link in reversed(self.links[1:]):
            gradient = link.backward(gradient, True)
        gradient = self.links[0].backward(gradient, self.x.requires_grad)
        if self.x.requires_grad:
            self.x.backward(gradient)


def _only_numbers(x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
    return x_num


def _composed(outer: Callable[..., Tensor], inner: Callable[..., tuple[Tensor, ...]]) -> Callable[..., Tensor]:
    return lambda *inputs: outer(*inner(*inputs))


def evaluated(network: nn.Module, inputs: dict[str, Tensor]) -> Tensor | None:
    """Raw prediction of a chain in evaluation mode, under inference_mode; None if it is not a chain with one input.

    For a single row the calls of the modules take as long as the layers.
    """
    if len(inputs) > 1 or network.training or has_global_hooks():
        return None
    if type(network) is MLP:
        if network.embeddings is not None or is_touched(network):
            return None
        network = network.layers
    layers = _layers(network)
    x = inputs["x"]
    if not layers or x.ndim != 2:
        return None
    for layer in layers:
        # In training mode may be, for example, dropout that was left on.
        if type(layer) not in _KNOWN or layer.training or is_touched(layer):
            return None
    for layer in layers:
        if type(layer) is nn.Linear and layer.bias is not None:
            x = torch.addmm(layer.bias, x, layer.weight.t())
        elif type(layer) is not nn.Dropout:
            x = layer.forward(x)
    return x


def _layers(network: nn.Module) -> list[nn.Module]:
    """The layers in order; an empty list if the order is unknown."""
    if type(network) is not nn.Sequential:
        return [network]
    if is_touched(network):
        return []
    layers: list[nn.Module] = []
    for child in network._modules.values():
        inside = _layers(child) if child is not None else []
        if not inside:
            return []
        layers += inside
    return layers


def _is_known(layer: nn.Module) -> bool:
    if not layer.training or is_touched(layer):
        return False
    for parameter in layer.parameters():
        if not parameter.requires_grad or parameter.grad is None or parameter.dtype != torch.float32:
            return False
        if parameter.device.type != "cpu" or type(parameter) is not nn.Parameter or parameter._backward_hooks:
            return False
        if getattr(parameter, "_post_accumulate_grad_hooks", None):
            return False
    if type(layer) is nn.Dropout:
        return 0 < layer.p < 1
    return type(layer) in (nn.Linear, nn.LayerNorm) or elementwise(layer) is not None


def is_touched(module: nn.Module) -> bool:
    """Whether this module has hooks, or a replaced or compiled forward."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or "forward" in vars(module)
        or module._compiled_call_impl is not None
    )


def has_global_hooks() -> bool:
    """Whether there are hooks on all modules."""
    return bool(
        _torch_module._global_forward_hooks
        or _torch_module._global_forward_pre_hooks
        or _torch_module._global_backward_hooks
        or _torch_module._global_backward_pre_hooks
    )
