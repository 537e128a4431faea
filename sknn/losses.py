"""Losses: each owns its pointwise loss, its inverse link, its output width and the kinds of target it fits.

Shapes and dtypes, once for all losses:

=================== ============================ ==================================================
target              y                            raw_prediction
=================== ============================ ==================================================
``"classes"``       int64 ``(batch,)``           float ``(batch, n_classes)``; two classes also
                                                 ``(batch, 1)``, the score of the second class
``"multilabel"``    float32 ``(batch, n_labels)`` float ``(batch, n_labels)``
``"real"``          float32 ``(batch, n_outputs)`` float ``(batch, n_outputs)``, ``Quantile``
                                                 ``(batch, n_levels)``
=================== ============================ ==================================================

Shapes are compared before anything is computed: ``(batch, 1)`` against ``(batch,)`` would broadcast to
``(batch, batch)`` and train on nonsense.
"""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "Huber",
    "LogLoss",
    "Loss",
    "ModuleLoss",
    "MultilabelLogLoss",
    "Poisson",
    "Quantile",
    "SquaredError",
    "make_loss",
]

Target = Literal["classes", "multilabel", "real"]

# e^40 = 2e17 is beyond any mean, and float32 still holds its square, of which a gradient norm is made.
_MAX_EXPONENT = 40.0


