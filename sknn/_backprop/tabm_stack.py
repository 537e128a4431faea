"""`TabM`, or a committee of networks of it, in one pass and differentiated by hand.

On small networks the calls take longer than the arithmetic. A committee runs each operation once for all networks:
their weights are neighbours in the flat buffer, so that a product of stacked matrices reads them and writes their
gradients in place. The forward pass is that of `sknn.modules._tabm_formula`; a test compares the gradients with
automatic differentiation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from .._network.table_network import TableNetwork, committee_of, network_inputs, users_network
from ..modules import Committee, SequenceNet, TabM
from ..modules._tabm_formula import (
    CURVE_RATE,
    GAIN_RATE,
    Memory,
    TabMWeights,
    factors,
    hidden_units,
    raw_scores,
)
from ..modules.tabm import SharedLayer
from ..optim import FlatParameters
from .chain import has_global_hooks, is_touched
from .tabm_activation import LayerActivations, n_rectified

__all__ = ["TabMStack"]

# Parameters of each member, or of each numeric column: it does not matter to which network it belongs.
_OF_EACH = ("head_weight", "head_bias", "curves", "curve_gain", "curve_weight", "curve_scale")


class Buffers(Memory):
    """Memory that is kept from step to step, one piece for each name; ``buffers[name]`` is the last use of it.

    Batches of whole queries differ in size, so that a buffer for each shape would be a buffer for each batch.
    """

    def __init__(self) -> None:
        self._memory: dict[str, Tensor] = {}  # of the largest shape so far
        self._last: dict[str, Tensor] = {}

    def result(self, name: str, shape: Sequence[int]) -> Tensor:
        last = self._last.get(name)
        if last is not None and last.shape == tuple(shape):
            return last
        size = math.prod(shape)
        memory = self._memory.get(name)
        if memory is None or memory.numel() < size:
            memory = self._memory[name] = torch.empty(size, dtype=torch.float32, device="cpu")
        self._last[name] = memory[:size].view(*shape)
        return self._last[name]

    def over(self, x: Tensor) -> Tensor:
        return x

    def contiguous(self, name: str, x: Tensor) -> Tensor:
        return self.result(name, x.shape).copy_(x)

    def __getitem__(self, name: str) -> Tensor:
        return self._last[name]


class TabMStack:
    """Forward and backward pass through n `TabM` networks, or `SequenceNet` of one or two such parts; under no_grad.

    The mode of the networks, training or evaluation, may change. Gradients are overwritten. A :class:`_Part` serves the
    same `TabM` of all networks.
    """

    def __init__(self, network: nn.Module, parts: list[_Part]) -> None:
        self.categories = network if isinstance(network, TableNetwork) else None
        self.committee = committee_of(network)
        self.parts = parts
        self.networks = parts[0].tabms  # of each network one, which can be computed on a thread of its own
        self.covers_all = not any(part.learns_categories for part in parts)  # these are differentiated automatically

    @classmethod
    def of(cls, network: nn.Module, flat: FlatParameters) -> TabMStack | None:
        """The stack of a network whose parameters lie in `flat`, or None if it is not supported.

        Supported are a `TabM`, a `SequenceNet` and a `Committee` of them of the same shape: with units that are
        rectified linear ones or `HalfSine`, on the CPU, in float32, all trainable, all in one mode, without hooks.
        """
        of_parts = _tabms(network)
        if not of_parts or has_global_hooks() or torch.is_autocast_enabled("cpu"):
            return None
        if flat.data.device.type != "cpu" or flat.data.dtype != torch.float32:
            return None
        if any(module.training != network.training or is_touched(module) for module in network.modules()):
            return None
        parts = [_Part.of(tabms, flat) for tabms in of_parts]
        known = [part for part in parts if part is not None]
        n_parameters = sum(len(part.gradients) * len(part.tabms) for part in known)
        if len(known) < len(parts) or len(flat.parameters) != n_parameters:
            return None
        return cls(network, known)

    def reuse_buffers(self, before: TabMStack) -> None:
        """Take the memory of the stack of the same network that this one replaces."""
        for part, previous in zip(self.parts, before.parts, strict=False):
            part.buffers = part.activations.buffers = previous.buffers

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Raw scores of the members, as the network returns them; new memory."""
        given = network_inputs(inputs)
        if self.categories is not None:
            given = self.categories.network_inputs(*given)
        of_networks = [given] if self.committee is None else self.committee.parts(*given)
        x = torch.stack([tensors[0] for tensors in of_networks])  # (n, b, in_features)
        codes = [tensors[1] for tensors in of_networks if len(tensors) > 1]
        columns = x.split([part.in_features for part in self.parts], dim=2)
        scores = [part.forward(own, codes) for part, own in zip(self.parts, columns, strict=True)]
        outputs = [output.transpose(0, 1) for output in (scores[0] if len(scores) == 1 else torch.cat(scores, dim=1))]
        return outputs[0] if self.committee is None else self.committee.joined(outputs)

    def backward(self, gradient: Tensor) -> None:
        """From the gradient with respect to the raw scores to those of all parameters."""
        of_networks = [gradient] if self.committee is None else self.committee.split(gradient)
        of_raw = torch.stack(of_networks).transpose(1, 2)  # (n, m of all parts, b, out_features)
        for part, own in zip(self.parts, of_raw.split([part.n_members for part in self.parts], dim=1), strict=True):
            part.backward(own.flatten(0, 1))


