"""The formula of `TabM`, for one network and for several of one shape.

It serves one network, which is differentiated automatically, and n_networks of one shape in one pass, which
sknn._backprop.tabm_stack differentiates by hand. In the shapes below "..." stands for no axis in the first case and for
an axis of n_networks in the second, m for n_members, b for the rows of a batch, w for the width; `members` and
`columns` are those of all networks together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .numeric_embeddings import piecewise_linear_encoding

__all__ = [
    "CURVE_RATE",
    "GAIN_RATE",
    "NEW_MEMORY",
    "Memory",
    "TabMWeights",
    "factors",
    "first_layer",
    "hidden_units",
    "own_curves",
    "raw_scores",
]

# An adaptive optimizer takes steps of about the same size on every parameter. A factor in front of a parameter makes
# its steps larger: gains of columns and slopes of curves are learned faster than weights.
GAIN_RATE = 12.0
CURVE_RATE = 4.0


class TabMWeights(NamedTuple):
    """Parameters of `TabM` by name, those of its blocks excepted."""

    gain: Tensor  # (..., n_shared)
    first_weight: Tensor  # (..., n_shared, m * w)
    first_bias: Tensor  # (..., m, 1, w)
    head_weight: Tensor  # (members, w, out_features)
    head_bias: Tensor  # (members, 1, out_features)
    curves: Tensor | None  # (columns, n_bins, m * curve_size)
    curve_gain: Tensor | None  # (columns, 1, 1)
    curve_weight: Tensor | None  # (members, n_curved * curve_size, w)
    scale: Tensor  # (..., n_shared), not learned
    curve_scale: Tensor  # (columns, 1, 1), not learned


class Memory:
    """Where the results of a forward pass are written: to new tensors, as automatic differentiation needs it."""

    def result(self, name: str, shape: Sequence[int]) -> Tensor | None:
        """The tensor that a result is written to, as the argument ``out`` of torch's functions."""
        return None

    def over(self, x: Tensor) -> Tensor | None:
        """As `result`, for a result that may overwrite `x`."""
        return None

    def contiguous(self, name: str, x: Tensor) -> Tensor:
        """A contiguous copy of `x`."""
        return x.contiguous()


NEW_MEMORY = Memory()


def factors(gain: Tensor, scale: Tensor) -> Tensor:
    """The factors of columns, or of the curves of a column, which start as `scale`."""
    return scale * (1 + GAIN_RATE * gain)


def product(x: Tensor, weight: Tensor, out: Tensor | None) -> Tensor:
    """Matrix product, (..., rows, i) by (..., i, o); `torch.matmul` takes longer to find which of the two it is."""
    return torch.mm(x, weight, out=out) if x.ndim == 2 else torch.bmm(x, weight, out=out)


def hidden_units(
    weights: TabMWeights,
    x_num: Tensor,
    columns: Tensor,
    bins: tuple[Tensor, Tensor] | None,
    blocks: Iterable[Callable[[Tensor], Tensor]],
    activate: Callable[[Tensor], Tensor],
    memory: Memory,
) -> Tensor:
    """Units (..., m, b, w) of the last hidden layer; numbers with curves (..., b, n_curved), columns (..., b, n)."""
    x = activate(first_layer(weights, x_num, columns, bins, memory))
    for i, block in enumerate(blocks):
        x = torch.add(x, activate(block(x)), out=memory.result(f"hidden {i}", x.shape))
    return x


def first_layer(
    weights: TabMWeights, x_num: Tensor, columns: Tensor, bins: tuple[Tensor, Tensor] | None, memory: Memory
) -> Tensor:
    """Units of the first layer before the activation, (..., m, b, w)."""
    n_members, _, width = weights.first_bias.shape[-3:]
    gained = torch.mul(
        columns, factors(weights.gain, weights.scale).unsqueeze(-2), out=memory.result("gained", columns.shape)
    )
    rows = columns.shape[:-1]
    shared = product(gained, weights.first_weight, memory.result("shared", (*rows, n_members * width)))
    shared = shared.view(*rows, n_members, width).transpose(-3, -2)
    units = torch.add(shared, weights.first_bias, out=memory.result("units", shared.shape))
    if bins is None or weights.curve_weight is None:
        return units
    each = units.flatten(0, -3)
    own = own_curves(weights, x_num, bins, memory).view(*each.shape[:2], weights.curve_weight.shape[1])
    return torch.baddbmm(each, own, weights.curve_weight, out=memory.over(each)).view(units.shape)


def own_curves(weights: TabMWeights, x_num: Tensor, bins: tuple[Tensor, Tensor], memory: Memory) -> Tensor:
    """Curves of the numbers (..., b, n_curved), (..., m, b, n_curved, curve_size), of weights that have some."""
    assert weights.curves is not None
    assert weights.curve_gain is not None
    n_members, n_rows, n_curved = weights.first_bias.shape[-3], *x_num.shape[-2:]
    shape = (*x_num.shape[:-2], n_curved, n_rows, weights.curves.shape[1])
    encoded = piecewise_linear_encoding(x_num, *bins, out=memory.result("encoded", shape)).flatten(0, -3)
    curves = weights.curves * (CURVE_RATE * factors(weights.curve_gain, weights.curve_scale))
    by_column = torch.bmm(encoded, curves, out=memory.result("by column", (*encoded.shape[:2], curves.shape[2])))
    by_column = by_column.view(*shape[:-1], n_members, curves.shape[2] // n_members)
    return memory.contiguous("own", by_column.transpose(-4, -2))


def raw_scores(weights: TabMWeights, hidden: Tensor) -> Tensor:
    """Raw scores of each member, (members, b, out_features)."""
    return torch.baddbmm(weights.head_bias, hidden.flatten(0, -3), weights.head_weight)
