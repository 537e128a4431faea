"""Linear models of few rows, whose penalty is chosen by leaving out one row at a time, in closed form."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["logistic_regression", "ridge_regression"]

# Penalties of logistic regression, from strong to weak, and steps at each, which starts where the one before ended.
_PENALTIES = (30.0, 10.0, 3.0, 1.0, 0.3)
_STEPS = 10
# Penalties of ridge regression, as fractions of the largest eigenvalue.
_RIDGE_PENALTIES = 10.0 ** torch.linspace(-6, 1, 22, dtype=torch.float64)
# A row that decides a coefficient nearly alone: the approximation of its prediction by the others is wild.
_LEAST_FREEDOM = 0.05


class _Directions(NamedTuple):
    """Centred columns in the basis of their principal directions."""

    mean: Tensor  # (n_columns,)
    vectors: Tensor  # (n_columns, rank)
    coordinates: Tensor  # (n_rows, rank)
    variances: Tensor  # (rank,), weighted sums of squares of the coordinates

    @classmethod
    def of(cls, x: Tensor, weight: Tensor) -> _Directions:
        mean = weight @ x / weight.sum()
        centred = x - mean
        scaled = centred * weight.sqrt().unsqueeze(1)
        if x.shape[0] < x.shape[1]:
            variances, left = torch.linalg.eigh(scaled @ scaled.t())
            known = variances > 1e-10 * variances[-1].clamp_min(1e-30)
            variances, left = variances[known], left[:, known]
            vectors = scaled.t() @ left / variances.sqrt()
        else:
            variances, vectors = torch.linalg.eigh(scaled.t() @ scaled)
            known = variances > 1e-10 * (variances[-1] if len(variances) else variances.new_ones(())).clamp_min(1e-30)
            variances, vectors = variances[known], vectors[:, known]
        return cls(mean, vectors, centred @ vectors, variances)

    def columnwise(self, coefficients: Tensor, intercept: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients of the columns, (n_columns, n_outputs), and the score of the mean row, (n_outputs,)."""
        by_column = self.vectors @ coefficients
        return by_column, intercept - self.mean @ by_column


