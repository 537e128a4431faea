"""Losses for classes and for label indicators."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ._base import Loss, check_class_shapes, check_same_shape, sigmoid, softmax

__all__ = ["LogLoss", "MultilabelLogLoss"]

_aten: Any = torch.ops.aten
# What label_smoothing="auto" means: as if so many rows of evenly spread labels had been seen beside the table, which
# keeps a network from certainty that few rows do not give. More rows need no smoothing.
_ROWS_OF_SMOOTHING, _FEW_ROWS = 5, 100
# Standard deviation of the prior of the logarithm of the temperature, and its largest absolute value.
_LOG_SPREAD = 0.5
_LARGEST_LOG = 1.5
# Enough rows to fit one number.
_ROWS_FOR_TEMPERATURE = 20_000
# With thousands of classes, a search over 10,000 rows would take longer than training.
_SCORES_FOR_TEMPERATURE = 2**20


class _SmoothedLoss(Loss):
    """A loss whose labels are spread: `label_smoothing` is the parameter, `smoothing` the fraction in use."""

    def __init__(self, label_smoothing: float | str) -> None:
        super().__init__()
        is_auto = isinstance(label_smoothing, str) and label_smoothing == "auto"
        if not is_auto and not (isinstance(label_smoothing, Real) and 0 <= float(label_smoothing) < 1):
            raise ValueError(
                f"label_smoothing={label_smoothing!r} is out of range; expected a number in [0, 1), or 'auto'."
            )
        self.label_smoothing = "auto" if is_auto else float(label_smoothing)
        self.smoothing = 0.0 if is_auto else float(label_smoothing)

    def set_n_rows(self, n_rows: float) -> None:
        """With "auto", smooth the labels of a table of few rows."""
        if self.label_smoothing == "auto":
            self.smoothing = _ROWS_OF_SMOOTHING / (n_rows + _ROWS_OF_SMOOTHING) if n_rows <= _FEW_ROWS else 0.0


class LogLoss(_SmoothedLoss):
    """Negative log-likelihood of the classes; softmax, or a sigmoid where the network has one output.

    Parameters
    ----------
    label_smoothing : float or "auto", default="auto"
        Fraction of each label that is spread evenly over all classes, in [0, 1). "auto": ``5 / (n_rows + 5)`` in an
        estimator that is fitted to at most 100 rows, else 0.
    temperature_scaling : bool, default=True
        Whether the estimators divide the raw scores by a temperature before the softmax, which is fitted on the rows
        that early stopping held out [2]_.

    Attributes
    ----------
    temperature : buffer, a scalar
        1 before `calibrate`.

    References
    ----------
    .. [1] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna. Rethinking the Inception Architecture for
       Computer Vision. CVPR 2016. arXiv:1512.00567, section 7 (label smoothing).
    .. [2] C. Guo, G. Pleiss, Y. Sun, K. Weinberger. On Calibration of Modern Neural Networks. ICML 2017.
       arXiv:1706.04599.
    .. [3] E. Berta, D. Holzmüller, M. I. Jordan, F. Bach. Rethinking Early Stopping: Refine, Then Calibrate. 2025.
       arXiv:2501.19195.

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import LogLoss
    >>> loss, raw_prediction = LogLoss(), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    >>> loss(raw_prediction, torch.tensor([0, 1]))
    tensor(0.4100)
    >>> loss.inverse_link(raw_prediction)
    tensor([[0.5000, 0.5000],
            [0.1192, 0.8808]])
    """

    name = "log_loss"
    targets = frozenset({"classes"})
    link = staticmethod(softmax)
    temperature: Tensor

    def __init__(self, label_smoothing: float | str = "auto", temperature_scaling: bool = True) -> None:
        super().__init__(label_smoothing)
        if not isinstance(temperature_scaling, bool):
            raise TypeError(f"temperature_scaling={temperature_scaling!r}; expected True or False.")
        self.temperature_scaling = temperature_scaling
        self.register_buffer("temperature", torch.ones((), dtype=torch.float32))

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of each row, ``(batch,)``."""
        check_class_shapes(raw_prediction, y)
        smoothing = self.smoothing
        if raw_prediction.shape[1] > 1:
            return functional.cross_entropy(raw_prediction, y, reduction="none", label_smoothing=smoothing)
        share = _smooth(y.to(raw_prediction.dtype), smoothing)
        return functional.binary_cross_entropy_with_logits(raw_prediction[:, 0], share, reduction="none")

    def value_and_gradient(
        self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean loss, and softmax minus one-hot labels over the rows of the batch."""
        by_hand = self._is_exactly(LogLoss) and not self.smoothing and raw_prediction.device.type == "cpu"
        if not by_hand or raw_prediction.shape[1] == 1:
            return super().value_and_gradient(raw_prediction, y, sample_weight)
        check_class_shapes(raw_prediction, y)
        log_probabilities = torch.log_softmax(raw_prediction, 1)
        losses, total = _aten.nll_loss_forward.default(log_probabilities, y, None, 0, -100)  # 0: no reduction
        share = torch.full_like(losses, 1.0 / y.shape[0])
        if sample_weight is not None:
            losses, share = losses * sample_weight, share.mul_(sample_weight)
        gradient = _aten.nll_loss_backward.default(share, log_probabilities, y, None, 0, -100, total)
        gradient = _aten._log_softmax_backward_data.default(gradient, log_probabilities, 1, gradient.dtype)
        return losses.mean(), gradient

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        """Probabilities ``(batch, n_classes)``."""
        return softmax(raw_prediction / self.temperature.to(raw_prediction.device))

    @torch.no_grad()
    def validation_loss(self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The loss at the temperature that suits these rows best, since `calibrate` will fit one in the end.

        Otherwise training would be stopped for overconfidence while it still learns to separate the classes [3]_.
        Without `temperature_scaling`, and in derived classes, this is the loss itself.
        """
        finite = bool(torch.isfinite(raw_prediction).all())
        if self.temperature_scaling and len(y) and finite and self._is_exactly(LogLoss):
            raw_prediction = raw_prediction * self._best_scale(raw_prediction, y, sample_weight)
        return self(raw_prediction, y, sample_weight)

    def _best_scale(self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None) -> float:
        """1 / temperature, by Newton's method on the objective of `calibrate`, which is nearly convex in it."""
        raw_prediction, y, sample_weight = _some_rows(raw_prediction, y, sample_weight)
        raw_prediction = raw_prediction.double()
        if raw_prediction.shape[1] == 1:
            raw_prediction = torch.cat([torch.zeros_like(raw_prediction), raw_prediction], dim=1)
        ones = torch.ones(len(y), dtype=torch.float64, device=y.device)
        weight = ones if sample_weight is None else sample_weight.double()
        true = raw_prediction.gather(1, y.long().unsqueeze(1))[:, 0] * (1 - self.smoothing)
        true = true + self.smoothing * raw_prediction.mean(1)
        scale = 1.0
        for _ in range(5):
            probability = (raw_prediction * scale).softmax(1)
            mean = (probability * raw_prediction).sum(1)
            variance = (probability * (raw_prediction - mean.unsqueeze(1)).square_()).sum(1)
            slope, curvature = torch.stack([(mean - true) @ weight, variance @ weight]).tolist()
            slope += math.log(scale) / (_LOG_SPREAD**2 * scale)
            curvature += 1 / (_LOG_SPREAD * scale) ** 2
            scale = min(max(scale - slope / curvature, scale / 2), scale * 2)
            scale = min(max(scale, math.exp(-_LARGEST_LOG)), math.exp(_LARGEST_LOG))
        return scale

    @torch.no_grad()
    def calibrate(self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> None:
        """Fit the temperature to held-out rows; it is 1 without such rows or without `temperature_scaling`.

        Maximises the likelihood of the labels times a normal prior of log T with mean 0 and standard deviation 0.5,
        which counts as one row: few rows cannot move it far. A grid search, so that no starting point matters.
        """
        self.temperature.fill_(1.0)
        if not self.temperature_scaling or len(y) == 0 or not bool(torch.isfinite(raw_prediction).all()):
            return
        log_temperatures = torch.linspace(-_LARGEST_LOG, _LARGEST_LOG, 121, dtype=torch.float64)
        raw_prediction, y, sample_weight = _some_rows(raw_prediction, y, sample_weight)
        raw_prediction = raw_prediction.double()
        weight = None if sample_weight is None else sample_weight.double()
        best = math.inf
        for log_temperature in log_temperatures.tolist():
            losses = self.pointwise(raw_prediction / math.exp(log_temperature), y)
            total = (
                float(losses.sum() if weight is None else losses @ weight) + 0.5 * (log_temperature / _LOG_SPREAD) ** 2
            )
            if total < best:
                best = total
                self.temperature.fill_(math.exp(log_temperature))

    def out_features(self, n_targets: int) -> int:
        """Number of classes."""
        if n_targets < 2:
            raise ValueError(f"log_loss needs at least 2 classes, got {n_targets} class.")
        return n_targets


class MultilabelLogLoss(_SmoothedLoss):
    """Negative log-likelihood of independent labels, mean over the labels; sigmoid.

    Parameters
    ----------
    label_smoothing : float or "auto", default="auto"
        Labels 0 and 1 become ``label_smoothing / 2`` and ``1 - label_smoothing / 2``; in [0, 1). "auto" as in
        :class:`LogLoss`.

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import MultilabelLogLoss
    >>> MultilabelLogLoss()(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(0.6931)
    """

    name = "log_loss"
    targets = frozenset({"multilabel"})
    link = staticmethod(sigmoid)

    def __init__(self, label_smoothing: float | str = "auto") -> None:
        super().__init__(label_smoothing)

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean binary cross-entropy of each row, ``(batch,)``."""
        check_same_shape(raw_prediction, y)
        share = _smooth(y.to(raw_prediction.dtype), self.smoothing)
        losses = functional.binary_cross_entropy_with_logits(raw_prediction, share, reduction="none")
        return losses.mean(dim=1)


def _some_rows(raw_prediction: Tensor, y: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Evenly spaced rows: at most `_ROWS_FOR_TEMPERATURE`, fewer for many classes."""
    most = min(_ROWS_FOR_TEMPERATURE, _SCORES_FOR_TEMPERATURE // raw_prediction.shape[1] + 1)
    some = slice(None, None, 1 + len(y) // most)
    return raw_prediction[some], y[some], None if weight is None else weight[some]


def _smooth(share: Tensor, smoothing: float) -> Tensor:
    """Indicators of two classes with ``smoothing`` spread evenly over both."""
    return share * (1 - smoothing) + smoothing / 2 if smoothing else share