class _Part:
    """Forward and backward pass through n `TabM` networks of one shape, with m members of width w.

    Weights and gradients are those of all networks by the name of a parameter of one, (n, *shape).
    """

    def __init__(self, tabms: list[TabM], weights: dict[str, Tensor], gradients: dict[str, Tensor]) -> None:
        self.tabms = tabms
        self.weights, self.gradients = (
            {name: values.flatten(0, 1) if name in _OF_EACH else values for name, values in all_values.items()}
            for all_values in (weights, gradients)
        )
        first = tabms[0]
        self.in_features, self.n_members, self.keep = first.in_features, first.n_members, 1 - first.dropout
        self.bins, self.curved = None, None
        if first.curves is not None:
            start, inverse_width = zip(*(tabm.pieces() for tabm in tabms), strict=True)
            self.bins = torch.stack(start), torch.stack(inverse_width)
            if len(first.curved) < self.in_features:
                self.curved = torch.stack([tabm.curved for tabm in tabms]).unsqueeze(1)  # (n, 1, n_curved)
        self.embeddings = [tabm.embeddings for tabm in tabms if tabm.embeddings is not None]
        self.learns_categories = any(embeddings.embedding is not None for embeddings in self.embeddings)
        self.has_linear = any(bool(buffer.any()) for tabm in tabms for buffer in (tabm.linear.weight, tabm.linear.bias))
        self.buffers = Buffers()
        rectified = n_rectified(first.activation, first.width)
        assert rectified is not None
        self.activations = LayerActivations(rectified, self.keep, self.buffers)
        self._blocks = [partial(self._block, i) for i in range(len(first.blocks))]
        self._named = TabMWeights(*[self.weights.get(name) for name in TabMWeights._fields])  # pyright: ignore

    @classmethod
    def of(cls, tabms: list[TabM], flat: FlatParameters) -> _Part | None:
        """As `TabMStack.of`."""
        first = tabms[0]
        kinds = {(type(tabm.activation), tabm.dropout) for tabm in tabms}
        if len(kinds) > 1 or n_rectified(first.activation, first.width) is None:
            return None
        if any(type(block) is not SharedLayer for tabm in tabms for block in tabm.blocks):
            return None
        parameters = [dict(tabm.named_parameters()) for tabm in tabms]
        if any(own.keys() != parameters[0].keys() for own in parameters):
            return None
        if any(tabm.knots.shape != first.knots.shape or tabm.curved.shape != first.curved.shape for tabm in tabms):
            return None
        weights, gradients = {}, {}
        for name in parameters[0]:
            views = flat.stacked([own[name] for own in parameters])
            if views is None:
                return None
            weights[name], gradients[name] = views
        for name in ("scale", "curve_scale"):
            weights[name] = torch.stack([getattr(tabm, name) for tabm in tabms])
        return cls(tabms, weights, gradients)

    # ------------------------------------------------------------------ forward

    def forward(self, x: Tensor, codes: list[Tensor]) -> Tensor:
        """Raw scores (n, m, b, out_features), new memory, for numbers (n, b, in_features) and codes of each network."""
        self.columns = torch.cat([x, self._embedded(codes)], dim=2) if codes else x
        numbers = x if self.curved is None else x.gather(2, self.curved.expand(-1, x.shape[1], -1))
        is_training = self.tabms[0].training
        masks = self._masks(x.shape[1]) if self.keep < 1 and is_training else None
        self.activations.begin(masks, differentiates=is_training)
        activate, blocks = self.activations.forward, self._blocks
        self.hidden = hidden_units(self._named, numbers, self.columns, self.bins, blocks, activate, self.buffers)
        scores = raw_scores(self._named, self.hidden)
        scores = scores.view(len(self.tabms), self.n_members, *scores.shape[1:])
        if self.has_linear:
            given = [x] if not codes else [x, codes]
            own = [tabm.linear(*parts) for tabm, *parts in zip(self.tabms, *given, strict=True)]
            scores += torch.stack(own).unsqueeze(1)
        return scores

    def _masks(self, n_rows: int) -> Tensor:
        """The units that each layer keeps, (n, n_layers, 1, b, w): as `TabM`, one mask for all members of a network."""
        # In the order in which one network after the other would draw them.
        shape = len(self.tabms), 1 + len(self._blocks), 1, n_rows, self.tabms[0].width
        return torch.rand(shape, dtype=torch.float32, device="cpu") < self.keep

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
        with torch.set_grad_enabled(self.tabms[0].training):
            self.embedded = torch.stack([embed(part) for embed, part in zip(self.embeddings, codes, strict=True)])
        return self.embedded.detach()

    # ------------------------------------------------------------------ backward

    def backward(self, of_raw: Tensor) -> None:
        """From the gradient with respect to the raw scores, (n * m, b, out_features)."""
        torch.bmm(self.hidden.flatten(0, 1).transpose(1, 2), of_raw, out=self.gradients["head_weight"])
        torch.sum(of_raw, 1, keepdim=True, out=self.gradients["head_bias"])
        of_hidden = torch.bmm(of_raw, self.weights["head_weight"].transpose(1, 2)).view(self.hidden.shape)
        of_layer = self.buffers.result("of layer", of_hidden.shape)  # (n, m, b, w)
        for i in reversed(range(len(self._blocks))):
            step = self.buffers[f"step {i}"].view(of_hidden.shape)
            self.activations.backward(i + 1, of_hidden, step, of_layer)
            torch.sum(of_layer, 2, keepdim=True, out=self.gradients[f"blocks.{i}.bias"])
            of_step = of_layer.flatten(1, 2)
            x = self.buffers[f"hidden {i - 1}" if i else "units"].flatten(1, 2)
            torch.bmm(of_step.transpose(1, 2), x, out=self.gradients[f"blocks.{i}.weight"])
            of_hidden.flatten(1, 2).baddbmm_(of_step, self.weights[f"blocks.{i}.weight"])
        self.activations.backward(0, of_hidden, self.buffers["units"], of_layer)
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
        # The product whose rows are long; with rows of a few curves it takes five times as long.
        of_gained = torch.bmm(of_own.transpose(1, 2), self.buffers["encoded"].flatten(0, 1)).transpose(1, 2)
        scale = self.weights["curve_scale"]
        torch.mul(of_gained, CURVE_RATE * factors(self.weights["curve_gain"], scale), out=self.gradients["curves"])
        of_gain = of_gained.mul_(self.weights["curves"]).sum((1, 2), keepdim=True)
        torch.mul(of_gain, CURVE_RATE * GAIN_RATE * scale, out=self.gradients["curve_gain"])

    def _columns_backward(self, of_units: Tensor) -> None:
        """From the gradient of the units, (n, m, b, w), to the weights and columns that members share."""
        of_units = self.buffers.contiguous("of units", of_units.transpose(1, 2)).flatten(2)  # (n, b, m * w)
        torch.bmm(self.buffers["gained"].transpose(1, 2), of_units, out=self.gradients["first_weight"])
        of_gained = torch.bmm(of_units, self.weights["first_weight"].transpose(1, 2))
        if self.learns_categories:
            width = self.embedded.shape[2]
            gain = factors(self.weights["gain"], self.weights["scale"])[:, None, -width:]
            self.embedded.backward(of_gained[:, :, -width:] * gain)
            del self.embedded  # and with it the graph of automatic differentiation
        of_gain = of_gained.mul_(self.columns).sum(1)
        torch.mul(of_gain, GAIN_RATE * self.weights["scale"], out=self.gradients["gain"])


def _tabms(network: nn.Module) -> list[list[TabM]]:
    """The same `TabM` of all networks, one list for each that a network consists of; none of other classes."""
    inside = users_network(network)
    networks = list(inside.networks) if type(inside) is Committee else [inside]
    if type(network) not in (TableNetwork, Committee, TabM, SequenceNet) or len({type(net) for net in networks}) > 1:
        return []
    if type(networks[0]) is SequenceNet:
        of_parts = zip(*([net.of_components, net.of_values] for net in networks), strict=True)  # pyright: ignore
        parts = [[tabm for tabm in part if tabm is not None] for part in of_parts]
    else:
        parts = [networks]
    parts = [part for part in parts if part]
    are_known = all(type(tabm) is TabM and len(part) == len(networks) for part in parts for tabm in part)
    return parts if are_known else []  # pyright: ignore[reportReturnType]
