"""The losses that have a name."""

from __future__ import annotations

from ._base import Loss
from ._classification import LogLoss, MultilabelLogLoss
from ._regression import AbsoluteError, Huber, Poisson, Quantile, SquaredError

__all__ = ["LOSSES"]

LOSSES: dict[str, tuple[type[Loss], ...]] = {
    "log_loss": (LogLoss, MultilabelLogLoss),
    "squared_error": (SquaredError,),
    "absolute_error": (AbsoluteError,),
    "huber": (Huber,),
    "poisson": (Poisson,),
    "quantile": (Quantile,),
}
