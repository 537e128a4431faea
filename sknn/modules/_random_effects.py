"""A linear model of categories that have few rows each, whose effects are shrunk as random effects are."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ._category_statistics import variance_ratios
from .embeddings import column_offsets

__all__ = ["random_effects"]

# Penalty of the coefficients of numbers, which have standard scale: that of one row.
_OF_NUMBERS = 1.0
_MOST_STEPS, _HISTORY = 40, 10


def random_effects(
    x_num: Tensor,
    codes: Tensor,
    sizes: Sequence[int],
    y: Tensor,
    weight: Tensor,
    link: str,
    latest: float = math.inf,
) -> tuple[Tensor, Tensor]:
    r"""Coefficients (n_numbers + sum(sizes), n_outputs) of numbers and categories, and intercepts (n_outputs,).

    They minimise the squared error or the log-loss plus :math:`\frac{1}{2} \sum_j \lambda_j \beta_j^2`. For real
    targets, :math:`\lambda_j` of a category is the variance of the target within categories divided by that between
    those of its column, which makes the effects their best linear predictions (C. R. Henderson, Best Linear Unbiased
    Estimation and Prediction under a Selection Model, Biometrics 1975). For labels of frequency :math:`p` it is
    multiplied by :math:`p (1 - p)`, the curvature of the log-loss of a row.

    Parameters
    ----------
    x_num : Tensor of shape (n_rows, n_numbers)
    codes : Tensor of shape (n_rows, len(sizes))
    sizes : sequence of int
        Number of codes of each column.
    y : Tensor of shape (n_rows, n_outputs)
        Real targets or indicators.
    weight : Tensor of shape (n_rows,)
        Weights of the rows, of mean one.
    link : {"identity", "softmax", "sigmoid"}
    latest : float
        Time of ``time.perf_counter`` by which it is to be over.

    Raises
    ------
    TimeoutError
        If it is not.
    """
    x_num, y, weight = x_num.double(), y.double(), weight.double()
    places = codes + x_num.shape[1] + column_offsets(sizes).to(codes)
    total = weight.sum()
    mean = weight @ y / total
    if link == "identity":
        curvature, start = torch.ones_like(mean), mean
    else:
        share = ((weight @ y) + 0.5) / (total + 1)
        curvature, start = share * (1 - share), share.log() if link == "softmax" else torch.logit(share)
    ratios = variance_ratios(codes, sizes, y, weight).repeat_interleave(
        torch.tensor(sizes, dtype=torch.int64, device=y.device)
    )
    ratios = torch.cat([ratios.new_full((x_num.shape[1],), _OF_NUMBERS), ratios])
    rows = ratios.new_zeros(len(ratios)).index_add_(0, places.flatten(), weight.repeat_interleave(codes.shape[1]))
    rows[: x_num.shape[1]] = weight @ x_num.square()
    penalty = ratios.unsqueeze(1) * curvature
    # In these units all directions are about equally steep.
    unit = 1 / ((rows + ratios).unsqueeze(1) * curvature).sqrt()
    point = torch.cat([torch.zeros_like(unit), start.unsqueeze(0)]).requires_grad_()
    descent = torch.optim.LBFGS(
        [point], max_iter=_MOST_STEPS, tolerance_change=1e-7, history_size=_HISTORY, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        if time.perf_counter() > latest:
            raise TimeoutError("The time for the effects of categories is over.")
        descent.zero_grad()
        coefficients = point[:-1] * unit
        scores = x_num @ coefficients[: x_num.shape[1]] + F.embedding_bag(places, coefficients, mode="sum") + point[-1]
        value = weight @ _losses(scores, y, link) + 0.5 * (penalty * coefficients.square()).sum()
        value.backward()
        return value

    with torch.enable_grad():
        descent.step(loss)  # pyright: ignore[reportArgumentType]  # it may return a tensor
    point = point.detach()
    return point[:-1] * unit, point[-1]


def _losses(scores: Tensor, y: Tensor, link: str) -> Tensor:
    """Half of the squared error, or the log-loss, of each row."""
    if link == "identity":
        return 0.5 * (scores - y).square().sum(1)
    if link == "softmax":
        return -(scores.log_softmax(1) * y).sum(1)
    return F.binary_cross_entropy_with_logits(scores, y, reduction="none").sum(1)
