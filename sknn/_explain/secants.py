"""Integrated gradients of `TabM` and of a committee of it, with few steps and without a remainder.

A path from a baseline to a row is cut into few segments. In each, an activation has the slope of its secant,
:math:`(f(z_1) - f(z_0)) / (z_1 - z_0)`, instead of the derivative somewhere in between, and the slopes are multiplied
backwards as derivatives are. So the attributions of a segment sum to the difference of the predictions at its ends,
however many rectified units bend in it. One segment is the rescale rule of DeepLIFT (A. Shrikumar, P. Greenside,
A. Kundaje, Learning Important Features Through Propagating Activation Differences, ICML 2017, arXiv:1704.02685), many
are integrated gradients. docs/design.md compares error and cost of few segments with those of the midpoint rule.

The paths are straight behind the embeddings, of categories as of numbers: the first layer adds what the columns give,
so its units before the activation move on a line, too, and a step begins with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .._backprop.chain import has_global_hooks, is_touched
from .._network.table_network import inner_inputs, users_network
from ..modules import Committee, HalfSine, TabM
from ..modules._tabm_formula import NEW_MEMORY, TabMWeights, factors, first_layer, own_curves, raw_scores
from ..modules.embeddings import join_columns
from ..modules.tabm import SharedLayer
from .gradients import Attributions
from .scores import Scores

__all__ = ["secant_attributions"]

# Segments of a path from the only baseline, and of each of several.
_SEGMENTS, _SEGMENTS_OF_SEVERAL = 4, 2
_ROWS_AT_ONCE = 512
# The secant of a shorter step has lost its digits: it is that of a step of twice _STEP around the middle.
_SHORT, _STEP = 1e-4, 1e-2
_ELEMENTWISE = {
    nn.ReLU, HalfSine, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Mish, nn.SELU, nn.Identity, nn.Tanh, nn.Sigmoid,
}  # fmt: skip
# Gauss-Legendre points between two nodes, for what joins the scores of the members.
_POINTS, _POINT_WEIGHTS = (np.polynomial.legendre.leggauss(3)[0] + 1) / 2, np.polynomial.legendre.leggauss(3)[1] / 2


@torch.no_grad()
def secant_attributions(
    network: nn.Module, scores: Scores, rows: dict[str, Tensor], baselines: Sequence[dict[str, Tensor]]
) -> Attributions | None:
    """As `integrated_gradients` for rows of a table; None if the network is none of `TabM`.

    `inputs` of the result are ``x`` (n, n_numbers, n_outputs) and, if there are categories, ``x_cat``
    (n, n_categorical, n_outputs).
    """
    tabms = _tabms(network)
    if not tabms:
        return None
    paths = [_Paths(tabm) for tabm in tabms]
    starts = [[path.read(*inner_inputs(network, one)) for path in paths] for one in baselines]
    n_segments = _SEGMENTS if len(starts) == 1 else _SEGMENTS_OF_SEVERAL
    found: list[tuple[Tensor, ...]] = []
    n_rows = len(rows["x"])
    for first in range(0, n_rows, _ROWS_AT_ONCE):
        chosen = {name: values[first : first + _ROWS_AT_ONCE] for name, values in rows.items()}
        ends = [path.read(*inner_inputs(network, chosen)) for path in paths]
        of_starts = [_attributions(paths, scores, start, ends, n_segments) for start in starts]
        found.append(tuple(torch.stack(parts).mean(0) for parts in zip(*of_starts, strict=True)))
    numbers, codes, start, end = (torch.cat(parts) for parts in zip(*found, strict=True))
    inputs = {"x": numbers, **({"x_cat": codes} if "x_cat" in rows else {})}
    return Attributions(inputs, [], start, end)


def _tabms(network: nn.Module) -> list[TabM]:
    """The networks of which the secants are known; none of others, or if hooks may change what they return."""
    inside = users_network(network)
    networks = list(inside.networks) if type(inside) is Committee else [inside]
    if has_global_hooks() or any(is_touched(module) for module in network.modules()):
        return []
    known = [one for one in networks if type(one) is TabM and type(one.activation) in _ELEMENTWISE]
    known = [one for one in known if all(type(block) is SharedLayer for block in one.blocks)]
    return known if len(known) == len(networks) else []


def _attributions(
    paths: list[_Paths], scores: Scores, starts: list[_Read], ends: list[_Read], n_segments: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of numbers (b, n_numbers, n_outputs) and codes (b, n_categorical, n_outputs), and the scores of both ends."""
    nodes = [path.forward(start, end, n_segments) for path, start, end in zip(paths, starts, ends, strict=True)]
    raw = torch.cat(nodes, 2)  # (n_segments + 1, b, members, out_features)
    gradients = _gradients_of_members(scores, raw)
    of_outputs = []
    for gradient in gradients:
        parts = gradient.split([node.shape[2] for node in nodes], 2)
        of_paths = [path.backward(own, *read) for path, own, *read in zip(paths, parts, starts, ends, strict=True)]
        of_outputs.append([torch.stack(kind).sum(0) for kind in zip(*of_paths, strict=True)])
    numbers, codes = (torch.stack(kind, -1) for kind in zip(*of_outputs, strict=True))
    return numbers, codes, scores.of_members(raw[0]), scores.of_members(raw[-1])


