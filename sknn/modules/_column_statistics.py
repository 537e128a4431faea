"""Which of many columns tell of the target, each by itself: with what factor each of them starts."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._start import StartRows, read_rows

__all__ = ["Effects", "effects", "log_p_values", "midranks", "relevance"]

# What is read at most, rows and numbers, and the fewest rows that a part of a table must have.
_ROWS, _NUMBERS, _FEWEST_ROWS = 4096, 2**20, 256
# If n columns show no effect, they get the scale rows / (24 * n^2), but 1 at most: nothing is gained by small scales up
# to 10 columns or so, and of many columns the few that matter must be louder than all the others together.
_ROWS_PER_SQUARE = 24

# A column in which more rows have the same value is sparse.
_MOST_EQUAL = 0.9

# At this false discovery rate a column counts as half relevant.
_RATE_OF_HALF = 0.2


class Effects(NamedTuple):
    """What training rows say of n numeric columns."""

    scales: Tensor  # (n,), float32, in (0, 1]: factors to begin with, the largest is 1
    strongest: Tensor  # (n,), int64: positions of the columns, that with the surest effect first


@torch.no_grad()
def effects(rows: StartRows, must_rank: bool = False) -> Effects | None:
    """The effects of the numbers of training rows; None if there are few columns for the rows, unless `must_rank`.

    Scales are small for columns that show no effect on the target by themselves, the smaller the more of them there are
    for the rows. A column that matters only together with others is among them, so it must be possible to learn a
    larger factor. They are 1 for sparse columns, and where the table is too large to be read for that.
    """
    (x, *_), _, _ = next(iter(rows.batches(1)))
    n_columns = x.shape[1]
    n_read = max(1, min(len(rows), _ROWS, _NUMBERS // n_columns))
    are_enough = n_read >= min(len(rows), _FEWEST_ROWS)
    if n_columns < 2 or not (are_enough or must_rank):
        return None
    (x, *_), y, weight = read_rows(rows, n_read)
    counts = weight > 0
    n_counting = len(rows) * float(counts.float().mean())
    if n_counting == 0 or (not must_rank and n_counting >= _ROWS_PER_SQUARE * n_columns**2):
        return None
    x, y, weight = x[counts], y[counts], weight[counts]
    ranks = midranks(x)
    log_p = log_p_values(ranks, midranks(y) if rows.target == "real" else y, weight)
    scales = torch.ones_like(log_p)
    # Of words and one-hot columns, nearly always 0, each matters too little to be found, and together they may matter.
    tested = ((ranks - 0.5).abs() <= (1 - _MOST_EQUAL) / 2).float().mean(0) < _MOST_EQUAL
    if are_enough and int(tested.sum()) > 1:
        found = relevance(log_p[tested])
        least = min(1.0, n_counting / (_ROWS_PER_SQUARE * float((1 - found).sum().clamp_min(1)) ** 2))
        scales[tested] = least + (1 - least) * found
    return Effects((scales / scales.max()).float(), log_p.argsort(stable=True))


def log_p_values(ranks: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    r"""Logarithm of the probability of an effect of each column as large as this one by chance: (n_columns,), float64.

    For :math:`u` the ranks of a column, in [0, 1], two hypotheses are tested: that the target is uncorrelated with
    :math:`u` (chi-squared, one degree of freedom), and with :math:`\cos(k \pi u), k = 1 \dots 4` (four degrees), which
    a dependence in both directions shows. Ranks make it independent of the scale of columns and of extreme values.

    Parameters
    ----------
    ranks : Tensor of shape (n_rows, n_columns)
        See `midranks`.
    y : Tensor of shape (n_rows, n_targets)
        Label indicators, or ranks of real targets.
    weight : Tensor of shape (n_rows,)
        Weights of the rows, > 0.
    """
    n_rows = float(weight.sum() ** 2 / weight.square().sum().clamp_min(1e-30))  # as many equal weights as certain
    weight = (weight / weight.sum().clamp_min(1e-30)).unsqueeze(1)
    weighted = _standardized(y, weight) * weight
    correlation = _standardized(ranks, weight).t() @ weighted  # (n_columns, n_targets)
    first = torch.cos(math.pi * ranks)
    second = 2 * first * first - 1
    waves = (first, second, 2 * first * second - first, 2 * second * second - 1)
    explained = torch.stack([wave.t() @ weighted for wave in waves]).double().square().sum(0) * 2
    one_way = math.log(2) + torch.special.log_ndtr(-math.sqrt(n_rows) * correlation.double().abs())
    half = n_rows * explained / 2
    both_ways = torch.log1p(half) - half
    return torch.minimum(one_way, both_ways).amin(1) + math.log(2 * y.shape[1])  # the best of so many tests


def relevance(log_p: Tensor) -> Tensor:
    """How sure it is that each of so many effects is none of chance, in [0, 1]: (1 - q^2) / (1 + (q / 0.2)^2).

    q is the false discovery rate at which it is found (Y. Benjamini, Y. Hochberg, JRSS B 1995), times the share of the
    hypotheses that are true (J. Storey, JRSS B 2002).
    """
    rates = _false_discovery_rates(log_p.clamp_max(0).exp())
    return (1 - rates.square()) / (1 + (rates / _RATE_OF_HALF).square())


def midranks(x: Tensor) -> Tensor:
    """Ranks of the values within each column, in (0, 1); equal values share the mean of their ranks."""
    columns = x.t().contiguous()
    # numpy sorts six times as fast as torch.
    order = torch.from_numpy(np.argsort(columns.cpu().numpy(), axis=1)).to(x.device)
    ordered = columns.gather(1, order)
    n_rows = len(x)
    first = torch.zeros(ordered.shape, dtype=torch.int32, device=x.device)  # position of the first of equal values
    stop = torch.full_like(first, n_rows)  # behind the last one
    begins = torch.where(
        ordered[:, 1:] != ordered[:, :-1], torch.arange(1, n_rows, dtype=torch.int64, device=x.device), 0
    ).int()
    first[:, 1:] = begins.cummax(1).values
    stop[:, :-1] = torch.where(begins > 0, begins, n_rows).flip(1).cummin(1).values.flip(1)
    return torch.empty_like(ordered).scatter_(1, order, (first + stop).to(x.dtype) / (2 * n_rows)).t()


def _standardized(x: Tensor, weight: Tensor) -> Tensor:
    """Columns of weighted mean 0 and variance 1; weights (n_rows, 1) of sum 1. A constant column becomes 0."""
    centred = x - (weight * x).sum(0)
    deviation = (weight * centred.square()).sum(0).sqrt()
    return centred * torch.where(deviation > 1e-9, deviation.reciprocal(), 0.0)


def _false_discovery_rates(p: Tensor) -> Tensor:
    """Least false discovery rate at which each of the hypotheses with these p-values is rejected."""
    ordered, order = p.sort()
    count = torch.arange(1, len(p) + 1, dtype=p.dtype, device=p.device)
    share_of_nothing = min(1.0, (2 * int((p > 0.5).sum()) + 1) / len(p))
    rates = (share_of_nothing * len(p) * ordered / count).flip(0).cummin(0).values.flip(0)
    return torch.empty_like(p).scatter_(0, order, rates)
