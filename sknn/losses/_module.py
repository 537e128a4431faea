"""The losses that have a name, and any other ``nn.Module`` as a loss."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ._base import (
    Link,
    Loss,
    Target,
    check_class_shapes,
    check_same_shape,
    finite_exp,
    identity,
    shape_error,
    sigmoid,
    softmax,
)
from ._classification import LogLoss, MultilabelLogLoss
from ._ranking import ApproxNDCG, LambdaRank, ListNet, Pointwise, RankNet
from ._regression import AbsoluteError, Huber, Poisson, Quantile, SquaredError
from ._row_loss import RowLoss

__all__ = ["LOSSES", "ModuleLoss", "unfit_error"]

LOSSES: dict[str, tuple[type[Loss], ...]] = {
    "log_loss": (LogLoss, MultilabelLogLoss),
    "squared_error": (SquaredError,),
    "absolute_error": (AbsoluteError,),
    "huber": (Huber,),
    "poisson": (Poisson,),
    "quantile": (Quantile,),
    "approx_ndcg": (ApproxNDCG,),
    "lambdarank": (LambdaRank,),
    "listnet": (ListNet,),
    "ranknet": (RankNet,),
    "pointwise": (Pointwise,),
    "row_loss": (RowLoss,),
}

_DEFAULT_LINKS: dict[str, Link] = {"classes": softmax, "multilabel": sigmoid, "real": identity}

# Kinds of target that a loss of torch fits, and its inverse link.
_TORCH_LOSSES: dict[type, tuple[set[str], Link]] = {
    nn.CrossEntropyLoss: ({"classes"}, softmax),
    nn.NLLLoss: ({"classes"}, finite_exp),
    nn.MultiMarginLoss: ({"classes"}, softmax),
    nn.BCEWithLogitsLoss: ({"classes", "multilabel"}, sigmoid),
    nn.BCELoss: ({"classes", "multilabel"}, identity),
    nn.MultiLabelSoftMarginLoss: ({"multilabel"}, sigmoid),
    nn.MSELoss: ({"real"}, identity),
    nn.L1Loss: ({"real"}, identity),
    nn.SmoothL1Loss: ({"real"}, identity),
    nn.HuberLoss: ({"real"}, identity),
    nn.PoissonNLLLoss: ({"real"}, finite_exp),
}

_TARGET_WORDS = {
    "classes": "class labels", "multilabel": "a label indicator", "real": "real numbers", "ranking": "relevances",
    "itself": "rows",
}  # fmt: skip


class ModuleLoss(Loss):
    """A loss of ``torch.nn``, or a user's, in the form of a :class:`Loss`.

    Parameters
    ----------
    module : nn.Module
        Called as ``module(raw_prediction, y)``; copied. If it has an attribute ``reduction``, this is set to
        ``"none"``, and the losses of a row are averaged. Otherwise it must return a scalar, which is used as the loss
        of every row, and sample weights are refused.
    target : {"classes", "multilabel", "real"}
        Kind of target. ``y`` is handed on as in the header of :mod:`sknn.losses`, except that for two classes and
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
        fits, link = known or ({target} & _DEFAULT_LINKS.keys(), _DEFAULT_LINKS.get(target, identity))
        if target not in fits:  # of rankings no plain module knows the queries
            raise unfit_error(self.name, target)
        if getattr(module, "reduction", None) == "sum":
            raise ValueError(
                f"{self.name} has reduction='sum'; expected 'mean', as the loss is the mean over the batch. "
                "Raise lr to get larger steps."
            )
        if isinstance(module, nn.PoissonNLLLoss):
            link = finite_exp if module.log_input else identity
            self.target_scaling = "scale"
        elif isinstance(module, (nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss)):
            self.target_scaling = "robust"
        # The width that two classes need is known for torch's losses; for others the raw prediction decides.
        self._one_score = target == "classes" and isinstance(module, (nn.BCEWithLogitsLoss, nn.BCELoss))
        self._score_per_class = known is not None and target == "classes" and not self._one_score
        self.link = softmax if target == "classes" and link is sigmoid else link
        self._target = target
        self.targets = frozenset({target})
        self.supports_sample_weight = hasattr(module, "reduction")
        self.module = copy.deepcopy(module)
        if self.supports_sample_weight:
            setattr(self.module, "reduction", "none")  # noqa: B010

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, ``(batch,)``; without ``reduction``, the loss of the batch, repeated."""
        if self._target != "classes":
            check_same_shape(raw_prediction, y)
        else:
            check_class_shapes(raw_prediction, y)
            width = raw_prediction.shape[1]
            if (self._one_score and width != 1) or (self._score_per_class and width == 1):
                expected = "(batch, 1)" if self._one_score else "(batch, n_classes)"
                raise shape_error(raw_prediction, y, f"{expected} and (batch,) for {self.name}")
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

    @property
    def class_name(self) -> str:
        """Name of the module's class, for messages."""
        return self.name

    def check_raw_prediction(self, raw_prediction: Tensor) -> None:
        """Raise a ValueError if the module expects probabilities, or their logarithms, but receives raw scores."""
        if isinstance(self.module, nn.BCELoss) and not ((raw_prediction >= 0) & (raw_prediction <= 1)).all():
            expected, layer, better = "probabilities", "nn.Sigmoid", "nn.BCEWithLogitsLoss"
        elif isinstance(self.module, nn.NLLLoss) and ((raw_prediction.exp().sum(dim=1) - 1).abs() > 1e-3).any():
            expected, layer, better = "logarithms of probabilities", "nn.LogSoftmax", "nn.CrossEntropyLoss"
        else:
            return
        raise ValueError(
            f"criterion: {self.name} expects {expected}, but the network returns raw scores such as "
            f"{raw_prediction[0].tolist()}. Use {better}, or end your module with {layer}."
        )

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        """Probabilities or values; see Notes of the class."""
        values = self.link(raw_prediction)
        # Only BCELoss, whose network returns the probability itself, still has one column for two classes.
        return torch.cat([1 - values, values], dim=1) if self._one_score and values.shape[1] == 1 else values

    def out_features(self, n_targets: int) -> int:
        """Number of targets; 1 for a loss on one score for two classes."""
        if not self._one_score:
            return n_targets
        if n_targets != 2:
            raise ValueError(
                f"criterion={self.name} distinguishes two classes, but y has {n_targets} classes; use 'log_loss' "
                "or nn.CrossEntropyLoss."
            )
        return 1


def unfit_error(label: str, target: Target) -> ValueError:
    """The loss is for another kind of target."""
    names = [name for name, kinds in LOSSES.items() if any(target in kind.targets for kind in kinds)]
    modules = sorted(kind.__name__ for kind, (fits, _) in _TORCH_LOSSES.items() if target in fits)
    others = f", or a module such as {', '.join(f'nn.{name}' for name in modules)}" if modules else ""
    return ValueError(
        f"criterion={label} does not fit y, which is {_TARGET_WORDS[target]}; expected one of {names}{others}."
    )
