"""What a fit keeps of the rows that it held out: scores, from which quantiles for any level are found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .spread import LearnedSpread

__all__ = ["ConformalScores", "class_scores", "committee_ratio", "quantile_scores"]

# A committee errs less than its networks, but hardly less than this, however much these differ.
_LEAST_RATIO = 0.5
_SMALLEST = 1e-7


@dataclass(frozen=True)
class ConformalScores:
    """Scores of held-out rows: the larger, the worse the prediction. At most 10,000 rows, and no cell of the table.

    Of real targets a score is an absolute error in units of the spread, both in units of the encoded target; with
    several quantile levels it is the distance beyond the outermost predictions, negative between them. Of classes it is
    one minus the probability of the true class.
    """

    scores: np.ndarray  # float32 (n, n_outputs); of classes (n, 1)
    weight: np.ndarray | None  # float32 (n,)
    labels: np.ndarray | None  # of classes their codes, int32 (n,)
    codes: np.ndarray  # of categorical columns, unsigned integers (n, n_categorical)
    spread: LearnedSpread | None  # of real targets, unless the loss has several quantile levels

    def __post_init__(self) -> None:
        n = len(self.scores)
        if self.scores.dtype != np.float32 or self.scores.ndim != 2 or not np.isfinite(self.scores).all():
            raise ValueError("scores must be finite numbers of the dtype float32, (n, n_outputs)")
        if self.weight is not None:
            is_weight = self.weight.dtype == np.float32 and np.isfinite(self.weight).all() and (self.weight >= 0).all()
            if self.weight.shape != (n,) or not is_weight or not self.weight.any():
                raise ValueError(f"weight must be {n} numbers >= 0 of the dtype float32")
        if self.labels is not None and (self.labels.dtype != np.int32 or self.labels.shape != (n,)):
            raise ValueError(f"labels must be {n} codes of the dtype int32")
        if self.codes.dtype.kind != "u" or self.codes.shape[:1] != (n,) or self.codes.ndim != 2:
            raise ValueError(f"codes must be unsigned integers of {n} rows")


def quantile_scores(values: Tensor, y: Tensor, columns: tuple[int, int]) -> Tensor:
    """Distance of y (n, 1) beyond the predictions of the outermost levels, (n, 1); negative between them.

    References
    ----------
    .. [1] Y. Romano, E. Patterson, E. Candès. Conformalized Quantile Regression. NeurIPS 2019. arXiv:1905.03222.
    """
    lower, upper = (values[:, column : column + 1] for column in columns)
    return torch.maximum(lower - y, y - upper)


def committee_ratio(values: Tensor, by_network: Tensor, y: Tensor, has_learned: Tensor, weight: Tensor) -> Tensor:
    """Errors of the committee, as a share of those of a network that has not learned the row; (n_outputs,).

    Errors of K networks have a part in common, and one of each network's own, whose variance v the mean divides by K:
    of a mean squared error m remains m - (1 - 1 / K) v. v is the variance between the networks that have learned the
    row; as these know it, it is rather too small, and the ratio too large, on the safe side.

    `values` (n, n_outputs) of the network that held the row out, `by_network` (n, n_networks, n_outputs), `y`
    (n, n_outputs), `has_learned` bool (n, n_networks), `weight` (n,).
    """
    n_networks = by_network.shape[1]
    usable = has_learned.sum(dim=1) >= 2
    if n_networks < 2 or not bool(usable.any()):
        return torch.ones(values.shape[1], dtype=torch.float32)
    share = weight / weight.sum()
    known = has_learned.float().unsqueeze(2)
    count = known.sum(dim=1).clamp(min=1)
    mean = (by_network * known).sum(dim=1, keepdim=True) / count.unsqueeze(1)
    variance = ((by_network - mean).square() * known).sum(dim=1) / (count - 1).clamp(min=1)
    own = (share[usable] @ variance[usable]) / share[usable].sum()
    error = share @ (y - values).square()
    ratio = 1 - (1 - 1 / n_networks) * own / error.clamp(min=torch.finfo(torch.float32).tiny)
    return ratio.clamp(min=_LEAST_RATIO**2, max=1.0).nan_to_num(1.0).sqrt()


def class_scores(of_holder: Tensor, by_network: Tensor, has_learned: Tensor) -> Tensor:
    """One minus the probability of the true class, as the committee would give it, (n,).

    `of_holder` (n,) are these scores of the network that held the row out, `by_network` (n, n_networks) of all. A mean
    of probabilities is less extreme than one of them, so that of easy rows its scores are larger. By how much is seen
    by the networks that have learned the row: the difference, in log-odds, between the quantile of their mean and of a
    single one is added to each score at the level of its rank. Scores of hard rows would become smaller; they stay, on
    the safe side.

    References
    ----------
    .. [1] M. Sadinle, J. Lei, L. Wasserman. Least Ambiguous Set-Valued Classifiers with Bounded Error Levels. JASA
       114(525), 2019. arXiv:1609.00451.
    """
    usable = has_learned.sum(dim=1) >= 2
    if not bool(usable.any()):
        return of_holder
    known, scores = has_learned[usable], by_network[usable].double()
    singles = scores[known].sort().values
    means = ((scores * known).sum(dim=1) / known.sum(dim=1)).sort().values
    order = of_holder.argsort(stable=True)
    ranks = (torch.arange(len(order), dtype=torch.float64) + 0.5) / len(order)
    shift = _log_odds(_at(means, ranks)) - _log_odds(_at(singles, ranks))
    corrected = torch.sigmoid(_log_odds(of_holder[order].double()) + shift.clamp(min=0))
    scores = torch.empty_like(of_holder)
    scores[order] = corrected.cummax(dim=0).values.to(of_holder.dtype)
    return scores


def _at(sorted_values: Tensor, ranks: Tensor) -> Tensor:
    """The values at these ranks, in (0, 1)."""
    return sorted_values[(ranks * len(sorted_values)).long().clamp(max=len(sorted_values) - 1)]


def _log_odds(share: Tensor) -> Tensor:
    return torch.logit(share.clamp(_SMALLEST, 1 - _SMALLEST))
