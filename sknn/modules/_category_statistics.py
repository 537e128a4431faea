"""How far the rows of a category are to be trusted: what is learned of rare categories is mostly noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["trust_in_categories", "variance_ratios"]

# Bounds of k. A column whose categories differ by nothing may still matter together with others.
_LEAST, _MOST = 1.0, 100.0


def trust_in_categories(codes: Tensor, sizes: Sequence[int], y: Tensor, weight: Tensor, share: float = 1.0) -> Tensor:
    r"""Return :math:`n / (n + k)` for each code of each column, (sum(sizes),), float32; of "unknown", code 0, it is 1.

    :math:`n` is the number of rows of a category, and :math:`k` that of `variance_ratios`: the mean of a category,
    shrunk by this factor, is the best linear prediction of a random effect.

    Parameters
    ----------
    codes, sizes, y, weight
        As for `variance_ratios`.
    share : float
        Fraction of the training rows that these are.
    """
    trust = []
    ratios = variance_ratios(codes, sizes, y, weight).tolist()
    for column, size, k in zip(codes.t(), sizes, ratios, strict=True):
        n = _rows_of_each(column, size, weight.double()) / share
        trust.append(n / (n + k))
        trust[-1][0] = 1.0  # codes are masked at random while training
    return torch.cat(trust).float()


def variance_ratios(codes: Tensor, sizes: Sequence[int], y: Tensor, weight: Tensor) -> Tensor:
    r"""For each column :math:`k`, between 1 and 100, (len(sizes),), float64.

    It is the variance of the target within categories divided by that between them, of the target where this is least.
    The variances are estimated by those of the means and within them (C. R. Henderson, Estimation of Variance and
    Covariance Components, Biometrics 1953).

    Parameters
    ----------
    codes : Tensor of shape (n_rows, len(sizes))
    sizes : sequence of int
        Number of codes of each column.
    y : Tensor of shape (n_rows, n_targets)
    weight : Tensor of shape (n_rows,)
        Weights of the rows, of mean one.
    """
    weight, y = weight.double(), y.double()
    total = weight.sum().clamp_min(1e-12)
    y = y - (weight.unsqueeze(1) * y).sum(0) / total
    y = y / ((weight.unsqueeze(1) * y.square()).sum(0) / total).sqrt().clamp_min(1e-12)
    ratios = [_variance_ratio(column, size, y, weight) for column, size in zip(codes.t(), sizes, strict=True)]
    return torch.tensor(ratios, dtype=torch.float64, device=y.device).clamp_(_LEAST, _MOST)


def _variance_ratio(codes: Tensor, size: int, y: Tensor, weight: Tensor) -> float:
    """Of one column; y of mean 0 and variance 1."""
    n = _rows_of_each(codes, size, weight)
    sums = y.new_zeros(size, y.shape[1]).index_add_(0, codes, y * weight.unsqueeze(1))
    between = (sums.square() / n.clamp_min(1e-12).unsqueeze(1)).sum(0)
    total, n_categories = max(float(n.sum()), 1e-12), int((n > 0).sum())
    within = (total - between).clamp_min(0) / max(total - n_categories, 1.0)
    effects = (between - (n_categories - 1) * within) / max(total - float(n.square().sum()) / total, 1e-12)
    return float((within / effects.clamp_min(1e-12)).min())


def _rows_of_each(codes: Tensor, size: int, weight: Tensor) -> Tensor:
    """Weight of the rows of each code, (size,)."""
    return weight.new_zeros(size).index_add_(0, codes, weight)