def _gradients_of_members(scores: Scores, raw: Tensor) -> list[Tensor]:
    """Mean gradients of each output in each segment of (n_segments + 1, b, members, out_features)."""
    with torch.enable_grad():
        inside = torch.stack([torch.lerp(raw[:-1], raw[1:], float(point)) for point in _POINTS]).requires_grad_()
        sums = scores.of_members(inside.flatten(0, 2)).sum(0)
        found = [torch.autograd.grad(each, inside, retain_graph=i + 1 < len(sums))[0] for i, each in enumerate(sums)]
    weight = torch.tensor(_POINT_WEIGHTS, dtype=raw.dtype, device=raw.device).view(-1, 1, 1, 1, 1)
    means = [(gradient * weight).sum(0) for gradient in found]
    # What the points miss is added along the rise of the scores, so that the gradients explain all of it.
    rise, at_nodes = raw.diff(dim=0), scores.of_members(raw.flatten(0, 1)).unflatten(0, raw.shape[:2])
    direction = rise / rise.square().sum((2, 3), keepdim=True).clamp_min(1e-30)
    missing = [
        gained - (mean * rise).sum((2, 3)) for gained, mean in zip(at_nodes.diff(dim=0).unbind(2), means, strict=True)
    ]
    return [mean + rest[:, :, None, None] * direction for mean, rest in zip(means, missing, strict=True)]


class _Read(NamedTuple):
    """Rows behind the embeddings: each of these tensors is interpolated."""

    x: Tensor  # (b, n_numbers)
    codes: Tensor | None  # (b, n_categorical)
    columns: Tensor  # (b, n_shared): numbers and embedded categories
    own: Tensor | None  # (m, b, n_curved, curve_size): curves of the numbers
    units: Tensor  # (m, b, w): the first layer before its activation
    linear: Tensor | None  # (b, out_features): scores of the linear path