class Loss(nn.Module, ABC):
    """Mean over the batch of a weighted pointwise loss; derive from it to add a loss.

    A subclass defines ``name``, ``targets`` and ``pointwise``; also ``inverse_link`` (default: identity) and
    ``out_features`` (default: ``n_targets``) where the defaults do not fit.

    Attributes
    ----------
    name : str
        What ``criterion=`` calls it.
    targets : frozenset of {"classes", "multilabel", "real"}
        Kinds of target it fits.
    supports_sample_weight : bool
        Whether ``forward`` accepts weights.
    target_scaling : {"standard", "scale", None}, default="standard"
        What is done to a real target before the loss sees it, and undone at predict: ``"standard"``, zero mean and unit
        variance; ``"scale"``, divided by its mean, for y >= 0; None, nothing. A loss of your own that needs y in its
        unit sets None.

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
    target_scaling: Literal["standard", "scale"] | None = "standard"

    def __init__(self) -> None:  # nn.Module's takes any argument, so that no name could be refused
        super().__init__()

    @abstractmethod
    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, ``(batch,)``; shapes of the arguments as in the header of the file."""

    def forward(self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Mean of ``sample_weight * pointwise``, a scalar.

        Parameters
        ----------
        raw_prediction : Tensor (batch, out_features)
        y : Tensor
            See the header of the file.
        sample_weight : Tensor (batch,), default=None
            Of mean 1 over the training rows. The sum is divided by the rows of the batch, not by their
            weights: otherwise the gradients of the batches would not average to that of the table.

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

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        """Raw scores to what the user asks for: probabilities, or values in the unit of y."""
        return raw_prediction

    def out_features(self, n_targets: int) -> int:
        """Width of the raw prediction for so many classes, labels or outputs."""
        return n_targets

    def check_target(self, y: Tensor) -> None:
        """Raise a ValueError if the loss has no minimum for this y. It reads y: once, before training."""
        if self.target_scaling == "scale" and not (bool((y >= 0).all()) and bool((y.sum(dim=0) > 0).all())):
            raise ValueError(
                f"criterion={self.name!r} has a log link, so y must be >= 0 with a positive sum; got a "
                f"minimum of {float(y.min()):g}. For other targets use criterion='squared_error'."
            )


class LogLoss(Loss):
    """Negative log-likelihood of the classes; softmax, or a sigmoid where the network has one output.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Fraction of each label that is spread evenly over all classes, in [0, 1).

    References
    ----------
    .. [1] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna. Rethinking the Inception Architecture for
       Computer Vision. CVPR 2016. arXiv:1512.00567, section 7 (label smoothing).

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

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = _check_label_smoothing(label_smoothing)

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of each row, ``(batch,)``."""
        _check_class_shapes(raw_prediction, y)
        smoothing = self.label_smoothing
        if raw_prediction.shape[1] > 1:
            return functional.cross_entropy(raw_prediction, y, reduction="none", label_smoothing=smoothing)
        share = _smooth(y.to(raw_prediction.dtype), smoothing)
        return functional.binary_cross_entropy_with_logits(raw_prediction[:, 0], share, reduction="none")

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        """Probabilities ``(batch, n_classes)``."""
        return _softmax(raw_prediction)

    def out_features(self, n_targets: int) -> int:
        """Number of classes."""
        if n_targets < 2:
            raise ValueError(f"log_loss needs at least 2 classes, got {n_targets} class.")
        return n_targets


class MultilabelLogLoss(Loss):
    """Negative log-likelihood of independent labels, mean over the labels; sigmoid.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Labels 0 and 1 become ``label_smoothing / 2`` and ``1 - label_smoothing / 2``; in [0, 1).

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import MultilabelLogLoss
    >>> MultilabelLogLoss()(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(0.6931)
    """

    name = "log_loss"
    targets = frozenset({"multilabel"})

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = _check_label_smoothing(label_smoothing)

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean binary cross-entropy of each row, ``(batch,)``."""
        _check_same_shape(raw_prediction, y)
        share = _smooth(y.to(raw_prediction.dtype), self.label_smoothing)
        losses = functional.binary_cross_entropy_with_logits(raw_prediction, share, reduction="none")
        return losses.mean(dim=1)

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        """Probability of each label, ``(batch, n_labels)``."""
        return raw_prediction.sigmoid()


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
    target_scaling = "standard"

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean squared error of each row, ``(batch,)``."""
        _check_same_shape(raw_prediction, y)
        return (raw_prediction - y).square().mean(dim=1)


class AbsoluteError(Loss):
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
    target_scaling = "standard"

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean absolute error of each row, ``(batch,)``."""
        _check_same_shape(raw_prediction, y)
        return (raw_prediction - y).abs().mean(dim=1)


class Huber(Loss):
    """d^2 / 2 up to ``delta``, delta * (abs(d) - delta / 2) beyond, mean over the outputs.

    Parameters
    ----------
    delta : float, default=1.0
        Error at which the loss turns linear, > 0, in the unit of the y that it is given: spreads of the
        target, if the target is standardised.

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
    target_scaling = "standard"

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        if not isinstance(delta, Real) or not 0 < delta < float("inf"):
            raise ValueError(f"delta={delta!r} is out of range; expected a finite number > 0.")
        self.delta = float(delta)

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean Huber loss of each row, ``(batch,)``."""
        _check_same_shape(raw_prediction, y)
        return functional.huber_loss(raw_prediction, y, reduction="none", delta=self.delta).mean(dim=1)


class Poisson(Loss):
    """exp(raw_prediction) - y * raw_prediction, mean over the outputs; log link, for counts and rates y >= 0.

    Half the Poisson deviance, up to a term of y alone. Above a raw prediction of 40, exp goes on as its
    tangent: convex as before, but a wild step early in training cannot overflow.

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

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean Poisson loss of each row, ``(batch,)``."""
        _check_same_shape(raw_prediction, y)
        mean = _exp(raw_prediction) * (1 + (raw_prediction - _MAX_EXPONENT).relu())
        return (mean - y * raw_prediction).mean(dim=1)

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        """Means, > 0, ``(batch, n_outputs)``."""
        return _exp(raw_prediction)


class Quantile(Loss):
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
    target_scaling = "standard"
    levels: Tensor

    def __init__(self, quantile: float | Sequence[float] = 0.5) -> None:
        super().__init__()
        levels = list(quantile) if isinstance(quantile, Iterable) else [quantile]
        in_range = all(isinstance(level, Real) and 0 < level < 1 for level in levels)
        if not levels or not in_range or len(set(levels)) < len(levels):
            raise ValueError(f"quantile={quantile!r} is out of range; expected a number in (0, 1), or different ones.")
        self.n_levels = len(levels)
        # Position of each level among the sorted ones. A list, since a fitted loss may lie on a GPU while
        # predictions are on the CPU.
        self._ranks = [sorted(levels).index(level) for level in levels]
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32), persistent=False)

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Mean pinball loss of each row, ``(batch,)``."""
        if self.n_levels == 1:
            _check_same_shape(raw_prediction, y)
        elif raw_prediction.shape != (len(y), self.n_levels) or y.shape != (len(y), 1):
            raise _shape_error(raw_prediction, y, f"(batch, {self.n_levels}) and (batch, 1)")
        error = y - raw_prediction  # (batch, n_levels): y meets every level
        return torch.maximum(self.levels * error, (self.levels - 1) * error).mean(dim=1)

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        """Quantiles in the order of the levels, ``(batch, n_levels)``."""
        if self.n_levels == 1:
            return raw_prediction
        return raw_prediction.sort(dim=1).values[:, self._ranks]

    def out_features(self, n_targets: int) -> int:
        """Number of levels; with one level the number of outputs."""
        if self.n_levels > 1 and n_targets != 1:
            raise ValueError(
                f"quantile has {self.n_levels} levels and y {n_targets} outputs; several levels need a "
                "y with one output. Fit one estimator for each output, say by sklearn's MultiOutputRegressor."
            )
        return max(self.n_levels, n_targets)


class ModuleLoss(Loss):
    """A loss of ``torch.nn``, or a user's, in the form of a :class:`Loss`.

    Parameters
    ----------
    module : nn.Module
        Called as ``module(raw_prediction, y)``; copied. If it has an attribute ``reduction``, that is set to
        ``"none"``, and the losses of a row are averaged. If it has none, it must return a scalar, which is
        taken as the loss of every row, and sample weights are refused.
    target : {"classes", "multilabel", "real"}
        Kind of target. ``y`` is handed on as in the header of the file, except that for two classes and
        a raw prediction of width 1 it is float ``(batch, 1)``, as ``nn.BCEWithLogitsLoss`` expects.

    Raises
    ------
    ValueError
        If ``module`` is a loss of torch that does not fit ``target``, or its ``reduction`` is ``"sum"``.

    Notes
    -----
    Inverse link, also of subclasses:

    ========================================================== ===============================================
    ``CrossEntropyLoss``, ``MultiMarginLoss``                  softmax
    ``NLLLoss``, ``PoissonNLLLoss`` with ``log_input``         exp
    ``BCEWithLogitsLoss``, ``MultiLabelSoftMarginLoss``        sigmoid
    ``BCELoss``, ``MSELoss``, ``L1Loss``, ``SmoothL1Loss``,    identity
    ``HuberLoss``, ``PoissonNLLLoss`` without ``log_input``
    any other                                                  classes: softmax (width 1: sigmoid);
                                                               multilabel: sigmoid; real: identity
    ========================================================== ===============================================

    Where that is wrong for a loss of your own, derive it from :class:`Loss`.

    With ``CrossEntropyLoss(weight=...)`` the sum over a batch is divided by its rows, not by its weights.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from sknn.losses import ModuleLoss
    >>> loss = ModuleLoss(nn.BCEWithLogitsLoss(), "classes")
    >>> loss(torch.zeros(2, 1), torch.tensor([0, 1]), torch.tensor([0.5, 1.5]))
    tensor(0.6931)
    >>> loss.inverse_link(torch.zeros(1, 1))
    tensor([[0.5000, 0.5000]])
    """

    targets = frozenset({"classes", "multilabel", "real"})

    def __init__(self, module: nn.Module, target: Target) -> None:
        super().__init__()
        self.name = type(module).__name__
        known = next((_TORCH_LOSSES[kind] for kind in type(module).__mro__ if kind in _TORCH_LOSSES), None)
        fits, link = known or ({target}, _DEFAULT_LINKS[target])
        if target not in fits:
            raise _unfit_error(self.name, target)
        if getattr(module, "reduction", None) == "sum":
            raise ValueError(
                f"{self.name} has reduction='sum'; expected 'mean', as the loss is the mean over the batch. "
                "Raise lr to get larger steps."
            )
        if isinstance(module, nn.PoissonNLLLoss):
            link = _exp if module.log_input else _identity
            self.target_scaling = "scale"
        # Which width two classes need is known of torch's losses; of others the raw prediction tells.
        self._one_score = target == "classes" and isinstance(module, (nn.BCEWithLogitsLoss, nn.BCELoss))
        self._score_per_class = known is not None and target == "classes" and not self._one_score
        self._link = _softmax if target == "classes" and link is _sigmoid else link
        self._target = target
        self.targets = frozenset({target})
        self.supports_sample_weight = hasattr(module, "reduction")
        self.module = copy.deepcopy(module)
        if self.supports_sample_weight:
            setattr(self.module, "reduction", "none")  # noqa: B010

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, ``(batch,)``; of a module without ``reduction`` that of the batch, repeated."""
        if self._target != "classes":
            _check_same_shape(raw_prediction, y)
        else:
            _check_class_shapes(raw_prediction, y)
            width = raw_prediction.shape[1]
            if (self._one_score and width != 1) or (self._score_per_class and width == 1):
                expected = "(batch, 1)" if self._one_score else "(batch, n_classes)"
                raise _shape_error(raw_prediction, y, f"{expected} and (batch,) for {self.name}")
            if width == 1:
                y = y.to(raw_prediction.dtype).unsqueeze(1)
        losses = self.module(raw_prediction, y)
        n_rows = len(raw_prediction)
        if not self.supports_sample_weight and losses.ndim == 0:
            return losses.expand(n_rows)
        if self.supports_sample_weight and losses.ndim > 0 and len(losses) == n_rows:
            return losses.reshape(n_rows, -1).mean(dim=1)
        what = (
            "a loss for each row, as it has an attribute `reduction`, set to 'none'"
            if self.supports_sample_weight
            else "a scalar, or an attribute `reduction` that can be set to 'none'"
        )
        shape = tuple(losses.shape)
        raise ValueError(f"{self.name} returned shape {shape} for {n_rows} rows; expected {what}.")

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        """Probabilities or values; see Notes of the class."""
        values = self._link(raw_prediction)
        # Only BCELoss, whose network returns the probability itself, still has one column for two classes.
        return torch.cat([1 - values, values], dim=1) if self._one_score and values.shape[1] == 1 else values

    def out_features(self, n_targets: int) -> int:
        """Number of targets; 1 for a loss on one score for two classes."""
        if not self._one_score:
            return n_targets
        if n_targets != 2:
            raise ValueError(
                f"criterion={self.name} tells two classes apart, y has {n_targets} classes; use 'log_loss' "
                "or nn.CrossEntropyLoss."
            )
        return 1


def make_loss(criterion: Any, criterion_params: dict[str, Any], target: Target) -> Loss:
    """Return the loss that ``criterion`` means for a kind of target.

    Parameters
    ----------
    criterion : str, class or instance
        A name of :data:`LOSSES`; or a :class:`Loss` or another ``nn.Module``, a class or an instance, which
        is copied.
    criterion_params : dict
        Arguments of the constructor; empty for an instance.
    target : {"classes", "multilabel", "real"}
        Kind of target.

    Returns
    -------
    Loss

    Raises
    ------
    TypeError
        If ``criterion`` is none of these.
    ValueError
        If the name is unknown, the loss does not fit the target, or its constructor refuses the parameters.

    Examples
    --------
    >>> from torch import nn
    >>> from sknn.losses import make_loss
    >>> make_loss("huber", {"delta": 2.0}, "real").delta
    2.0
    >>> make_loss(nn.CrossEntropyLoss, {"label_smoothing": 0.1}, "classes").name
    'CrossEntropyLoss'
    """
    if isinstance(criterion, str):
        if criterion not in LOSSES:
            raise ValueError(
                f"criterion={criterion!r} is unknown; expected one of {sorted(LOSSES)}, or an nn.Module class."
            )
        fitting = [kind for kind in LOSSES[criterion] if target in kind.targets]
        if not fitting:
            raise _unfit_error(repr(criterion), target)
        return fitting[0](**_bound(fitting[0], criterion_params, repr(criterion)))
    if isinstance(criterion, nn.Module):
        if criterion_params:
            raise ValueError(
                f"criterion_params={criterion_params!r} came with an instance, whose parameters are fixed; "
                f"pass the class, criterion={type(criterion).__name__}, or no criterion_params."
            )
        loss = copy.deepcopy(criterion)
    elif isinstance(criterion, type) and issubclass(criterion, nn.Module):
        loss = criterion(**_bound(criterion, criterion_params, criterion.__name__))
    else:
        raise TypeError(
            f"criterion={criterion!r} is a {type(criterion).__name__}; expected one of {sorted(LOSSES)}, a "
            "class or an instance of sknn.losses.Loss or torch.nn.Module."
        )
    if not isinstance(loss, Loss):
        return ModuleLoss(loss, target)
    if target not in loss.targets:
        raise _unfit_error(type(loss).__name__, target)
    return loss


LOSSES: dict[str, tuple[type[Loss], ...]] = {
    "log_loss": (LogLoss, MultilabelLogLoss),
    "squared_error": (SquaredError,),
    "absolute_error": (AbsoluteError,),
    "huber": (Huber,),
    "poisson": (Poisson,),
    "quantile": (Quantile,),
}


def _identity(raw: Tensor) -> Tensor:
    return raw


def _exp(raw: Tensor) -> Tensor:
    """exp, but finite in float32."""
    return raw.clamp(max=_MAX_EXPONENT).exp()


def _sigmoid(raw: Tensor) -> Tensor:
    return raw.sigmoid()


def _softmax(raw: Tensor) -> Tensor:
    """(batch, n_classes) -> the same; (batch, 1) -> (batch, 2), by two sigmoids since 1 - p loses digits."""
    return raw.softmax(dim=1) if raw.shape[1] > 1 else torch.cat([-raw, raw], dim=1).sigmoid()


Link = Callable[[Tensor], Tensor]
_DEFAULT_LINKS: dict[str, Link] = {"classes": _softmax, "multilabel": _sigmoid, "real": _identity}
# Kinds of target that a loss of torch fits, and its inverse link.
_TORCH_LOSSES: dict[type, tuple[set[str], Link]] = {
    nn.CrossEntropyLoss: ({"classes"}, _softmax),
    nn.NLLLoss: ({"classes"}, _exp),
    nn.MultiMarginLoss: ({"classes"}, _softmax),
    nn.BCEWithLogitsLoss: ({"classes", "multilabel"}, _sigmoid),
    nn.BCELoss: ({"classes", "multilabel"}, _identity),
    nn.MultiLabelSoftMarginLoss: ({"multilabel"}, _sigmoid),
    nn.MSELoss: ({"real"}, _identity),
    nn.L1Loss: ({"real"}, _identity),
    nn.SmoothL1Loss: ({"real"}, _identity),
    nn.HuberLoss: ({"real"}, _identity),
    nn.PoissonNLLLoss: ({"real"}, _exp),
}
_TARGET_WORDS = {"classes": "class labels", "multilabel": "a label indicator", "real": "real numbers"}


def _smooth(share: Tensor, smoothing: float) -> Tensor:
    """Indicators of two classes with ``smoothing`` spread evenly over both."""
    return share * (1 - smoothing) + smoothing / 2 if smoothing else share


def _check_label_smoothing(value: float) -> float:
    if not isinstance(value, Real) or not 0 <= value < 1:
        raise ValueError(f"label_smoothing={value!r} is out of range; expected a number in [0, 1).")
    return float(value)


def _check_same_shape(raw_prediction: Tensor, y: Tensor) -> None:
    if raw_prediction.ndim != 2 or raw_prediction.shape != y.shape:
        raise _shape_error(raw_prediction, y, "both (batch, n_targets)")


def _check_class_shapes(raw_prediction: Tensor, y: Tensor) -> None:
    if raw_prediction.ndim != 2 or y.shape != raw_prediction.shape[:1]:
        raise _shape_error(raw_prediction, y, "(batch, n_classes) and (batch,)")


def _shape_error(raw_prediction: Tensor, y: Tensor, expected: str) -> ValueError:
    return ValueError(
        f"raw_prediction has shape {tuple(raw_prediction.shape)} and y {tuple(y.shape)}; expected {expected}."
    )


def _unfit_error(label: str, target: Target) -> ValueError:
    """The loss is for another kind of target."""
    names = [name for name, kinds in LOSSES.items() if any(target in kind.targets for kind in kinds)]
    modules = sorted(kind.__name__ for kind, (fits, _) in _TORCH_LOSSES.items() if target in fits)
    return ValueError(
        f"criterion={label} does not fit y, which is {_TARGET_WORDS[target]}; expected one of {names}, or "
        f"a module such as {', '.join(f'nn.{name}' for name in modules)}."
    )


def _bound(kind: type[nn.Module], params: dict[str, Any], label: str) -> dict[str, Any]:
    """``params``, once they are known to fit the constructor of ``kind``."""
    # A module without a constructor has nn.Module's, whose signature accepts what its body refuses.
    signature = inspect.Signature() if kind.__init__ is nn.Module.__init__ else inspect.signature(kind)
    try:
        signature.bind(**params)
    except TypeError as error:
        raise ValueError(
            f"criterion_params={params!r} does not fit criterion={label}: {error}; valid names are "
            f"{sorted(signature.parameters)}."
        ) from error
    return params
