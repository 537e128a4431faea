"""What a network has to beat: the best constant guess, under the user's own loss."""

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
from .sampling import RowSource

__all__ = ["Constant", "best_constant", "judge_held_out", "linked", "minimum"]

# A network that ends in one of these gives the loss numbers of a limited range; so must its constant guess.
_LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda raw: raw.softmax(-1),
    "log_softmax": lambda raw: raw.log_softmax(-1),
    "sigmoid": torch.sigmoid,
    "logsigmoid": torch.nn.functional.logsigmoid,
}
_MAX_ROWS = 2000
# Share of the loss of other constants that is no more than rounding, or rows that hardly count.
_NEXT_TO_NOTHING = 1e-5


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
    # Whether a constant has next to no loss, so that `loss` is NaN: no share of it says anything.
    is_perfect: bool = False
    is_guess: bool = True  # whether equal outputs for all rows are a guess under this loss; if not, `loss` is NaN
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
        if math.isfinite(of_rows) and of_rows:
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


def linked(inspection: Inspection, raw: Tensor) -> Tensor:
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
    if not getattr(net.criterion_, "has_constant_guess", True):
        return Constant(value, math.nan, True, is_guess=False)
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
        return net.get_loss(linked(inspection, variables[0]).expand(shape), y, X=x, training=False)

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
    if few_rows_decide(net, inspection, linked, best.detach(), source):
        return Constant(best.detach(), math.nan, True, few_rows_decide=True)
    size = 1 + abs(min(first))
    is_bounded = math.isfinite(loss) and loss > -10 * size and bool(best.detach().abs().max() < 1e6 * size)
    if not is_bounded and not _turns_up(loss_of, starts[lowest].detach(), best.detach()):
        return Constant(best.detach(), math.nan, False)
    if is_bounded and abs(loss) <= _NEXT_TO_NOTHING * abs(_loss_beside(loss_of, best.detach(), y, shape)):
        return Constant(best.detach(), math.nan, True, is_perfect=True)
    near_zero = isinstance(y, Tensor) and (not y.is_floating_point() or bool(y.abs().max() <= 1))
    constant = Constant(best.detach(), loss, True, max(loss, first[0]) if near_zero else loss)
    constant.inspected = _loss_of_constant(net, inspection, constant, *rows)
    constant.least = _least_of_counts(net, inspection, x, y), 0.0, _least_of_counts(net, inspection, *rows)
    return constant


@torch.no_grad()
def _loss_beside(loss_of: Callable[[list[Tensor]], Tensor], best: Tensor, y: Any, shape: tuple[int, ...]) -> float:
    """Loss of a constant beside the best one, as far away as targets are from each other; of classes, of equal ones."""
    if isinstance(y, Tensor) and y.is_floating_point() and y.shape == shape:
        # The smaller one of the two, since a link makes another unit of the raw scores.
        units = float(y.float().std(0, correction=0).mean()), 1.0
        losses = [abs(loss_of([best + sign * unit]).item()) for unit in units for sign in (1, -1)]
        known = [loss for loss in (max(losses[:2]), max(losses[2:])) if math.isfinite(loss)]
        return min(known, default=0.0)
    return abs(loss_of([torch.zeros_like(best)]).item())  # raw scores that say nothing


@torch.no_grad()
def _turns_up(loss_of: Callable[[list[Tensor]], Tensor], start: Tensor, best: Tensor) -> bool:
    """Whether the loss rises beyond its minimum: a large negative loss, as that of large counts, may have one."""
    least = loss_of([best]).item()
    beyond = [loss_of([best + factor * (best - start)]).item() for factor in (0.5, 1.0, 4.0)]
    return math.isfinite(least) and bool((best != start).any()) and all(loss > least for loss in beyond)


@torch.no_grad()
def _loss_of_constant(net: Any, inspection: Inspection, constant: Constant, x: Any, y: Any) -> float:
    """Loss of the constant guess over other rows."""
    raw = linked(inspection, constant.value)
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
    if not (constant.is_bounded and constant.is_guess) or constant.is_perfect or not source.n_rows:
        return
    rows = source.targets(source.n_rows) or source.some(_MAX_ROWS)
    if rows is None:
        return
    x, y = rows
    has_wild = far_from_others(y) is not None and is_squared(net, inspection, constant.value, y, x)
    if has_wild or few_rows_decide(net, inspection, linked, constant.value, source):
        constant.loss, constant.few_rows_decide = math.nan, True
        return
    constant.held_out = _loss_of_constant(net, inspection, constant, x, y)
    constant.least = constant.least[0], _least_of_counts(net, inspection, x, y), constant.least[2]
