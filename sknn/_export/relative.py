"""Numbers relative to their query, as tensor operations that can be recorded."""

from __future__ import annotations

import torch
from torch import Tensor

from .._data.ranking_inputs import TIE

__all__ = ["relative_to_one_query"]


def relative_to_one_query(x: Tensor) -> Tensor:
    """Numbers float32 (n, d) of the rows of one query -> (n, 3 * d).

    The same as `relative_to_query` of `_data/ranking_inputs.py`; a test compares the two.
    """
    return torch.cat([x, _z_scores(x.double()).float(), _ranks(x.double()).float()], dim=1)


def _z_scores(x: Tensor) -> Tensor:
    centered = x - x.mean(0, keepdim=True)
    spread = centered.square().mean(0, keepdim=True).sqrt()
    varies = spread > TIE * x.abs().clamp(min=1.0)
    return torch.where(varies, centered / torch.where(varies, spread, torch.ones_like(spread)), torch.zeros_like(x))


def _ranks(x: Tensor) -> Tensor:
    """The mean position of equal numbers among the sorted ones, from -1 to 1, float64 (n, d)."""
    ranked, order = x.sort(dim=0, stable=True)
    ones = torch.ones_like(ranked)
    is_above = ranked[1:] - ranked[:-1] > TIE * ranked[1:].abs().clamp(min=1.0)
    is_new = torch.cat([ones[:1], is_above.double()])
    tie = (is_new.cumsum(0) - 1).long()
    counts = torch.zeros_like(ones).scatter_add(0, tie, ones)  # of the first tie, the second, ...
    middle = counts.cumsum(0) - (counts + 1) / 2
    positions = torch.zeros_like(ones).scatter(0, order, middle.gather(0, tie))
    others = ones.sum(0, keepdim=True) - 1
    return torch.where(others > 0, 2 * positions / others.clamp(min=1) - 1, torch.zeros_like(ones))
