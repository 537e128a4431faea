"""Scores of the rows that a fit held out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .._conformal.learn_spread import learn_spread
from .._conformal.scores import ConformalScores, class_scores, committee_ratio, quantile_scores
from .._conformal.spread import LearnedSpread
from .._data.inputs import Inputs
from .._data.training_data import EncodedData
from .._threads import threads
from .._training.held_out import HeldOut, held_out_predictions
from .._training.net import _Net
from ..losses import Loss

__all__ = ["conformal_scores"]

_FEWEST_FOLDS = 3


def conformal_scores(net: _Net, data: EncodedData, seed: int) -> ConformalScores | None:
    """Scores of the held-out rows; None if there are none, or if the loss predicts something else than y."""
    kind, valid = data.targets.kind, data.valid
    if valid is None or kind not in ("classes", "real"):
        return None
    held_out = held_out_predictions(net, valid, seed)
    loss = net.criterion_
    with torch.no_grad(), threads(1):  # the same bits, however many there are
        inputs = _inputs_of(held_out, data)
        if kind == "classes":
            scores, spread = _class_scores(held_out, loss, data.targets.n_targets), None
        else:
            scores, spread = _real_scores(held_out, loss, inputs, data.inputs)
    if scores is None or not bool(torch.isfinite(scores).all()):
        return None
    codes = inputs.get("x_cat", torch.zeros(len(scores), 0, dtype=torch.int64)).numpy()
    return ConformalScores(
        scores.float().contiguous().numpy(),
        None if held_out.weight is None else held_out.weight.numpy(),
        held_out.y.numpy().astype(np.int32) if kind == "classes" else None,
        codes.astype(np.min_scalar_type(max(data.inputs.cardinalities, default=0))),
        spread,
    )


def _inputs_of(held_out: HeldOut, data: EncodedData) -> dict[str, Tensor]:
    """Numbers and codes of a table; nothing of other kinds, whose rows may be large."""
    if data.inputs.kind != "table" or data.valid is None:
        return {}
    rows = held_out.rows.to(data.valid.device)
    return {name: values.cpu() for name, values in data.valid.store[rows].tensors().items()}


def _class_scores(held_out: HeldOut, loss: Loss, n_classes: int) -> Tensor | None:
    """One minus the probability of the true class, (n, 1)."""
    y, probabilities = held_out.y[:, None], loss.inverse_link(held_out.raw)
    if probabilities.shape != (len(y), n_classes):  # a loss of the user's
        return None
    of_holder = 1 - probabilities.gather(1, y)
    by_network = [1 - loss.inverse_link(raw).gather(1, y) for raw in held_out.by_network.unbind(dim=1)]
    return class_scores(of_holder[:, 0], torch.cat(by_network, dim=1), held_out.has_learned)[:, None]


def _real_scores(
    held_out: HeldOut, loss: Loss, inputs: dict[str, Tensor], learned: Inputs
) -> tuple[Tensor | None, LearnedSpread | None]:
    """Errors in units of the spread, (n, n_outputs), and the spread; or distances beyond quantiles."""
    values, y = loss.inverse_link(held_out.raw), held_out.y
    if loss.bound_columns is not None:
        return quantile_scores(values, y, loss.bound_columns), None
    if values.shape != y.shape or held_out.raw.shape != y.shape or not bool(torch.isfinite(values).all()):
        return None, None
    weight = torch.ones(len(y), dtype=torch.float32) if held_out.weight is None else held_out.weight
    fold = held_out.holder
    if len(fold.unique()) < _FEWEST_FOLDS:
        fold = torch.arange(len(y), dtype=torch.int64) % 5
    errors = (y - values).abs()
    spread, log_spread = learn_spread(
        inputs.get("x"), inputs.get("x_cat"), learned.cardinalities, held_out.raw, errors, weight, fold
    )
    by_network = torch.stack([loss.inverse_link(raw) for raw in held_out.by_network.unbind(dim=1)], dim=1)
    ratio = committee_ratio(values, by_network, y, held_out.has_learned, weight)
    return errors * (-log_spread).exp() * ratio, spread
