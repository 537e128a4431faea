"""Whether a few rows outweigh all others: by wild targets, or by their weights."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .inspection import Inspection
from .sampling import RowSource

__all__ = ["WildTargets", "far_from_others", "few_rows_decide", "is_squared", "logarithms"]

# A loss is said to be decided by few rows if the others, three of four, add little to it.
_FEW, _LITTLE = 1 / 4, 0.05
# The same under a squared error, which is wilder by nature.
_FEW_WILD = 1 / 100
# Rows among which a quarter of all rows is met.
_ENOUGH_FOR_SHARES = 2**17
# Share of the squares that one of a hundred rows holds alone.
_ALONE = 0.3


class WildTargets(NamedTuple):
    """One of a hundred rows, which hold nearly all of the squared distances of a target."""

    is_wild: Tensor  # (n_rows,), the furthest ones
    share: float  # of the squared distances from the median
    furthest: float  # largest distance, in standard deviations of the other rows


def far_from_others(y: Any, *, mostly_zero: bool = False) -> WildTargets | None:
    """The rows, at most one of a hundred, whose distance from the median is nearly all there is; None without any.

    Parameters
    ----------
    y : Tensor (n_rows,) or (n_rows, n_targets)
    mostly_zero : bool
        Whether targets count of which most are equal, if one alone holds much of the squares.
    """
    if not isinstance(y, Tensor) or not y.is_floating_point() or y.ndim > 2 or len(y) < 20:
        return None
    targets = y.detach().reshape(len(y), -1)
    distances = targets.to(torch.float64, copy=True).sub_(targets.median(0).values)  # in place: there may be many
    squares = distances.square_().sum(1) if distances.shape[1] > 1 else distances.square_()[:, 0]
    total, n_few = squares.sum(), max(1, int(_FEW_WILD * len(y)))
    if n_few * float(squares.max()) < (1 - _LITTLE) * float(total):  # so nearly always, without a search for them
        return None
    furthest, n_others = squares.topk(n_few), len(squares) - n_few
    squares[furthest.indices] = 0.0
    others = squares.sum()
    left = float(others / total.clamp(min=1e-300))
    if not left < _LITTLE or not total:
        return None
    # Of counts that are mostly zero, few rows hold the squares by nature, but not a single one of them.
    is_mostly_zero = n_others - int(squares.count_nonzero()) > n_others // 2
    largest = furthest.values.max()
    if is_mostly_zero and (not mostly_zero or float(largest) < _ALONE * float(total)):
        return None
    is_wild = torch.zeros(len(y), dtype=torch.bool, device=y.device)
    is_wild[furthest.indices] = True
    return WildTargets(is_wild, 1 - left, math.sqrt(float(largest / (others / n_others).clamp(min=1e-300))))


@torch.no_grad()
def is_squared(net: Any, inspection: Inspection, value: Tensor, y: Tensor, x: Any) -> bool:
    """Whether the loss of constant outputs grows with the square of their distance."""
    far = 100 * (1 + float(y.abs().max()))
    losses = [
        net.get_loss((value + shift).expand(len(y), *inspection.raw.shape[1:]), y, X=x, training=False).item()
        for shift in (far, 2 * far)
    ]
    return all(map(math.isfinite, losses)) and 3.5 * losses[0] < losses[1] < 4.5 * losses[0]


@torch.no_grad()
def logarithms(net: Any, inspection: Inspection, x: Any, y: Any) -> Tensor | None:
    """Logarithms of the targets if outputs of that kind have the least loss, as under a loss for counts; else None."""
    shape = (len(y), *inspection.raw.shape[1:]) if isinstance(y, Tensor) else None
    if shape is None or not y.is_floating_point() or y.shape != shape or not bool((y >= 0).all()) or not y.any():
        return None
    exact = y.clamp(min=torch.finfo(y.dtype).tiny).log()
    losses = [net.get_loss(raw, y, X=x, training=False).item() for raw in (exact, exact - 0.1, exact + 0.1)]
    return exact if losses[0] < min(losses[1:]) else None


@torch.no_grad()
def few_rows_decide(net: Any, inspection: Inspection, linked: Any, value: Tensor, source: RowSource) -> bool:
    """Whether a loss that shall ignore wild targets is the sum of little else: then shares of it say nothing.

    A network that predicts all other rows perfectly is hardly better by such a loss than the constant `value`. `linked`
    brings raw scores into the range that the loss expects.
    """
    x, y = source.targets(min(source.n_rows, _ENOUGH_FOR_SHARES)) or ({}, None)
    if y is None or not y.is_floating_point():
        return False

    def total(rows: Tensor, shift: float = 0.0) -> float:
        raw = linked(inspection, value + shift).expand(int(rows.sum()), *inspection.raw.shape[1:])
        return net.get_loss(raw, y[rows], X={name: v[rows] for name, v in x.items()}, training=False).item() * len(raw)

    distance = (y - y.median(0).values).abs().sum(1)
    is_near = distance <= distance.kthvalue(math.ceil((1 - _FEW) * len(y))).values
    # Of counts that are mostly zero, most of the constant's loss is in few rows by nature.
    every = total(torch.ones_like(is_near))
    if distance.median() == 0 or every <= 0 or total(is_near) >= _LITTLE * every:
        return False
    far = 100 * (1 + float(distance[is_near].max()))
    return total(is_near, 2 * far) < 3 * total(is_near, far)  # it grows with the distance, rather than with its square
