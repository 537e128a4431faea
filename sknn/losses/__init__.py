"""Losses: each owns its pointwise loss, its inverse link, its output width, the kinds of target it fits, and its score.

Shapes and dtypes, once for all losses:

=================== ============================ ==================================================
target              y                            raw_prediction
=================== ============================ ==================================================
``"classes"``       int64 ``(batch,)``           float ``(batch, n_classes)``; two classes also
                                                 ``(batch, 1)``, the score of the second class
``"multilabel"``    float32 ``(batch, n_labels)`` float ``(batch, n_labels)``
``"real"``          float32 ``(batch, n_outputs)`` float ``(batch, n_outputs)``, ``Quantile``
                                                 ``(batch, n_levels)``
``"ranking"``       float32 ``(batch, 3)``       float ``(batch, 1)`` or ``(batch, n_members, 1)``; see
                                                 :class:`RankingLoss`
``"itself"``        not read                     float ``(batch, 1)``, the loss of each row; see
                                                 :class:`RowLoss`
=================== ============================ ==================================================

Shapes are compared before anything is computed, since ``(batch, 1)`` and ``(batch,)`` would broadcast to
``(batch, batch)``.
"""

from ._base import Loss
from ._classification import LogLoss, MultilabelLogLoss
from ._make import make_loss
from ._module import LOSSES, ModuleLoss
from ._ranking import ApproxNDCG, LambdaRank, ListNet, Pointwise, RankingLoss, RankNet
from ._regression import AbsoluteError, Huber, Poisson, Quantile, SquaredError
from ._row_loss import RowLoss

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "ApproxNDCG",
    "Huber",
    "LambdaRank",
    "ListNet",
    "LogLoss",
    "Loss",
    "ModuleLoss",
    "MultilabelLogLoss",
    "Pointwise",
    "Poisson",
    "Quantile",
    "RankNet",
    "RankingLoss",
    "RowLoss",
    "SquaredError",
    "make_loss",
]
