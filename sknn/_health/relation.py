"""Whether simple models and tests find a relation between the inputs and the target."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .dominance import logarithms
from .inspection import Inspection
from .recorder import first_tensor
from .reference import Constant, linked, minimum
from .sampling import RowSource

__all__ = ["ROWS_FOR_MODEL", "features", "is_related", "skill_of_model"]

_MAX_COLUMNS = 2000
ROWS_FOR_MODEL = 1500
# Cosines of random projections, and the standard deviation of the projected rows in radians.
_N_RANDOM_FEATURES, _FREQUENCY = 256, 1.0
_MOST_CODES = 20
# Spreads of targets that are of standard scale.
_SMALL, _LARGE = 0.01, 100.0
# Standard deviations from the mean beyond which a column is one of wild values.
_WILD = 20.0
# Of texts: the most codes that are columns, and the fewest rows with such a code.
_MOST_WORDS, _FEWEST_ROWS_OF_WORD = 500, 5


def skill_of_model(net: Any, inspection: Inspection, source: RowSource, constant: Constant, *, linear: bool) -> float:
    """Skill of a simple model of the standardised inputs: fitted on every other row, judged on those between.

    If not linear, with random Fourier features (A. Rahimi, B. Recht, "Random features for large-scale kernel machines",
    NIPS 2007), which model curves and interactions.
    """
    rows = source.some(ROWS_FOR_MODEL)
    if rows is None or inspection.raw.ndim > 2 or math.isnan(constant.loss):
        return 0.0
    x, y = rows
    table = _columns(x)
    if table is None or len(table) < 40:
        return 0.0
    if not linear:
        table = torch.cat([table, _random_features(table)], dim=1)
    width = len(constant.value)
    unit, size = _unit(y, inspection), abs(constant.loss) or 1.0
    weights = [constant.value.clone(), table.new_zeros(table.shape[1], width, dtype=torch.float32)]

    def loss_of(raw: Tensor, part: slice) -> Tensor:
        inputs = {name: v[part] for name, v in x.items() if v is not None} if isinstance(x, dict) else x
        return net.get_loss(raw, y[part], X=inputs, training=False)

    def loss_on(part: slice, variables: list[Tensor], penalty: float) -> Tensor:
        raw = linked(inspection, variables[0] + table[part] @ variables[1] * unit)
        raw = raw.reshape(-1, *inspection.raw.shape[1:])
        return loss_of(raw, part) + penalty * variables[1].square().sum()

    fitted, held_out = slice(0, None, 2), slice(1, None, 2)
    with torch.no_grad():
        constant_here = loss_on(held_out, weights, 0.0).item()
        exact = logarithms(net, inspection, x, y)  # of counts, whose least loss is not 0
        least = 0.0 if exact is None else loss_of(exact[held_out], held_out).item()
        scale = constant_here - least if least and least < constant_here else abs(constant_here)
    best = 0.0
    for penalty in (0.03, 0.001):  # few rows for the number of columns need the larger one
        trial = [w.detach().clone() for w in weights]
        minimum(lambda v, p=penalty: loss_on(fitted, v, p * size) / size, trial, 30)  # whose tolerances are absolute
        with torch.no_grad():
            gain = constant_here - loss_on(held_out, trial, 0.0).item()
        if math.isfinite(gain) and constant_here:
            best = max(best, gain / scale)
    return best


def _unit(y: Any, inspection: Inspection) -> float:
    """The size of outputs that weights of 1 shall give: the spread of targets of their shape, or 1 behind a link."""
    if not isinstance(y, Tensor) or not y.is_floating_point() or y.shape[1:] != inspection.raw.shape[1:]:
        return 1.0
    spread = float(y.double().std(correction=0))
    # Between these they may be counts under a logarithm, or shares under a sigmoid.
    return spread if not _SMALL < spread < _LARGE else 1.0


def features(x: Any) -> Tensor | None:
    """Standardised columns of the inputs, and random features of them; None without columns."""
    table = _columns(x)
    return None if table is None else torch.cat([table, _random_features(table)], dim=1)


def _random_features(table: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    size = table.shape[1], _N_RANDOM_FEATURES
    directions = (
        torch.randn(size, generator=generator, dtype=torch.float32).to(table.device) * _FREQUENCY / math.sqrt(size[0])
    )
    phases = 2 * math.pi * torch.rand(size[1], generator=generator, dtype=torch.float32).to(table.device)
    return math.sqrt(2) * torch.cos(table @ directions + phases)


def _columns(x: Any) -> Tensor | None:
    """Inputs as standardised columns without constant ones, categories one by one, (n_rows, n_columns)."""
    first = first_tensor(x).detach()
    parts = [first.reshape(len(first), -1).float()] if first.is_floating_point() else []
    if first.ndim == 2 and first.dtype == torch.int64 and not (isinstance(x, dict) and "x_cat" in x):
        parts = _words(first)
    if isinstance(x, dict) and "x_cat" in x:
        codes = x["x_cat"]
        parts += [(codes[:, [i]] == codes[:, i].unique()[:_MOST_CODES]).float() for i in range(codes.shape[1])]
    if not parts or not len(first):
        return None
    table = torch.cat(parts, dim=1)
    if not 0 < table.shape[1] <= _MAX_COLUMNS or not bool(torch.isfinite(table).all()):
        return None
    center = table.mean(0)
    table = table - center
    spread = table.std(0, correction=0)
    # Columns of float32 far from zero keep little more than their rounding.
    varies = spread > 1e-6 * (1e-30 + center.abs())
    table = table[:, varies] / spread[varies]
    for wild in (table.abs().amax(0) > _WILD).nonzero().flatten().tolist():  # which would hide the other rows
        table[:, wild] = _ranks(table[:, wild])
    return table if table.shape[1] else None


def _ranks(column: Tensor) -> Tensor:
    """Standardised ranks, the same for equal numbers."""
    _, place, counts = column.unique(return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0) - 0.5 * (counts - 1)).to(column.dtype)[place]
    return (ranks - ranks.mean()) / ranks.std(correction=0)


def _words(codes: Tensor) -> list[Tensor]:
    """Whether each row of codes contains one of the usual ones, (n_rows, n_codes); empty if there are none."""
    row = torch.arange(len(codes), dtype=torch.int64, device=codes.device).unsqueeze(1).expand_as(codes)
    pairs = torch.stack([codes.flatten(), row.flatten()], dim=1).unique(dim=0)
    values, counts = pairs[:, 0].unique(return_counts=True)
    is_usual = (counts >= _FEWEST_ROWS_OF_WORD) & (counts <= len(codes) - _FEWEST_ROWS_OF_WORD)
    usual = values[is_usual][counts[is_usual].argsort(descending=True, stable=True)[:_MOST_WORDS]]
    if not len(usual):
        return []
    order = usual.sort().values
    place = torch.searchsorted(order, pairs[:, 0].contiguous()).clamp(max=len(order) - 1)
    found = order[place] == pairs[:, 0]
    table = torch.zeros(len(codes), len(order), dtype=torch.float32, device=codes.device)
    table[pairs[found, 1], place[found]] = 1.0
    return [table]


def is_related(rows: tuple[Any, Any] | None) -> bool:
    """Whether a column, or a linear function of all, is related to the target, by F tests at a level of 1 % each.

    Rows of weights w count as (sum w)^2 / sum w^2 rows. True if it cannot be tested.
    """
    from scipy.stats import rankdata

    table = None if rows is None else _columns(rows[0])
    if rows is None or table is None or not isinstance(rows[1], Tensor):
        return True
    columns, y = table.cpu().double().numpy(), rows[1]
    targets = y.cpu().numpy().reshape(len(y), -1)
    is_number = targets.dtype.kind == "f"
    of_each = [target for target in targets.T if len(np.unique(target)) > 1]
    if not of_each:
        return False
    weight = _row_weights(rows[0], len(y))
    values = [_of_single_columns(columns, target, weight, is_number=is_number).min() for target in of_each]
    # Ranks of numbers, since a few wild targets hide a relation.
    together = np.apply_along_axis(rankdata, 0, targets) if is_number else 1.0 * (targets == np.unique(targets))
    return min(values) * columns.shape[1] * len(values) < 0.01 or _of_all_columns(columns, together, weight) < 0.01


def _row_weights(x: Any, n_rows: int) -> np.ndarray:
    """Weights of the rows, (n_rows, 1), whose sum is the number of rows of equal weight that would say as much."""
    given = x.get("sample_weight") if isinstance(x, dict) else None
    if given is None:
        return np.ones((n_rows, 1))
    weight = given.detach().cpu().double().numpy().reshape(-1, 1)
    return weight * (weight.sum() / np.square(weight).sum()) if weight.any() else np.ones((n_rows, 1))


def _of_single_columns(columns: np.ndarray, target: np.ndarray, weight: np.ndarray, *, is_number: bool) -> np.ndarray:
    """P values of F tests of each column: of its correlation with numbers, or of its means within classes."""
    from scipy.stats import f

    n = weight.sum()
    centred = columns - (weight * columns).sum(0) / n
    total = (weight * np.square(centred)).sum(0)
    if is_number:
        y = target.astype(float)[:, None]
        y = y - (weight * y).sum() / n
        explained = np.square((weight * centred * y).sum(0)) / max((weight * y * y).sum(), 1e-300)
        n_free = 1
    else:
        is_class = (target[:, None] == np.unique(target)).astype(float)
        of_class = (weight * is_class).sum(0)
        is_class, of_class = is_class[:, of_class > 0], of_class[of_class > 0]
        explained = (np.square(is_class.T @ (weight * centred)) / of_class[:, None]).sum(0)
        n_free = len(of_class) - 1
    left = n - n_free - 1
    if n_free < 1 or left < 1:
        return np.ones(1)
    share = np.clip(explained / np.maximum(total, 1e-300), 0.0, 1 - 1e-12)  # 1 if the column determines the target
    return f.sf(share / n_free / ((1 - share) / left), n_free, left)


def _of_all_columns(columns: np.ndarray, targets: np.ndarray, weight: np.ndarray) -> float:
    """The smallest p value of F tests of a linear function of all columns for each target, times the number of targets.

    1 if there are too many columns.
    """
    from scipy.stats import f

    n, d = weight.sum(), columns.shape[1]
    left = n - d - 1
    if left < 2 * d + 10:
        return 1.0
    root = np.sqrt(weight)
    targets = targets - (weight * targets).sum(0) / n
    targets = root * targets[:, targets.any(0)]
    basis, _ = np.linalg.qr(root * (columns - (weight * columns).sum(0) / n))
    explained = np.square(basis.T @ targets).sum(0) / np.maximum(np.square(targets).sum(0), 1e-300)
    ratio = explained / d / (np.maximum(1 - explained, 1e-12) / left)
    return float(f.sf(ratio, d, left).min(initial=1.0)) * max(1, targets.shape[1])
