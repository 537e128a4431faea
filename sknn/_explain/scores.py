"""What is explained: the raw prediction of the whole network, on a scale that the user knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._data.stores import whole_tiles
from .._network.table_network import first_output
from ..losses import LogLoss, Loss

__all__ = ["Scores", "explained_scores", "raw_scores"]


@dataclass(frozen=True)
class Scores:
    """Linear functions of the raw prediction.

    Attributes
    ----------
    combine : callable
        Of the raw scores of members, as `Loss.combine`.
    weight : Tensor (out_features, n_outputs), float32
        What is differentiated is the raw prediction times this.
    factor, offset : ndarray (n_outputs,), float64
        From there to the unit of the user.
    """

    combine: Callable[[Tensor], Tensor]
    weight: Tensor
    factor: np.ndarray
    offset: np.ndarray

    @property
    def n_outputs(self) -> int:
        """Number of explained scores of a row."""
        return self.weight.shape[1]

    def of_members(self, raw: Tensor) -> Tensor:
        """Raw scores (batch, n_members, out_features) -> (batch, n_outputs)."""
        return self.combine(raw) @ self.weight.to(raw)

    def of_raw(self, raw: Tensor) -> Tensor:
        """`raw_scores` of a batch -> (batch, n_outputs)."""
        return self.of_members(raw) if raw.ndim == 3 else raw @ self.weight.to(raw)

    def in_units(self, scores: Tensor) -> np.ndarray:
        """Scores, or differences of scores without the offset, (..., n_outputs) in the unit of the user, float64."""
        return scores.double().cpu().numpy() * self.factor


def raw_scores(network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
    """Raw scores of a batch, (batch, out_features) or (batch, n_members, out_features).

    The network gets copies, since a module may change its input in place, and whole tiles of rows, as in a prediction.
    """
    given = [whole_tiles(values.clone()) for values in inputs]
    raw = first_output(network(*given))[: len(inputs[0])]
    return raw if raw.ndim > 1 else raw.unsqueeze(1)


def explained_scores(loss: Loss, targets: Any, n_raw: int) -> Scores:
    """The scores that are explained for this loss, kind of target, and width of the raw prediction.

    Real targets: the prediction in the unit of y where the link is the identity, else the raw score behind the link
    (the logarithm of the mean for a log link), in the unit of y as well. Two classes: log-odds of the second one. More:
    the logarithms of their probabilities less their mean, since a constant added to all scores changes no probability.
    Label indicators: log-odds of each label. A link of the user's: the raw scores.
    """
    weight = torch.eye(n_raw, dtype=torch.float32)
    factor, offset = np.ones(n_raw), np.zeros(n_raw)
    if targets.kind == "real":
        scale, center = (np.broadcast_to(part, (n_raw,)).copy() for part in targets.affine)
        if loss.link_name == "identity":
            factor, offset = scale, center
        elif loss.link_name == "finite_exp":
            with np.errstate(divide="ignore"):  # the logarithm of a constant target of zeros is minus infinity
                offset = np.log(np.where(scale > 0, scale, center))
            factor = np.where(scale > 0, 1.0, 0.0)
    elif targets.kind == "classes":
        if n_raw == 2:
            weight = torch.tensor([[-1.0], [1.0]], dtype=torch.float32)
        elif n_raw > 2 and loss.link_name not in (None, "identity"):
            weight = weight - 1.0 / n_raw
        temperature = float(loss.temperature) if isinstance(loss, LogLoss) and loss.link_name else 1.0
        factor, offset = np.full(weight.shape[1], 1.0 / temperature), np.zeros(weight.shape[1])
    return Scores(loss.combine, weight, factor, offset)