class _Paths:
    """Straight lines between the rows of two batches through one `TabM`."""

    def __init__(self, tabm: TabM) -> None:
        self.tabm = tabm
        self.weights = TabMWeights(*[getattr(tabm, name) for name in TabMWeights._fields])
        self.bins = None if tabm.curves is None else tabm.pieces()
        self.has_linear = bool(tabm.linear.weight.any())
        self.column_of_outputs = None if tabm.embeddings is None else tabm.embeddings.column_of_outputs()

    def read(self, x: Tensor, codes: Tensor | None = None) -> _Read:
        """Rows behind the embeddings."""
        tabm = self.tabm
        columns = join_columns(tabm.embeddings, x, codes)
        curved = tabm.curved_numbers(x)
        own = None if self.bins is None else own_curves(self.weights, curved, self.bins, NEW_MEMORY)
        units = first_layer(self.weights, curved, columns, self.bins, NEW_MEMORY)
        return _Read(x, codes, columns, own, units, tabm.linear(x, codes) if self.has_linear else None)

    def forward(self, start: _Read, end: _Read, n_segments: int) -> Tensor:
        """Scores of the members at the nodes, (n_segments + 1, b, m, out_features); `start` may be one row for all."""
        along = torch.arange(n_segments + 1, dtype=torch.float32, device=end.x.device) / n_segments
        units = _between(start.units, end.units, along)  # (m, n_segments + 1, b, w)
        shape, rows = units.shape, units.flatten(1, 2)
        self.slopes = []
        hidden = self._activated(rows, shape)
        for block in self.tabm.blocks:
            hidden = hidden + self._activated(block(hidden), shape)
        out = raw_scores(self.weights, hidden).view(*shape[:3], -1).movedim(0, 2)
        if start.linear is None or end.linear is None:
            return out
        return out + _between(start.linear.unsqueeze(0), end.linear.unsqueeze(0), along)[0].unsqueeze(2)

    def _activated(self, units: Tensor, shape: torch.Size) -> Tensor:
        """The activation of nodes (m, nodes * b, w), whose secants are kept as slopes (m, segments, b, w)."""
        activation = self.tabm.activation
        activated = activation(units)
        self.slopes.append(_secants(activation, units.view(shape), activated.view(shape)))
        return activated

    def backward(self, gradient: Tensor, start: _Read, end: _Read) -> tuple[Tensor, Tensor]:
        """From the gradient of the scores of the members, (segments, b, m, out), to attributions of numbers and codes.

        They are (b, n_numbers) and (b, n_categorical).
        """
        weights = self.weights
        of_scores = gradient.movedim(2, 0)  # (m, segments, b, out)
        of_hidden = torch.bmm(of_scores.flatten(1, 2), weights.head_weight.transpose(1, 2))
        for block, slope in zip(reversed(self.tabm.blocks), reversed(self.slopes[1:]), strict=True):
            assert isinstance(block, SharedLayer)
            of_hidden = of_hidden + (of_hidden * slope.flatten(1, 2)) @ block.weight
        of_units = (of_hidden.view(self.slopes[0].shape) * self.slopes[0]).mean(1)  # (m, b, w)

        of_columns = of_units.transpose(0, 1).flatten(1) @ weights.first_weight.t()
        of_columns = of_columns * factors(weights.gain, weights.scale) * (end.columns - start.columns)
        n_numbers = end.x.shape[1]
        numbers, embedded = of_columns[:, :n_numbers], of_columns[:, n_numbers:]
        if start.own is not None and end.own is not None and weights.curve_weight is not None:
            of_own = (of_units @ weights.curve_weight.transpose(1, 2)).view(end.own.shape)
            of_curves = (of_own * (end.own - start.own)).sum((0, 3))
            numbers = numbers.index_add(1, self.tabm.curved, of_curves)
        codes = numbers.new_zeros(len(numbers), 0 if end.codes is None else end.codes.shape[1])
        if self.column_of_outputs is not None:
            codes.index_add_(1, self.column_of_outputs, embedded)
        if self.has_linear:
            of_linear = of_scores.sum(0).mean(0)  # (b, out)
            linear = self.tabm.linear
            numbers = numbers + of_linear @ linear.weight[:n_numbers].t() * (end.x - start.x)
            if start.codes is not None and end.codes is not None and len(linear.offsets):
                rise = linear.weight[end.codes + linear.offsets] - linear.weight[start.codes + linear.offsets]
                codes = codes + (rise * of_linear.unsqueeze(1)).sum(2)
        return numbers, codes


def _between(start: Tensor, end: Tensor, along: Tensor) -> Tensor:
    """Nodes of straight lines between (m, b or 1, w) and (m, b, w): (m, nodes, b, w)."""
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), along.view(1, -1, 1, 1))


def _secants(activation: nn.Module, z: Tensor, activated: Tensor) -> Tensor:
    """Slopes (m, segments, b, w) of an activation between nodes (m, segments + 1, b, w)."""
    rise = z[:, 1:] - z[:, :-1]
    slopes = (activated[:, 1:] - activated[:, :-1]).div_(rise)
    has_short = rise.abs().amin(3) < _SHORT
    if bool(has_short.any()):
        middle = (z[:, 1:][has_short] + z[:, :-1][has_short]) / 2  # all units of a node, as an activation knows them
        around = (activation(middle + _STEP) - activation(middle - _STEP)) / (2 * _STEP)
        slopes[has_short] = torch.where(rise[has_short].abs() < _SHORT, around, slopes[has_short])
    return slopes
