"""Losses for real numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real

import numpy as np
import torch
from sklearn.metrics import d2_pinball_score
from torch import Tensor
from torch.nn import functional

from ._base import MAX_EXPONENT, Loss, Target, check_same_shape, finite_exp, shape_error

__all__ = ["AbsoluteError", "Huber", "Poisson", "Quantile", "SquaredError"]


class SquaredError(Loss):
    """(raw_prediction - y)^2, mean over the outputs; estimates the mean.

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import SquaredError
    >>> SquaredError()(torch.tensor([[1.0], [4.0]]), torch.tensor([[1.0], [2.0]]))
    tensor(2.)
    """

    name = "squared_error"
    targets = frozenset({"real"})

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean squared error of each row, ``(batch,)``."""
        check_same_shape(raw_prediction, y)
        return (raw_prediction - y).square().mean(dim=1)

    def value_and_gradient(
        self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean loss, and twice the error over the numbers of the batch."""
        if not self._is_exactly(SquaredError):
            return super().value_and_gradient(raw_prediction, y, sample_weight)
        check_same_shape(raw_prediction, y)
        n_rows, n_outputs = y.shape
        error = raw_prediction - y
        losses = error.square().mean(dim=1)
        share = torch.full_like(losses, 1.0 / n_rows)
        if sample_weight is not None:
            losses, share = losses * sample_weight, share.mul_(sample_weight)
        return losses.mean(), error.mul_(2.0).mul_(share.div_(n_outputs).unsqueeze(1))


class RobustLoss(Loss):
    """A loss whose gradient does not grow with the distance of a target, so that a few wild targets cannot spoil a fit.

    The estimators centre its target by the median and divide it by a spread that an eighth of the rows cannot move.
    """

    target_scaling = "robust"

    def validation_loss(self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The loss, in float64: beside a target at 1e9, float32 would not see the other rows improve."""
        return self(raw_prediction.double(), y.double(), sample_weight)


class AbsoluteError(RobustLoss):
    """abs(raw_prediction - y), mean over the outputs; estimates the median.

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import AbsoluteError
    >>> AbsoluteError()(torch.tensor([[1.0], [4.0]]), torch.tensor([[1.0], [2.0]]))
    tensor(1.)
    """

    name = "absolute_error"
    targets = frozenset({"real"})

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean absolute error of each row, ``(batch,)``."""
        check_same_shape(raw_prediction, y)
        return (raw_prediction - y).abs().mean(dim=1)


class Huber(RobustLoss):
    """d^2 / 2 up to ``delta``, delta * (abs(d) - delta / 2) beyond, mean over the outputs.

    Parameters
    ----------
    delta : float, default=1.0
        Error at which the loss becomes linear, > 0, in the unit of the y that it is given. The estimators give it y
        in units of its spread, the distance of the quantiles 1/8 and 7/8 over 2.3: for a normal distribution, that is
        the standard deviation.

    References
    ----------
    .. [1] P. J. Huber. Robust Estimation of a Location Parameter. Annals of Mathematical Statistics 35(1),
       1964.

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import Huber
    >>> Huber(delta=1.0)(torch.tensor([[3.0]]), torch.tensor([[0.0]]))
    tensor(2.5000)
    """

    name = "huber"
    targets = frozenset({"real"})

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        if not isinstance(delta, Real) or not 0 < delta < float("inf"):
            raise ValueError(f"delta={delta!r} is out of range; expected a finite number > 0.")
        self.delta = float(delta)

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean Huber loss of each row, ``(batch,)``."""
        check_same_shape(raw_prediction, y)
        return functional.huber_loss(raw_prediction, y, reduction="none", delta=self.delta).mean(dim=1)


class Poisson(Loss):
    """exp(raw_prediction) - y * raw_prediction, mean over the outputs; log link, for counts and rates y >= 0.

    Half the Poisson deviance, up to a term of y alone. Above a raw prediction of 40, exp is continued by its tangent:
    still convex, but a large step early in training cannot overflow.

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import Poisson
    >>> loss = Poisson()
    >>> loss(torch.tensor([[0.0]]), torch.tensor([[2.0]]))
    tensor(1.)
    >>> loss.inverse_link(torch.tensor([[0.0]]))
    tensor([[1.]])
    """

    name = "poisson"
    targets = frozenset({"real"})
    target_scaling = "scale"
    link = staticmethod(finite_exp)
    # It fits several, but scikit-learn's checks of estimators with several outputs use negative targets.
    several_outputs = False

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean Poisson loss of each row, ``(batch,)``."""
        check_same_shape(raw_prediction, y)
        mean = finite_exp(raw_prediction) * (1 + (raw_prediction - MAX_EXPONENT).relu())
        return (mean - y * raw_prediction).mean(dim=1)


class Quantile(RobustLoss):
    """Pinball loss, max(q * d, (q - 1) * d) with d = y - raw_prediction; estimates quantiles.

    Parameters
    ----------
    quantile : float or sequence of float, default=0.5
        Level or levels, each in (0, 1). Several levels fit a target with one output; they share the network,
        and the loss is the mean over the levels.

    Notes
    -----
    ``inverse_link`` sorts the predictions of several levels, so that a higher level never has a lower
    value; sorting brings the estimate closer to the true quantiles, never further away [2]_.

    References
    ----------
    .. [1] R. Koenker, G. Bassett. Regression Quantiles. Econometrica 46(1), 1978.
    .. [2] V. Chernozhukov, I. Fernández-Val, A. Galichon. Quantile and Probability Curves Without Crossing.
       Econometrica 78(3), 2010. arXiv:0704.3649.

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import Quantile
    >>> loss = Quantile([0.1, 0.9])
    >>> loss.out_features(1)
    2
    >>> loss.inverse_link(torch.tensor([[5.0, 3.0]]))
    tensor([[3., 5.]])
    """

    name = "quantile"
    targets = frozenset({"real"})
    levels: Tensor

    def __init__(self, quantile: float | Sequence[float] = 0.5) -> None:
        super().__init__()
        levels = list(quantile) if isinstance(quantile, Iterable) else [quantile]
        in_range = all(isinstance(level, Real) and 0 < level < 1 for level in levels)
        if not levels or not in_range or len(set(levels)) < len(levels):
            raise ValueError(f"quantile={quantile!r} is out of range; expected a number in (0, 1), or different ones.")
        self.n_levels, self._levels = len(levels), [float(level) for level in levels]
        self.several_outputs = not isinstance(quantile, Iterable)
        # Position of each level among the sorted ones. A list, since a fitted loss may lie on a GPU while
        # predictions are on the CPU.
        self._ranks = [sorted(levels).index(level) for level in levels]
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32), persistent=False)
        if len(levels) > 1:
            self.bound_columns = levels.index(min(levels)), levels.index(max(levels))

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean pinball loss of each row, ``(batch,)``."""
        if self.n_levels == 1:
            check_same_shape(raw_prediction, y)
        elif raw_prediction.shape != (len(y), self.n_levels) or y.shape != (len(y), 1):
            raise shape_error(raw_prediction, y, f"(batch, {self.n_levels}) and (batch, 1)")
        error = y - raw_prediction  # (batch, n_levels): y is compared with every level
        return torch.maximum(self.levels * error, (self.levels - 1) * error).mean(dim=1)

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        """Quantiles in the order of the levels, ``(batch, n_levels)``."""
        if self.n_levels == 1:
            return raw_prediction
        return raw_prediction.sort(dim=1).values[:, self._ranks]

    def score(
        self, y: np.ndarray, prediction: np.ndarray, sample_weight: np.ndarray | None = None, *, target: Target
    ) -> float:
        """D^2 pinball score of the level, or the mean of those of several levels."""
        columns = [prediction] if self.n_levels == 1 else prediction.T
        levels = zip(columns, self._levels, strict=True)
        return float(np.mean([d2_pinball_score(y, q, alpha=a, sample_weight=sample_weight) for q, a in levels]))

    def out_features(self, n_targets: int) -> int:
        """Number of levels; with one level the number of outputs."""
        if self.n_levels > 1 and n_targets != 1:
            raise ValueError(
                f"quantile has {self.n_levels} levels and y {n_targets} outputs; several levels need a "
                "y with one output. Fit one estimator for each output, say by sklearn's MultiOutputRegressor."
            )
        return max(self.n_levels, n_targets)