def ridge_regression(x: Tensor, y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients (n_columns, n_outputs) and intercepts (n_outputs,) of real targets (n_rows, n_outputs); float64.

    Each output has the penalty at which the rows, each predicted without itself, are predicted best.
    """
    directions = _Directions.of(x, weight)
    mean = weight @ y / weight.sum()
    centred, z, variances = y - mean, directions.coordinates, directions.variances
    products = z.t() @ (centred * weight.unsqueeze(1))
    if not len(variances):
        return directions.columnwise(products, mean)
    penalties = _RIDGE_PENALTIES.to(x.device) * variances.max()
    shrunk = 1 / (variances + penalties.unsqueeze(1))  # (penalties, rank)
    fitted = z @ (shrunk.unsqueeze(2) * products)  # (penalties, n_rows, n_outputs)
    leverage = (z.square() @ shrunk.t() + 1 / weight.sum()) * weight.unsqueeze(1)  # (n_rows, penalties)
    left_out = (centred - fitted) / (1 - leverage.t().unsqueeze(2)).clamp_min(1e-9)
    errors = (left_out.square() * weight.unsqueeze(1)).sum(1)  # (penalties, n_outputs)
    best = shrunk[errors.argmin(0)].t()  # (rank, n_outputs)
    return directions.columnwise(best * products, mean)


def logistic_regression(x: Tensor, y: Tensor, weight: Tensor, *, softmax: bool) -> tuple[Tensor, Tensor]:
    """As `ridge_regression`, for label indicators: of one class for each row if `softmax`, else independent labels.

    The fit to the other rows is approximated by a Newton step from that to all rows, with the mean curvature of each
    class (K. Rad, A. Maleki, JRSS B 2020).
    """
    directions = _Directions.of(x, weight)
    z, weights = directions.coordinates, weight.unsqueeze(1)
    share = ((weights * y).sum(0) + 0.5) / (weight.sum() + 1)
    start = z.new_zeros(z.shape[1] + 1, y.shape[1])
    start[-1] = share.log() if softmax else torch.logit(share)
    descent = _Descent(directions, y, weight, 2 * share * (1 - share), softmax=softmax)
    best, least = start, torch.inf
    for penalty in _PENALTIES:
        start = descent.minimum(start, penalty)
        loss = _left_out_loss(z, y, weights, start[:-1], start[-1], directions.variances, penalty, softmax=softmax)
        if loss >= least:
            break
        best, least = start, loss
    return directions.columnwise(best[:-1], best[-1])


class _Descent:
    """Nesterov's accelerated gradient descent on a penalised log-loss, whose steps the directions make diagonal.

    A step is that of Newton's method with `curvature` (n_outputs,) for each row. It is doubled where the loss rises: of
    rare labels, or of far rows, a few rows decide it.
    """

    def __init__(self, directions: _Directions, y: Tensor, weight: Tensor, curvature: Tensor, *, softmax: bool) -> None:
        self.z, self.y, self.weights, self.softmax = directions.coordinates, y, weight.unsqueeze(1), softmax
        self.curvature = torch.cat([directions.variances, weight.sum().unsqueeze(0)]).unsqueeze(1) * curvature

    def minimum(self, point: Tensor, penalty: float) -> Tensor:
        """Coefficients and, in the last row, intercepts (rank + 1, n_outputs)."""
        penalties = torch.full_like(point, penalty)
        penalties[-1] = 0.0
        best, least, before, n_steps = point, torch.inf, point, 0
        for _ in range(_STEPS):
            loss, gradient = self._loss(point)
            loss += 0.5 * float((penalties * point.square()).sum())
            if not loss <= least:
                self.curvature = 2 * self.curvature
                point, before, n_steps = best, best, 0
                continue
            best, least = point, loss
            after = point - (gradient + penalties * point) / (self.curvature + penalties)
            point, before = after + (n_steps / (n_steps + 3)) * (after - before), after
            n_steps += 1
        return best

    def _loss(self, point: Tensor) -> tuple[float, Tensor]:
        scores = self.z @ point[:-1] + point[-1]
        if self.softmax:
            logs = scores.log_softmax(1)
            losses, probabilities = -(logs * self.y), logs.exp()
        else:
            losses = F.binary_cross_entropy_with_logits(scores, self.y, reduction="none")
            probabilities = scores.sigmoid()
        error = self.weights * (probabilities - self.y)
        return float((self.weights * losses).sum()), torch.cat([self.z.t() @ error, error.sum(0, keepdim=True)])


def _left_out_loss(
    z: Tensor,
    y: Tensor,
    weights: Tensor,
    coefficients: Tensor,
    intercept: Tensor,
    variances: Tensor,
    penalty: float,
    *,
    softmax: bool,
) -> float:
    """Log-loss of the rows, each predicted about as without itself."""
    scores = z @ coefficients + intercept
    probabilities = scores.softmax(1) if softmax else scores.sigmoid()
    total = weights.sum()
    # For two classes, half of the difference of two scores is what each of them is penalised by.
    curvature = (weights * probabilities * (1 - probabilities)).sum(0) / total  # (n_outputs,)
    own_penalty = penalty / 2 if softmax and y.shape[1] == 2 else penalty
    spread = z.square() @ (1 / (curvature * variances.unsqueeze(1) + own_penalty)) + 1 / (total * curvature)
    freedom = (1 - weights * curvature * spread).clamp_min(_LEAST_FREEDOM)
    change = weights * (y - probabilities) * spread / freedom
    if softmax:
        # The change of a difference of two scores is shared by both.
        left_out = scores - (change / 2 if y.shape[1] == 2 else change)
        losses = -(left_out.log_softmax(1) * y)
    else:
        left_out = scores - change
        losses = F.binary_cross_entropy_with_logits(left_out, y, reduction="none")
    return float((weights * losses).sum())
