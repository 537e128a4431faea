"""Whether outputs, and a simple model, tell rows apart under a usual error, whatever the loss of the user says."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .inspection import Inspection, inspect_network
from .relation import ROWS_FOR_MODEL, features
from .sampling import RowSource

__all__ = ["plain_skill_of_model", "plain_skill_of_network"]

# Penalty of the least squares, relative to the mean square of a column.
_PENALTY = 0.03


def plain_skill_of_model(inspection: Inspection, source: RowSource, *, weighted: bool) -> float:
    """1 - squared error / that of the mean, of numbers or of indicators of classes, on rows that were not fitted.

    Of least squares on the inputs and random features of them. 0 if outputs and targets are of another kind.
    """
    rows = source.some(ROWS_FOR_MODEL)
    targets = None if rows is None else _as_numbers(inspection.raw, rows[1])
    table = None if rows is None else features(rows[0])
    if rows is None or targets is None or table is None or len(table) < 40:
        return 0.0
    weight = _weight(rows[0], targets, weighted=weighted)
    fitted, held_out = slice(0, None, 2), slice(1, None, 2)
    center = _mean(targets[fitted], weight[fitted])
    table = table.double()
    a = table[fitted] - _mean(table[fitted], weight[fitted])
    a = a * weight[fitted].sqrt()
    b = (targets[fitted] - center) * weight[fitted].sqrt()
    penalty = _PENALTY * float(weight[fitted].sum())
    gram = a.T @ a + penalty * torch.eye(a.shape[1], dtype=a.dtype, device=a.device)
    coefficients = torch.linalg.solve(gram, a.T @ b)
    predicted = center + (table[held_out] - _mean(table[fitted], weight[fitted])) @ coefficients
    return max(0.0, _skill(predicted, targets[held_out], weight[held_out]))


def plain_skill_of_network(net: Any, rows: tuple[Any, Any], *, weighted: bool) -> float:
    """The same of the outputs for some rows, as numbers or as probabilities."""
    inspection = inspect_network(net, rows)
    raw, targets = inspection.raw, _as_numbers(inspection.raw, rows[1])
    if targets is None:
        return 0.0
    raw = raw.detach().double().reshape(targets.shape)
    is_class = not rows[1].is_floating_point()
    read = [raw, raw.softmax(-1)] if is_class else [raw, raw.sigmoid()]
    weight = _weight(rows[0], targets, weighted=weighted)
    return max(_skill(predicted, targets, weight) for predicted in read)


def _as_numbers(raw: Tensor, y: Any) -> Tensor | None:
    """Targets (n_rows, n_outputs): numbers as they are, classes as indicators; None if outputs are of another shape."""
    if not isinstance(y, Tensor) or raw.ndim > 2:
        return None
    width = raw.shape[-1] if raw.ndim == 2 else 1
    if y.is_floating_point():
        return y.detach().double().reshape(len(y), -1) if y.numel() == len(y) * width else None
    if y.ndim != 1 or width < 2 or not len(y) or int(y.max()) >= width or int(y.min()) < 0:
        return None
    return torch.nn.functional.one_hot(y.to(torch.int64), width).double()


def _weight(x: Any, targets: Tensor, *, weighted: bool) -> Tensor:
    """Weights of the rows, (n_rows, 1)."""
    given = x.get("sample_weight") if weighted and isinstance(x, dict) else None
    return torch.ones_like(targets[:, :1]) if given is None else given.detach().double().reshape(-1, 1)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum(0) / weight.sum().clamp(min=1e-300)


def _skill(predicted: Tensor, targets: Tensor, weight: Tensor) -> float:
    spread = (weight * (targets - _mean(targets, weight)).square()).sum()
    return float(1 - (weight * (predicted - targets).square()).sum() / spread) if spread > 0 else 0.0
