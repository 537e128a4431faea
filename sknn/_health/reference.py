"""What a network has to beat: the best constant guess and simple models, under the user's own loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .dominance import far_from_others, few_rows_decide, is_squared, logarithms
from .inspection import Inspection
from .recorder import first_tensor
from .sampling import RowSource

__all__ = ["ROWS_FOR_MODEL", "Constant", "best_constant", "is_related", "judge_held_out", "minimum", "skill_of_model"]

# A network that ends in one of these gives the loss numbers of a limited range; so must its constant guess.
_LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda raw: raw.softmax(-1),
    "log_softmax": lambda raw: raw.log_softmax(-1),
    "sigmoid": torch.sigmoid,
    "logsigmoid": torch.nn.functional.logsigmoid,
}
_MAX_ROWS = 2000
_MAX_COLUMNS = 2000
ROWS_FOR_MODEL = 1500
# Cosines of random projections, and the standard deviation of the projected rows in radians.
_N_RANDOM_FEATURES, _FREQUENCY = 256, 1.0
_MOST_CODES = 20
# Of texts: the most codes that are columns, and the fewest rows with such a code.
_MOST_WORDS, _FEWEST_ROWS_OF_WORD = 500, 5


@dataclass
class Constant:
    """The best constant guess."""

    value: Tensor  # raw scores, (width,)
    loss: float  # over all rows asked; NaN where all targets are equal, or a few wild ones decide the loss
    is_bounded: bool  # whether the loss has a minimum among constants
    # Loss of a network before it learns: this one, or that of raw scores of zero, unless targets are far from zero.
    start: float = math.nan
    # Loss over held-out rows, which may vary more or less than those of the training; NaN without such rows.
    held_out: float = math.nan
    # Loss over the inspected rows, which are few.
    inspected: float = math.nan
    few_rows_decide: bool = False  # `loss` is NaN since it is the sum of a few wild targets and little else
    # Of counts: loss of outputs that are equal to the targets, over all rows, held-out ones and inspected ones.
    least: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def skill(self, loss: float, *, held_out: bool = False, inspected: bool = False) -> float:
        """1 - loss / loss of the constant; of a loss that may be negative, its gain in units of the constant's.

        Of counts, the part of the loss that exact outputs have, too, does not count.
        """
        own, least = self.loss, self.least[0]
        rows = 1 if held_out else 2 if inspected else 0
        of_rows = (self.loss, self.held_out, self.inspected)[rows]
        if math.isfinite(own) and math.isfinite(of_rows) and of_rows:
            own, least = of_rows, self.least[rows]
        if not math.isfinite(own) or own == 0:
            return math.nan
        if not math.isfinite(loss):
            return -math.inf
        return (own - loss) / (own - least if least and own > least else abs(own))


def minimum(loss_of: Callable[[list[Tensor]], Tensor], start: list[Tensor], n_steps: int) -> float:
    """Minimise over tensors in place by L-BFGS; the least loss met."""
    variables = [tensor.requires_grad_() for tensor in start]
    optimizer = torch.optim.LBFGS(
        variables, max_iter=n_steps, line_search_fn="strong_wolfe", tolerance_grad=1e-6, tolerance_change=1e-7
    )
    least = [math.inf]

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(variables)
        loss.backward()
        least[0] = min(least[0], loss.item())
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    return least[0]


def _linked(inspection: Inspection, raw: Tensor) -> Tensor:
    """Unbounded numbers in the range that the loss is given, by the last operation of the network."""
    link = _LINKS.get(inspection.last)
    return raw if link is None else link(raw)


def best_constant(net: Any, inspection: Inspection, rows: tuple[Any, Any], source: RowSource) -> Constant:
    """The best constant output of a network under its loss, by L-BFGS on one vector of raw scores.

    A source of resident rows gives more targets than `rows`, so that the shares of rare classes are accurate.
    """
    x, y = source.targets(_MAX_ROWS) or rows
    width = inspection.raw.shape[-1] if inspection.raw.ndim > 1 else 1
    value = inspection.raw.new_zeros(width, dtype=torch.float32)
    if (
        isinstance(y, Tensor)
        and not y.is_floating_point()
        and inspection.raw.ndim > 2
        and y.ndim == inspection.raw.ndim - 1
    ):
        width = inspection.raw.shape[1]  # classes come first, as in image segmentation
        value = inspection.raw.new_zeros(width, *[1] * (inspection.raw.ndim - 2), dtype=torch.float32)
    if isinstance(y, Tensor) and bool((y == y[:1]).all()):
        return Constant(value, math.nan, True)
    shape = (len(y), *inspection.raw.shape[1:])

    def loss_of(variables: list[Tensor]) -> Tensor:
        return net.get_loss(_linked(inspection, variables[0]).expand(shape), y, X=x, training=False)

    starts = [value]
    if isinstance(y, Tensor) and y.is_floating_point() and y.shape == shape and inspection.last not in _LINKS:
        mean = y.reshape(-1, width).mean(0)
        starts += [mean, mean.log()] if bool((mean > 0).all()) else [mean]  # counts under a link
    elif isinstance(y, Tensor) and not y.is_floating_point() and y.ndim == 1 and width > 1 and int(y.max()) < width:
        starts.append(torch.bincount(y, minlength=width).clamp(min=0.5).div(len(y)).log().to(value.device))
    with torch.no_grad():
        first = [loss_of([start]).item() for start in starts]
    lowest = int(np.nanargmin(first)) if not all(map(math.isnan, first)) else 0
    best = _downhill(loss_of, starts[lowest].detach(), first[lowest])
    loss = minimum(loss_of, [best], 20)
    if few_rows_decide(net, inspection, _linked, best.detach(), source):
        return Constant(best.detach(), math.nan, True, few_rows_decide=True)
    size = 1 + abs(min(first))
    is_bounded = math.isfinite(loss) and loss > -10 * size and bool(best.detach().abs().max() < 1e6 * size)
    if not is_bounded and not _turns_up(loss_of, starts[lowest].detach(), best.detach()):
        return Constant(best.detach(), math.nan, False)
    near_zero = isinstance(y, Tensor) and (not y.is_floating_point() or bool(y.abs().max() <= 1))
    constant = Constant(best.detach(), loss, True, max(loss, first[0]) if near_zero else loss)
    constant.inspected = _loss_of_constant(net, inspection, constant, *rows)
    constant.least = _least_of_counts(net, inspection, x, y), 0.0, _least_of_counts(net, inspection, *rows)
    return constant


@torch.no_grad()
def _turns_up(loss_of: Callable[[list[Tensor]], Tensor], start: Tensor, best: Tensor) -> bool:
    """Whether the loss rises beyond its minimum: a large negative loss, as that of large counts, may have one."""
    least = loss_of([best]).item()
    beyond = [loss_of([best + factor * (best - start)]).item() for factor in (0.5, 1.0, 4.0)]
    return math.isfinite(least) and bool((best != start).any()) and all(loss > least for loss in beyond)


@torch.no_grad()
def _loss_of_constant(net: Any, inspection: Inspection, constant: Constant, x: Any, y: Any) -> float:
    """Loss of the constant guess over other rows."""
    raw = _linked(inspection, constant.value)
    return net.get_loss(raw.expand(len(y), *inspection.raw.shape[1:]), y, X=x, training=False).item()


@torch.no_grad()
def _least_of_counts(net: Any, inspection: Inspection, x: Any, y: Any) -> float:
    """Loss of outputs whose exponential is the target; 0 under a loss without such a link."""
    exact = logarithms(net, inspection, x, y)
    return 0.0 if exact is None else net.get_loss(exact, y, X=x, training=False).item()


@torch.no_grad()
def _downhill(loss_of: Callable[[list[Tensor]], Tensor], value: Tensor, loss: float) -> Tensor:
    """The value itself, or one beside it with a lower loss: gradient descent cannot leave a maximum."""
    beside = [value, value + 0.1 * (1 + value.abs()), value - 0.1 * (1 + value.abs())]
    losses = [loss, *(loss_of([v]).item() for v in beside[1:])]
    return beside[int(np.nanargmin(losses))] if not math.isnan(loss) else value


@torch.no_grad()
def judge_held_out(net: Any, inspection: Inspection, constant: Constant, source: RowSource) -> None:
    """Learn the loss of the best constant guess on held-out rows; nothing is judged if a few wild targets decide it."""
    if not constant.is_bounded or not source.n_rows:
        return
    rows = source.targets(source.n_rows) or source.some(_MAX_ROWS)
    if rows is None:
        return
    x, y = rows
    has_wild = far_from_others(y) is not None and is_squared(net, inspection, constant.value, y, x)
    if has_wild or few_rows_decide(net, inspection, _linked, constant.value, source):
        constant.loss, constant.few_rows_decide = math.nan, True
        return
    constant.held_out = _loss_of_constant(net, inspection, constant, x, y)
    constant.least = constant.least[0], _least_of_counts(net, inspection, x, y), constant.least[2]


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
    weights = [constant.value.clone(), table.new_zeros(table.shape[1], width, dtype=torch.float32)]

    def loss_on(part: slice, variables: list[Tensor], penalty: float) -> Tensor:
        raw = _linked(inspection, variables[0] + table[part] @ variables[1]).reshape(-1, *inspection.raw.shape[1:])
        inputs = {name: v[part] for name, v in x.items() if v is not None} if isinstance(x, dict) else x
        loss = net.get_loss(raw, y[part], X=inputs, training=False)
        return loss + penalty * variables[1].square().sum()

    fitted, held_out = slice(0, None, 2), slice(1, None, 2)
    with torch.no_grad():
        constant_here = loss_on(held_out, weights, 0.0).item()
    best = 0.0
    for penalty in (0.03, 0.001):  # few rows for the number of columns need the larger one
        trial = [w.detach().clone() for w in weights]
        minimum(lambda v, p=penalty: loss_on(fitted, v, p * abs(constant.loss)), trial, 30)
        with torch.no_grad():
            gain = constant_here - loss_on(held_out, trial, 0.0).item()
        if math.isfinite(gain) and constant_here:
            best = max(best, gain / abs(constant_here))
    return best


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
    return table if table.shape[1] else None


def _words(codes: Tensor) -> list[Tensor]:
    """Whether each row of codes contains one of the usual ones, (n_rows, n_codes); empty if there are none."""
    row = torch.arange(len(codes), device=codes.device).unsqueeze(1).expand_as(codes)
    pairs = torch.stack([codes.flatten(), row.flatten()], dim=1).unique(dim=0)
    values, counts = pairs[:, 0].unique(return_counts=True)
    is_usual = (counts >= _FEWEST_ROWS_OF_WORD) & (counts <= len(codes) - _FEWEST_ROWS_OF_WORD)
    usual = values[is_usual][counts[is_usual].argsort(descending=True, stable=True)[:_MOST_WORDS]]
    if not len(usual):
        return []
    order = usual.sort().values
    place = torch.searchsorted(order, pairs[:, 0]).clamp(max=len(order) - 1)
    found = order[place] == pairs[:, 0]
    table = torch.zeros(len(codes), len(order), device=codes.device)
    table[pairs[found, 1], place[found]] = 1.0
    return [table]


def is_related(rows: tuple[Any, Any] | None) -> bool:
    """Whether a column, or a linear function of all, is related to the target, by F tests at a level of 1 % each.

    True if it cannot be tested.
    """
    from scipy.stats import rankdata
    from sklearn.feature_selection import f_classif, f_regression

    table = None if rows is None else _columns(rows[0])
    if rows is None or table is None or not isinstance(rows[1], Tensor):
        return True
    columns, y = table.cpu().numpy(), rows[1]
    targets = y.cpu().numpy().reshape(len(y), -1)
    values = []
    for target in targets.T:
        if len(np.unique(target)) < 2:
            continue
        test = f_regression if targets.dtype.kind == "f" else f_classif
        with np.errstate(all="ignore"):
            # A column that determines the target exactly has no variance within the classes: NaN.
            values.append(np.nan_to_num(test(columns, target)[1], nan=0.0).min())
    if not values:
        return False
    if targets.dtype.kind == "f":
        together = np.apply_along_axis(rankdata, 0, targets)  # ranks, since a few wild targets hide a relation
    else:
        together = (targets == np.unique(targets)).astype(float)
    return min(values) * columns.shape[1] * len(values) < 0.01 or _of_all_columns(columns, together) < 0.01


def _of_all_columns(columns: np.ndarray, targets: np.ndarray) -> float:
    """The smallest p value of F tests of a linear function of all columns for each target, times the number of targets.

    1 if there are too many columns.
    """
    from scipy.stats import f

    n, d = columns.shape
    left = n - d - 1
    if left < 2 * d + 10:
        return 1.0
    targets = targets - targets.mean(0)
    targets = targets[:, targets.any(0)]
    basis, _ = np.linalg.qr(columns - columns.mean(0))
    explained = np.square(basis.T @ targets).sum(0) / np.maximum(np.square(targets).sum(0), 1e-300)
    ratio = explained / d / (np.maximum(1 - explained, 1e-12) / left)
    return float(f.sf(ratio, d, left).min(initial=1.0)) * max(1, targets.shape[1])
