"""Networks of one shape, `TabM` or a committee of them, in one pass and differentiated by hand.

On small networks the calls cost more than the arithmetic. A committee runs each operation once for all of its networks:
their weights lie in the flat buffer one after another, so that a product of stacked matrices reads them in place, and
its gradient is written in place, into buffers that stay. Same formulas as automatic differentiation, and the same
numbers up to rounding (a test).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .._network.table_network import TableNetwork, committee_of, network_inputs, users_network
from ..modules import Committee, TabM
from ..modules.numeric_embeddings import pieces
from ..modules.tabm import CURVE_RATE, GAIN_RATE, SharedLayer
from ..optim import FlatParameters
from .chain import has_global_hooks, is_touched

__all__ = ["Stack"]

_aten: Any = torch.ops.aten


class Stack:
    """Forward and backward pass through TabM networks of one shape, to be run under no_grad.

    Shapes below are of n networks with m members of width w, and of batches of b rows for each network.

    Parameters
    ----------
    network : nn.Module
        As accepted by `Stack.of`.
    weights, gradients : dict of str to Tensor
        Of each parameter of one network by its name, those of all networks: (n, *shape). Gradients are overwritten.

    Attributes
    ----------
    covers_all : bool
        Whether `backward` overwrites all gradients, so that none needs to be zeroed.
    """

    def __init__(self, network: nn.Module, weights: dict[str, Tensor], gradients: dict[str, Tensor]) -> None:
        self.categories = network if isinstance(network, TableNetwork) else None
        self.committee = committee_of(network)
        self.networks = _tabms(network)
        self.weights, self.gradients = weights, gradients
        first = self.networks[0]
        self.n_blocks = len(first.blocks)
        self.has_curves = first.curves is not None
        self.start, self.inverse_width = pieces(first.knots)
        self.learns_categories = first.embeddings is not None and first.embeddings.embedding is not None
        self.covers_all = not self.learns_categories  # embeddings are differentiated automatically
        self.buffers: dict[tuple[Any, ...], Tensor] = {}

    @classmethod
    def of(cls, network: nn.Module, flat: FlatParameters) -> Stack | None:
        """The stack of a network in training mode, or None if it is not one.

        A stack is a `TabM`, or a `Committee` of them with the same knots: with rectified linear units and without
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
        hidden = self._first_layer(x)
        self.hidden, self.steps = [hidden], []
        for block in range(self.n_blocks):
            step = torch.bmm(
                hidden,
                self.weights[f"blocks.{block}.weight"].transpose(1, 2),
                out=self._buffer(f"step {block}", hidden.shape),
            )
            self._by_member(step).add_(self.weights[f"blocks.{block}.bias"]).clamp_min_(0)
            hidden = torch.add(hidden, step, out=self._buffer(f"hidden {block}", hidden.shape))
            self.steps.append(step)
            self.hidden.append(hidden)
        # (n * m, b, out_features)
        raw = torch.baddbmm(self._each("head_bias"), self._of_each(hidden), self._each("head_weight"))
        outputs = list(raw.view(len(self.networks), -1, *raw.shape[1:]).transpose(1, 2))
        return outputs[0] if self.committee is None else self.committee.joined(outputs)

    def _embedded(self, codes: list[Tensor]) -> Tensor:
        """Columns for the categories, (n, b, width)."""
        embeddings = [tabm.embeddings for tabm in self.networks if tabm.embeddings is not None]
        if not embeddings:
            return self.weights["gain"].new_zeros(len(codes), len(codes[0]), 0)
        if not self.learns_categories:
            return embeddings[0](torch.cat(codes)).view(len(codes), len(codes[0]), -1)
        with torch.enable_grad():
            self.embedded = torch.stack([embed(part) for embed, part in zip(embeddings, codes, strict=True)])
        return self.embedded.detach()

    def _first_layer(self, x: Tensor) -> Tensor:
        """Hidden units behind the first layer, (n, m * b, w)."""
        n_networks, n_rows, _ = x.shape
        n_members, width = self.networks[0].n_members, self.networks[0].width
        self.gain = 1 + GAIN_RATE * self.weights["gain"].unsqueeze(1)
        self.gained = torch.mul(self.columns, self.gain, out=self._buffer("gained", self.columns.shape))
        shared = self._buffer("shared", (n_networks, n_rows, n_members * width))
        torch.bmm(self.gained, self.weights["first_weight"], out=shared)
        shared = shared.view(n_networks, n_rows, n_members, width)
        units = self._buffer("units", (n_networks, n_members, n_rows, width))
        torch.add(shared.transpose(1, 2), self.weights["first_bias"], out=units)
        if self.has_curves:
            self.own = self._curves(x)  # (n * m, b, columns * curves)
            units.view(-1, n_rows, width).baddbmm_(self.own, self._each("curve_weight"))
        return units.clamp_min_(0).view(n_networks, n_members * n_rows, width)

    def _curves(self, x: Tensor) -> Tensor:
        """Each member's curves of the numbers, (n * m, b, columns * curves)."""
        n_networks, n_rows, n_columns = x.shape
        first = self.networks[0]
        encoded = self._buffer("encoded", (n_networks, n_columns, n_rows, self.start.shape[2]))
        torch.sub(x.transpose(1, 2).unsqueeze(3), self.start, out=encoded).mul_(self.inverse_width).clamp_(0, 1)
        self.encoded = encoded.flatten(0, 1)
        self.curve_gain = CURVE_RATE * (1 + GAIN_RATE * self.weights["curve_gain"])
        curves = (self.weights["curves"] * self.curve_gain).flatten(0, 1)
        by_column = self._buffer("by column", (n_networks * n_columns, n_rows, curves.shape[2]))
        by_column = torch.bmm(self.encoded, curves, out=by_column).view(*encoded.shape[:3], first.n_members, -1)
        own = by_column.permute(0, 3, 2, 1, 4)  # (n, m, b, columns, curves)
        return self._buffer("own", own.shape).copy_(own).view(-1, n_rows, n_columns * own.shape[4])

    # ------------------------------------------------------------------ backward

    def backward(self, gradient: Tensor) -> None:
        """From the gradient with respect to what `forward` returned to those of all parameters."""
        parts = [gradient] if self.committee is None else self.committee.split(gradient)
        of_raw = torch.stack(parts).transpose(1, 2).flatten(0, 1)  # (n * m, b, out_features)
        torch.bmm(self._of_each(self.hidden[-1]).transpose(1, 2), of_raw, out=self._each_gradient("head_weight"))
        torch.sum(of_raw, 1, keepdim=True, out=self._each_gradient("head_bias"))
        of_hidden = torch.bmm(of_raw, self._each("head_weight").transpose(1, 2)).view(self.hidden[-1].shape)
        room = self._buffer("gradient", of_hidden.shape)
        for block in reversed(range(self.n_blocks)):
            of_step = _aten.threshold_backward.grad_input(of_hidden, self.steps[block], 0, grad_input=room)
            torch.sum(self._by_member(of_step), 2, keepdim=True, out=self.gradients[f"blocks.{block}.bias"])
            torch.bmm(of_step.transpose(1, 2), self.hidden[block], out=self.gradients[f"blocks.{block}.weight"])
            of_hidden.baddbmm_(of_step, self.weights[f"blocks.{block}.weight"])
        of_units = _aten.threshold_backward.grad_input(of_hidden, self.hidden[0], 0, grad_input=room)
        torch.sum(self._by_member(of_units), 2, keepdim=True, out=self.gradients["first_bias"])
        if self.has_curves:
            self._curves_backward(self._of_each(of_units))
        self._columns_backward(self._by_member(of_units))

    def _curves_backward(self, of_units: Tensor) -> None:
        """From the gradient of the units of each member, (n * m, b, w)."""
        torch.bmm(self.own.transpose(1, 2), of_units, out=self._each_gradient("curve_weight"))
        of_own = self._buffer("of own", self.own.shape)
        torch.bmm(of_units, self._each("curve_weight").transpose(1, 2), out=of_own)
        n_networks, n_columns, _, _ = self.gradients["curves"].shape
        n_rows, n_members = of_own.shape[1], len(of_own) // n_networks
        of_own = of_own.view(n_networks, n_members, n_rows, n_columns, -1).permute(0, 3, 2, 1, 4)
        of_own = self._buffer("of by column", of_own.shape).copy_(of_own).view(len(self.encoded), n_rows, -1)
        of_gained = torch.bmm(self.encoded.transpose(1, 2), of_own).view(self.gradients["curves"].shape)
        torch.mul(of_gained, self.curve_gain, out=self.gradients["curves"])
        of_gain = of_gained.mul_(self.weights["curves"]).sum((2, 3), keepdim=True)
        torch.mul(of_gain, CURVE_RATE * GAIN_RATE, out=self.gradients["curve_gain"])

    def _columns_backward(self, of_units: Tensor) -> None:
        """From the gradient of the units, (n, m, b, w), to what all members of a network are given."""
        of_units = of_units.transpose(1, 2)
        of_units = self._buffer("of units", of_units.shape).copy_(of_units).flatten(2)  # (n, b, m * w)
        torch.bmm(self.gained.transpose(1, 2), of_units, out=self.gradients["first_weight"])
        of_gained = torch.bmm(of_units, self.weights["first_weight"].transpose(1, 2))
        if self.learns_categories:
            width = self.embedded.shape[2]
            self.embedded.backward(of_gained[:, :, -width:] * self.gain[:, :, -width:])
            del self.embedded  # with the record of how it was made
        torch.mul(of_gained.mul_(self.columns).sum(1), GAIN_RATE, out=self.gradients["gain"])

    # ------------------------------------------------------------------ shapes

    def _each(self, name: str) -> Tensor:
        """Weights of the members of all networks, (n * m, ...)."""
        return self.weights[name].flatten(0, 1)

    def _each_gradient(self, name: str) -> Tensor:
        return self.gradients[name].flatten(0, 1)

    def _by_member(self, units: Tensor) -> Tensor:
        """(n, m * b, w) -> (n, m, b, w)."""
        return units.view(len(units), self.networks[0].n_members, -1, units.shape[2])

    def _of_each(self, units: Tensor) -> Tensor:
        """(n, m * b, w) -> (n * m, b, w)."""
        return self._by_member(units).flatten(0, 1)

    def _buffer(self, name: str, shape: Sequence[int]) -> Tensor:
        """Memory that stays, one for each size of a batch."""
        key = (name, *shape)
        buffer = self.buffers.get(key)
        if buffer is None:
            buffer = self.buffers[key] = torch.empty(*shape)
        return buffer


def _tabms(network: nn.Module) -> list[TabM]:
    """The networks, if all are exactly TabM."""
    inside = users_network(network)
    networks = list(inside.networks) if type(inside) is Committee else [inside]
    if type(network) not in (TableNetwork, Committee, TabM) or not all(type(tabm) is TabM for tabm in networks):
        return []
    return networks  # pyright: ignore[reportReturnType]
