"""`TabM`, or a committee of networks of it, in one pass and differentiated by hand.

On small networks the calls take longer than the arithmetic. A committee runs each operation once for all networks:
their weights are neighbours in the flat buffer, so that a product of stacked matrices reads them and writes their
gradients in place. The forward pass is that of `sknn.modules.tabm`; a test compares the gradients with automatic
differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .._network.table_network import TableNetwork, committee_of, network_inputs, users_network
from ..modules import Committee, SequenceNet, TabM
from ..modules.numeric_embeddings import pieces
from ..modules.tabm import (
    CURVE_RATE,
    GAIN_RATE,
    Memory,
    SharedLayer,
    TabMWeights,
    factors,
    hidden_units,
    raw_scores,
)
from ..optim import FlatParameters
from .chain import has_global_hooks, is_touched

__all__ = ["TabMStack"]

_threshold_backward: Any = torch.ops.aten.threshold_backward.grad_input
# Parameters of each member, or of each numeric column: it does not matter to which network it belongs.
_OF_EACH = ("head_weight", "head_bias", "curves", "curve_gain", "curve_weight")


class Buffers(Memory):
    """Memory that is kept from step to step, a buffer for each name and shape; ``buffers[name]`` is the last one."""

    def __init__(self) -> None:
        self._by_shape: dict[tuple[Any, ...], Tensor] = {}
        self._last: dict[str, Tensor] = {}

    def result(self, name: str, shape: Sequence[int]) -> Tensor:
        key = (name, *shape)
        buffer = self._by_shape.get(key)
        if buffer is None:
            buffer = self._by_shape[key] = torch.empty(*shape, dtype=torch.float32, device="cpu")
        self._last[name] = buffer
        return buffer

    def over(self, x: Tensor) -> Tensor:
        return x

    def contiguous(self, name: str, x: Tensor) -> Tensor:
        return self.result(name, x.shape).copy_(x)

    def __getitem__(self, name: str) -> Tensor:
        return self._last[name]


class TabMStack:
    """Forward and backward pass through n `TabM` networks of one shape, with m members of width w; runs under no_grad.

    Weights and gradients are those of all networks by the name of a parameter of one, (n, *shape); gradients are
    overwritten. `buffers` may be handed on to the stack of the same network that replaces this one.
    """

    def __init__(self, network: nn.Module, weights: dict[str, Tensor], gradients: dict[str, Tensor]) -> None:
        self.categories = network if isinstance(network, TableNetwork) else None
        self.committee = committee_of(network)
        self.networks = tabms = _tabms(network)  # each of them can be computed on a thread of its own
        self.weights, self.gradients = (
            {name: values.flatten(0, 1) if name in _OF_EACH else values for name, values in all_values.items()}
            for all_values in (weights, gradients)
        )
        first = tabms[0]
        self.bins = pieces(first.knots) if first.curves is not None else None
        self.embeddings = [tabm.embeddings for tabm in tabms if tabm.embeddings is not None]
        self.learns_categories = any(embeddings.embedding is not None for embeddings in self.embeddings)
        self.covers_all = not self.learns_categories  # embeddings are differentiated automatically
        self.buffers = Buffers()
        self._blocks = [partial(self._block, i) for i in range(len(first.blocks))]
        self._named = TabMWeights(*[self.weights.get(name) for name in TabMWeights._fields])  # pyright: ignore

    @classmethod
    def of(cls, network: nn.Module, flat: FlatParameters) -> TabMStack | None:
        """The stack of a network in training mode whose parameters lie in `flat`, or None if it is not supported.

        Supported are a `TabM` and a `Committee` of them with the same knots: with rectified linear units and without
        dropout, on the CPU, in float32, all trainable, without hooks.
        """
        networks = _tabms(network)
        if not networks or has_global_hooks() or torch.is_autocast_enabled("cpu"):
            return None
        first = networks[0]
        if flat.data.device.type != "cpu" or flat.data.dtype != torch.float32:
            return None
        if any(not part.training or is_touched(part) for part in network.modules()):
            return None
        if not all(type(tabm.activation) is nn.ReLU and tabm.dropout == 0 for tabm in networks):
            return None
        if any(type(block) is not SharedLayer for tabm in networks for block in tabm.blocks):
            return None
        names = [name for name, _ in first.named_parameters()]
        if any([name for name, _ in tabm.named_parameters()] != names for tabm in networks):
            return None
        if any(tabm.knots.shape != first.knots.shape or not torch.equal(tabm.knots, first.knots) for tabm in networks):
            return None
        weights, gradients = {}, {}
        for name in names:
            views = flat.stacked([tabm.get_parameter(name) for tabm in networks])
            if views is None:
                return None
            weights[name], gradients[name] = views
        if len(flat.parameters) != len(names) * len(networks):
            return None
        return cls(network, weights, gradients)

    # ------------------------------------------------------------------ forward

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Raw scores of the members, as the network returns them; new memory."""
        given = network_inputs(inputs)
        if self.categories is not None:
            given = self.categories.network_inputs(*given)
        parts = [given] if self.committee is None else self.committee.parts(*given)
        x = torch.stack([part[0] for part in parts])  # (n, b, in_features)
        self.columns = x if len(given) == 1 else torch.cat([x, self._embedded([part[1] for part in parts])], dim=2)
        self.hidden = hidden_units(self._named, x, self.columns, self.bins, self._blocks, torch.relu_, self.buffers)
        scores = raw_scores(self._named, self.hidden)  # (n * m, b, out_features)
        outputs = [part.transpose(0, 1) for part in scores.chunk(len(parts))]
        return outputs[0] if self.committee is None else self.committee.joined(outputs)

    def _block(self, i: int, x: Tensor) -> Tensor:
        rows = x.flatten(1, 2)  # of all members, for one product
        units = self.buffers.result(f"step {i}", rows.shape)
        torch.bmm(rows, self.weights[f"blocks.{i}.weight"].transpose(1, 2), out=units)
        return units.view(x.shape).add_(self.weights[f"blocks.{i}.bias"])

    def _embedded(self, codes: list[Tensor]) -> Tensor:
        """Columns for the categories, (n, b, width)."""
        if not self.embeddings:
            return self.weights["gain"].new_zeros(len(codes), len(codes[0]), 0)
        if not self.learns_categories:
            return self.embeddings[0](torch.cat(codes)).view(len(codes), len(codes[0]), -1)
        with torch.enable_grad():
            self.embedded = torch.stack([embed(part) for embed, part in zip(self.embeddings, codes, strict=True)])
        return self.embedded.detach()

    # ------------------------------------------------------------------ backward

    def backward(self, gradient: Tensor) -> None:
        """From the gradient with respect to the raw scores to those of all parameters."""
        parts = [gradient] if self.committee is None else self.committee.split(gradient)
        of_raw = torch.stack(parts).transpose(1, 2).flatten(0, 1)  # (n * m, b, out_features)
        torch.bmm(self.hidden.flatten(0, 1).transpose(1, 2), of_raw, out=self.gradients["head_weight"])
        torch.sum(of_raw, 1, keepdim=True, out=self.gradients["head_bias"])
        of_hidden = torch.bmm(of_raw, self.weights["head_weight"].transpose(1, 2)).view(self.hidden.shape)
        of_layer = self.buffers.result("of layer", of_hidden.shape)  # (n, m, b, w)
        for i in reversed(range(len(self._blocks))):
            step = self.buffers[f"step {i}"].view(of_hidden.shape)
            _threshold_backward(of_hidden, step, 0, grad_input=of_layer)
            torch.sum(of_layer, 2, keepdim=True, out=self.gradients[f"blocks.{i}.bias"])
            of_step = of_layer.flatten(1, 2)
            x = self.buffers[f"hidden {i - 1}" if i else "units"].flatten(1, 2)
            torch.bmm(of_step.transpose(1, 2), x, out=self.gradients[f"blocks.{i}.weight"])
            of_hidden.flatten(1, 2).baddbmm_(of_step, self.weights[f"blocks.{i}.weight"])
        _threshold_backward(of_hidden, self.buffers["units"], 0, grad_input=of_layer)
        torch.sum(of_layer, 2, keepdim=True, out=self.gradients["first_bias"])
        if self.bins is not None:
            self._curves_backward(of_layer.flatten(0, 1))
        self._columns_backward(of_layer)

    def _curves_backward(self, of_units: Tensor) -> None:
        """From the gradient of the units of each member, (n * m, b, w)."""
        own = self.buffers["own"]  # (n, m, b, columns, curves)
        torch.bmm(own.flatten(0, 1).flatten(2).transpose(1, 2), of_units, out=self.gradients["curve_weight"])
        of_own = self.buffers.result("of own", own.shape)
        torch.bmm(of_units, self.weights["curve_weight"].transpose(1, 2), out=of_own.flatten(0, 1).flatten(2))
        of_own = self.buffers.contiguous("of by column", of_own.transpose(1, 3)).flatten(3).flatten(0, 1)
        of_gained = torch.bmm(self.buffers["encoded"].flatten(0, 1).transpose(1, 2), of_own)
        torch.mul(of_gained, CURVE_RATE * factors(self.weights["curve_gain"]), out=self.gradients["curves"])
        of_gain = of_gained.mul_(self.weights["curves"]).sum((1, 2), keepdim=True)
        torch.mul(of_gain, CURVE_RATE * GAIN_RATE, out=self.gradients["curve_gain"])

    def _columns_backward(self, of_units: Tensor) -> None:
        """From the gradient of the units, (n, m, b, w), to the weights and columns that members share."""
        of_units = self.buffers.contiguous("of units", of_units.transpose(1, 2)).flatten(2)  # (n, b, m * w)
        torch.bmm(self.buffers["gained"].transpose(1, 2), of_units, out=self.gradients["first_weight"])
        of_gained = torch.bmm(of_units, self.weights["first_weight"].transpose(1, 2))
        if self.learns_categories:
            width = self.embedded.shape[2]
            gain = factors(self.weights["gain"])[:, None, -width:]
            self.embedded.backward(of_gained[:, :, -width:] * gain)
            del self.embedded  # and with it the graph of automatic differentiation
        torch.mul(of_gained.mul_(self.columns).sum(1), GAIN_RATE, out=self.gradients["gain"])


def _tabms(network: nn.Module) -> list[TabM]:
    """The networks, if all are of class TabM, not of a subclass, or consist of one."""
    inside = users_network(network)
    networks = list(inside.networks) if type(inside) is Committee else [inside]
    if type(network) not in (TableNetwork, Committee, TabM, SequenceNet):
        return []
    networks = [net.of_components if type(net) is SequenceNet and net.of_values is None else net for net in networks]
    return networks if all(type(tabm) is TabM for tabm in networks) else []  # pyright: ignore[reportReturnType]
