"""What a network has to beat: the best constant guess, and the best linear one, under the user's own loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .look import Look, first_tensor, some_rows

__all__ = ["Constant", "best_constant", "is_related", "linear_skill"]

# What turns a free number into one that the loss can take, where the network ends in it.
_LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda raw: raw.softmax(-1),
    "log_softmax": lambda raw: raw.log_softmax(-1),
    "sigmoid": torch.sigmoid,
    "logsigmoid": torch.nn.functional.logsigmoid,
}
_MAX_ROWS = 5000
_MAX_COLUMNS = 2000
_ROWS_FOR_LINEAR = 1500


@dataclass
class Constant:
    """The best constant guess.

    Attributes
    ----------
    value : Tensor of shape (width,)
        Raw scores.
    loss : float
        Over all rows asked; NaN where nothing can be learned, since all targets are equal.
    is_bounded : bool
        Whether the loss has a minimum among constants.
    start : float
        What a network has before it learns: this loss, or that of raw scores of zero, where these are a sensible
        start. They are not where targets are far from zero.
    """

    value: Tensor
    loss: float
    is_bounded: bool
    start: float = math.nan

    def skill(self, loss: float) -> float:
        """1 - loss / loss of the constant; of a loss that may be negative, its gain in units of the constant's."""
        if not math.isfinite(self.loss) or self.loss == 0:
            return math.nan
        if not math.isfinite(loss):
            return -math.inf
        return (self.loss - loss) / abs(self.loss)


def _minimum(loss_of: Callable[[list[Tensor]], Tensor], start: list[Tensor], n_steps: int) -> float:
    """Minimise over tensors in place by L-BFGS; the least loss met."""
    variables = [tensor.requires_grad_() for tensor in start]
    optimizer = torch.optim.LBFGS(variables, max_iter=n_steps, line_search_fn="strong_wolfe", tolerance_change=1e-7)
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


def best_constant(net: Any, look: Look, rows: tuple[Any, Any], dataset: Any = None) -> Constant:
    """The best constant output of a network under its loss, by L-BFGS on one vector of raw scores.

    Parameters
    ----------
    net : skorch net
    look : Look
        At these rows, for the form of the output.
    rows : inputs and targets
    dataset : Rows or other
        Resident rows give more targets than `rows`, so that rare classes are weighed rightly.
    """
    x, y = rows
    if hasattr(dataset, "take"):
        step = max(1, len(dataset) // _MAX_ROWS)
        y = dataset.targets[::step]
        x = {} if dataset.weight is None else {"sample_weight": dataset.weight[::step]}
    width = look.raw.shape[-1] if look.raw.ndim > 1 else 1
    value = torch.zeros(width, device=look.raw.device)
    if isinstance(y, Tensor) and bool((y == y[:1]).all()):
        return Constant(value, math.nan, True)
    shape = (len(y), *look.raw.shape[1:])
    link = _LINKS.get(look.last)

    def loss_of(variables: list[Tensor]) -> Tensor:
        raw = variables[0] if link is None else link(variables[0])
        return net.get_loss(raw.expand(shape), y, X=x, training=False)

    starts = [value]
    if isinstance(y, Tensor) and y.is_floating_point() and y.shape == shape and link is None:
        starts.append(y.reshape(-1, width).mean(0))
    with torch.no_grad():
        first = [loss_of([start]).item() for start in starts]
    best = starts[int(np.nanargmin(first))] if not all(map(math.isnan, first)) else value
    loss = _minimum(loss_of, [best], 20)
    size = 1 + abs(min(first))
    is_bounded = math.isfinite(loss) and loss > -10 * size and bool(best.detach().abs().max() < 1e6 * size)
    if not is_bounded:
        return Constant(best.detach(), math.nan, False)
    near_zero = isinstance(y, Tensor) and (not y.is_floating_point() or bool(y.abs().max() <= 1))
    return Constant(best.detach(), loss, True, max(loss, first[0]) if near_zero else loss)


def linear_skill(net: Any, look: Look, dataset: Any, constant: Constant) -> float:
    """Skill of a linear guess from the standardised inputs: fitted on every other row, judged on those between."""
    rows = some_rows(net, dataset, _ROWS_FOR_LINEAR)
    if rows is None or look.raw.ndim > 2 or math.isnan(constant.loss):
        return 0.0
    x, y = rows
    table = _columns(x)
    if table is None or len(table) < 40:
        return 0.0
    link = _LINKS.get(look.last)
    width = len(constant.value)
    weights = [constant.value.clone(), torch.zeros(table.shape[1], width, device=table.device)]

    def loss_on(part: slice, variables: list[Tensor], penalty: float) -> Tensor:
        raw = variables[0] + table[part] @ variables[1]
        raw = (raw if link is None else link(raw)).reshape(-1, *look.raw.shape[1:])
        inputs = {name: v[part] for name, v in x.items() if v is not None} if isinstance(x, dict) else x
        loss = net.get_loss(raw, y[part], X=inputs, training=False)
        return loss + penalty * variables[1].square().sum()

    fitted, held_out = slice(0, None, 2), slice(1, None, 2)
    with torch.no_grad():
        constant_here = loss_on(held_out, weights, 0.0).item()
    best = 0.0
    for penalty in (0.03, 0.001):  # few rows for the columns there are want more of it
        trial = [w.detach().clone() for w in weights]
        _minimum(lambda v, p=penalty: loss_on(fitted, v, p * abs(constant.loss)), trial, 30)
        with torch.no_grad():
            gain = constant_here - loss_on(held_out, trial, 0.0).item()
        if math.isfinite(gain) and constant_here:
            best = max(best, gain / abs(constant_here))
    return best


def _columns(x: Any) -> Tensor | None:
    """Inputs as standardised columns without constant ones, (n_rows, n_columns)."""
    table = first_tensor(x).detach()
    if not table.is_floating_point() or not table.numel():
        return None
    table = table.reshape(len(table), -1).double()
    if table.shape[1] > _MAX_COLUMNS or not bool(torch.isfinite(table).all()):
        return None
    table = table - table.mean(0)
    spread = table.std(0, correction=0)
    table = table[:, spread > 0] / spread[spread > 0]
    return table.float() if table.shape[1] else None


def is_related(rows: tuple[Any, Any] | None) -> bool:
    """Whether any column is related to the target, by F tests at a level of 1 % for all columns together.

    True where it cannot be told.
    """
    from sklearn.feature_selection import f_classif, f_regression

    if rows is None:
        return True
    x, y = rows
    table = _columns(x)
    has_codes = isinstance(x, dict) and "x_cat" in x
    if (table is None and not has_codes) or not isinstance(y, Tensor):
        return True
    parts = [] if table is None else [table.cpu().numpy()]
    if has_codes:
        codes = x["x_cat"].cpu().numpy()
        parts += [codes[:, [i]] == np.unique(codes[:, i])[:20] for i in range(codes.shape[1])]
    columns = np.concatenate(parts, axis=1)
    columns = columns[:, columns.std(axis=0) > 0]
    targets = y.cpu().numpy().reshape(len(y), -1)
    values = []
    for target in targets.T:
        test = f_regression if targets.dtype.kind == "f" else f_classif
        if len(np.unique(target)) > 1:
            values.append(np.nanmin(test(columns, target)[1]))
    return bool(values) and min(values) * columns.shape[1] * len(values) < 0.01
