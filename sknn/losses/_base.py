"""The contract of every loss, and the shape checks and links that they share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from sklearn.metrics import accuracy_score, r2_score
from torch import Tensor, nn

__all__ = [
    "MAX_EXPONENT",
    "Link",
    "Loss",
    "Target",
    "check_class_shapes",
    "check_same_shape",
    "finite_exp",
    "identity",
    "mean_over_members",
    "shape_error",
    "sigmoid",
    "softmax",
]

Target = Literal["classes", "multilabel", "real", "ranking", "itself"]

Link = Callable[[Tensor], Tensor]

# e^40 = 2e17 is beyond any mean, and float32 still holds its square, of which a gradient norm is made.
MAX_EXPONENT = 40.0


def identity(raw: Tensor) -> Tensor:
    """The raw prediction itself."""
    return raw


def finite_exp(raw: Tensor) -> Tensor:
    """exp, but finite in float32."""
    return raw.clamp(max=MAX_EXPONENT).exp()


def sigmoid(raw: Tensor) -> Tensor:
    """Elementwise logistic function."""
    return raw.sigmoid()


def softmax(raw: Tensor) -> Tensor:
    """(batch, n_classes) -> the same; (batch, 1) -> (batch, 2), by two sigmoids since 1 - p loses digits."""
    return raw.softmax(dim=1) if raw.shape[1] > 1 else torch.cat([-raw, raw], dim=1).sigmoid()


_LINKS: tuple[Link, ...] = (identity, finite_exp, sigmoid, softmax)


class Loss(nn.Module, ABC):
    """Mean over the batch of a weighted pointwise loss; derive from it to add a loss.

    A subclass defines ``name``, ``targets`` and ``pointwise``; also ``inverse_link`` (default: identity),
    ``out_features`` (default: ``n_targets``) and ``score`` (default: accuracy or R^2) where the defaults do not fit.

    Attributes
    ----------
    name : str
        What ``criterion=`` calls it.
    targets : frozenset of {"classes", "multilabel", "real", "ranking", "itself"}
        Kinds of target it fits: labels, label indicators, numbers, relevances within queries, or the row itself.
    supports_sample_weight : bool
        Whether ``forward`` accepts weights.
    target_scaling : {"standard", "robust", "scale", None}, default="standard"
        How a real target is transformed before the loss is computed; predict inverts it. ``"standard"``: zero mean and
        unit variance; ``"robust"``: zero median and unit spread, the distance of the quantiles 1/8 and 7/8 over 2.3,
        for a loss that a few wild targets shall not spoil; ``"scale"``: divided by its mean, for y >= 0; None:
        unchanged. A loss of your own that needs y in its own unit sets None.
    several_outputs : bool, default=True
        Whether a real target may have more than one column.
    has_constant_guess : bool, default=True
        Whether a raw prediction that is the same for all rows is a guess, which a trained network has to beat.
    bound_columns : tuple of two int or None, default=None
        Columns of the prediction that are the lowest and the highest of several quantiles of one target.

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import Loss
    >>> class LogCosh(Loss):
    ...     name = "log_cosh"
    ...     targets = frozenset({"real"})
    ...     def pointwise(self, raw_prediction, y):
    ...         return torch.log(torch.cosh(raw_prediction - y)).mean(dim=1)
    >>> LogCosh()(torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [3.0]]))
    tensor(0.)
    """

    name: str
    targets: frozenset[str]
    supports_sample_weight: bool = True
    target_scaling: Literal["standard", "robust", "scale"] | None = "standard"
    several_outputs: bool = True
    has_constant_guess: bool = True
    bound_columns: tuple[int, int] | None = None
    link: Link = staticmethod(identity)  # which of the links above `inverse_link` applies

    def __init__(self) -> None:  # nn.Module's takes any argument, so that no name could be refused
        super().__init__()

    @abstractmethod
    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, ``(batch,)``; shapes of the arguments as in the header of :mod:`sknn.losses`."""

    def forward(self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Mean of ``sample_weight * pointwise``, a scalar.

        Parameters
        ----------
        raw_prediction : Tensor (batch, out_features)
        y : Tensor
            See the header of :mod:`sknn.losses`.
        sample_weight : Tensor (batch,), default=None
            Weights with mean 1 over the training rows. The sum is divided by the number of rows in the batch, not by
            their weights: otherwise the gradients of the batches would not average to that of the table.

        Raises
        ------
        ValueError
            If shapes do not match, or weights are given to a loss that cannot take them.
        """
        losses = self.pointwise(raw_prediction, y)
        if losses.shape != raw_prediction.shape[:1]:
            raise ValueError(
                f"{type(self).__name__}.pointwise returned shape {tuple(losses.shape)} for "
                f"{len(raw_prediction)} rows; expected one loss for each row, ({len(raw_prediction)},)."
            )
        if sample_weight is None:
            return losses.mean()
        if not self.supports_sample_weight:
            raise ValueError(
                f"criterion={self.name} returns one number for a batch, so it cannot take sample_weight. "
                "Give the module a `reduction` argument as torch's losses have, or derive it from "
                "sknn.losses.Loss."
            )
        if sample_weight.shape != losses.shape:
            raise ValueError(f"sample_weight has shape {tuple(sample_weight.shape)}; expected {tuple(losses.shape)}.")
        return (losses * sample_weight).mean()

    def by_member(
        self, raw_prediction: Tensor, y: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Raw prediction, y and weights as `forward` is called with them in training.

        Of members, ``(batch, n_members, out_features)``, each gets a row for each row of the batch.
        """
        if raw_prediction.ndim < 3:
            return raw_prediction, y, weight
        n_members = raw_prediction.shape[1]
        weight = None if weight is None else weight.repeat_interleave(n_members)
        return raw_prediction.flatten(0, 1), y.repeat_interleave(n_members, 0), weight

    def _is_exactly(self, kind: type[Loss]) -> bool:
        """Whether this is an instance of `kind` itself, without hooks and replaced methods."""
        return (
            type(self) is kind
            and not (self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks)
            and vars(self).keys().isdisjoint(("pointwise", "forward"))
        )

    def value_and_gradient(
        self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """``forward``, and its gradient with respect to the raw prediction, new memory.

        By automatic differentiation, which also adds to the gradients of the loss's own parameters.
        """
        with torch.enable_grad():
            raw_prediction = raw_prediction.detach().requires_grad_()
            loss = self(raw_prediction, y, sample_weight)
            loss.backward()
        assert raw_prediction.grad is not None
        return loss.detach(), raw_prediction.grad

    def check_raw_prediction(self, raw_prediction: Tensor) -> None:
        """Raise a ValueError for a first raw prediction ``(batch, out_features)`` outside the domain of the loss.

        By default, any raw prediction is allowed.
        """

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        """Raw scores to what the user asks for: probabilities, or values in the unit of y."""
        return self.link(raw_prediction)

    def combine(self, raw_prediction: Tensor) -> Tensor:
        """Raw predictions of members ``(batch, n_members, out_features)`` -> one, ``(batch, out_features)``.

        For the links of sknn, its inverse link is the mean of those of the members. For another link, it is the mean
        raw score.
        """
        return mean_over_members(raw_prediction, self.link)

    def validation_loss(self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """What early stopping monitors: the loss of the held-out rows with the weights that would be kept now.

        An override receives all held-out rows in one call; this method is called batch by batch.
        """
        return self(raw_prediction, y, sample_weight)

    def set_n_rows(self, n_rows: float) -> None:
        """Called by the estimators before they train on so many rows, inf for a stream. Does nothing by default."""

    def calibrate(self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> None:
        """Correct the confidence of the trained network by held-out rows. Does nothing by default."""

    def score(
        self, y: np.ndarray, prediction: np.ndarray, sample_weight: np.ndarray | None = None, *, target: Target
    ) -> float:
        """What ``estimator.score`` returns: accuracy for labels and label indicators, R^2 for real numbers.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            As the user gives it, labels as an array.
        prediction : ndarray
            What ``predict`` returns.
        sample_weight : array-like of shape (n_samples,), default=None
        target : {"classes", "multilabel", "real"}
        """
        metric = r2_score if target == "real" else accuracy_score
        return float(metric(y, prediction, sample_weight=sample_weight))

    @property
    def class_name(self) -> str:
        """Name of the user's class, for messages."""
        return type(self).__name__

    @property
    def link_name(self) -> str | None:
        """Name of `link` where it is a link of sknn, and a user's class defines no other inverse link; else None."""
        is_known = type(self).inverse_link.__module__.startswith("sknn.") and self.link in _LINKS
        return self.link.__name__ if is_known else None

    def out_features(self, n_targets: int) -> int:
        """Width of the raw prediction for so many classes, labels or outputs."""
        return n_targets

    def check_target(self, y: Tensor) -> None:
        """Raise a ValueError if the loss has no minimum for this y; called once, before training."""
        if self.target_scaling == "scale" and not (bool((y >= 0).all()) and bool((y.sum(dim=0) > 0).all())):
            raise ValueError(
                f"criterion={self.name!r} has a log link, so y must be >= 0 with a positive sum; got a "
                f"minimum of {float(y.min()):g}. For other targets use criterion='squared_error'."
            )


def check_same_shape(raw_prediction: Tensor, y: Tensor) -> None:
    """Raise a ValueError unless both are ``(batch, n_targets)``."""
    if raw_prediction.ndim != 2 or raw_prediction.shape != y.shape:
        raise shape_error(raw_prediction, y, "both (batch, n_targets)")


def check_class_shapes(raw_prediction: Tensor, y: Tensor) -> None:
    """Raise a ValueError unless they are ``(batch, n_classes)`` and ``(batch,)``."""
    if raw_prediction.ndim != 2 or y.shape != raw_prediction.shape[:1]:
        raise shape_error(raw_prediction, y, "(batch, n_classes) and (batch,)")


def shape_error(raw_prediction: Tensor, y: Tensor, expected: str) -> ValueError:
    """The error for two shapes that do not match."""
    return ValueError(
        f"raw_prediction has shape {tuple(raw_prediction.shape)} and y {tuple(y.shape)}; expected {expected}."
    )


def mean_over_members(raw: Tensor, link: Link) -> Tensor:
    """Raw prediction (batch, out_features) of which the inverse link is the mean of those of (batch, members, ...)."""
    if raw.shape[1] == 1:
        return raw[:, 0]
    if link is softmax and raw.shape[2] > 1:  # up to a constant, which softmax does not see
        return raw.log_softmax(dim=2).logsumexp(dim=1)
    if link in (softmax, sigmoid):
        log_sigmoid = torch.nn.functional.logsigmoid
        return log_sigmoid(raw).logsumexp(dim=1) - log_sigmoid(-raw).logsumexp(dim=1)
    if link is finite_exp:
        return raw.clamp(max=MAX_EXPONENT).logsumexp(dim=1) - math.log(raw.shape[1])
    return raw.mean(dim=1)
