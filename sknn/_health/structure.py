"""Rules about how network, loss and inputs are put together."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .evidence import Evidence
from .look import FirstLayer, Look, first_tensor
from .observer import column_name
from .record import Finding

__all__ = ["input_scale", "is_out_of_scale", "output_mismatch", "symmetric_init"]

# Loss that limited outputs cost, as a share of what there is to learn.
_CLEAR_COST = 0.08
_TOO_LARGE, _TOO_SMALL = 30.0, 1e-2
_BEYOND_ALL_BOUNDS = 1e3
# One column's share of the variance, and how far its spread is beyond that of the median column.
_DOMINATES, _FAR_BEYOND = 0.99, 20.0


def output_mismatch(net: Any, look: Look, rows: tuple[Any, Any], constant_loss: float) -> Finding | None:
    """The last operation of the network and the loss do not belong together."""
    _, y = rows
    if not isinstance(y, Tensor):
        return None
    return _broadcast(net, look, y) or _limited(net, look, rows, constant_loss)


def _broadcast(net: Any, look: Look, y: Tensor) -> Finding | None:
    """(n, 1) against (n,): torch compares each row with each other."""
    raw = look.raw
    if not y.is_floating_point() or raw.shape == y.shape or raw.numel() != y.numel() or len(y) < 2:
        return None
    try:
        together = torch.broadcast_shapes(raw.shape, y.shape)
    except RuntimeError:
        return None
    if math.prod(together) <= raw.numel() or hasattr(net, "flat_parameters"):  # the estimators' losses check shapes
        return None
    return Finding(
        "output_mismatch",
        None,
        0,
        f"the network returns shape {tuple(raw.shape)} and y has {tuple(y.shape)}; the loss compares every row with "
        f"every other, {tuple(together)}.",
        f"y.reshape{tuple(raw.shape)}, or a module that returns {tuple(y.shape)}.",
    )


def _limited(net: Any, look: Look, rows: tuple[Any, Any], constant_loss: float) -> Finding | None:
    """Outputs that are limited where the loss needs more."""
    low, high = look.bounds
    if (low, high) == (-math.inf, math.inf) or not math.isfinite(constant_loss):
        return None
    x, y = rows
    reached = _least_loss(net, look, x, y, low, high)
    if reached is None:
        return None
    limited, free = reached
    if high == 1 and limited < 0.05 * constant_loss:  # probabilities, which the loss expects
        return None
    cost = (limited - free) / max(constant_loss - free, 1e-12)
    halved = low == 0 and math.isinf(high) and not y.is_floating_point() and look.raw.ndim > 1 and look.raw.shape[1] > 1
    if cost <= _CLEAR_COST and not (halved and free < 0.1 * constant_loss):
        return None
    name = type(getattr(net.criterion_, "module", net.criterion_)).__name__
    bounds = f"[{low:g}, {high:g}]"
    if (y.is_floating_point() and look.last not in ("softmax", "sigmoid")) or (
        y.is_floating_point() and y.unique().numel() > 2
    ):
        outside = float(((y < low) | (y > high)).float().mean())
        evidence = (
            f"{look.last} is the last operation, so outputs lie in {bounds}, but {outside:.0%} of the targets, as the "
            f"loss sees them, do not: the loss cannot fall below {limited:.3g}, where {free:.3g} is possible."
        )
        remedy = f"a module that ends without {look.last}."
    else:
        evidence = (
            f"{look.last} is the last operation of the network, and {name} expects raw scores: it applies its own "
            "link. "
            f"With outputs in {bounds} the loss cannot fall below {limited:.3g}; a constant guess has "
            f"{constant_loss:.3g}."
        )
        remedy = (
            f"a module that returns raw scores, without {look.last} at its end, or a loss that expects what it gives."
        )
    return Finding("output_mismatch", None, 0, evidence, remedy)


@torch.no_grad()
def _least_loss(net: Any, look: Look, x: Any, y: Tensor, low: float, high: float) -> tuple[float, float] | None:
    """The least loss with outputs in the bounds, and without bounds; None where the best outputs are not known.

    With probabilities, or their logarithms, a loss that expects these is as low as can be; one that applies its own
    link is not.
    """
    raw = look.raw
    if not y.is_floating_point():
        if raw.ndim < 2 or raw.shape[-1] < 2 or raw.ndim != 2 or y.ndim != 1 or int(y.max()) >= raw.shape[1]:
            if raw.ndim > 1 and raw.shape[-1] == 1 and y.ndim == 1 and int(y.max()) <= 1:
                right = (2.0 * y - 1.0).unsqueeze(1)
            else:
                return None
        else:
            right = 2.0 * torch.nn.functional.one_hot(y, raw.shape[1]) - 1.0
    elif (
        y.unique().numel() <= 2
        and bool(((y == 0) | (y == 1)).all())
        and y.shape == raw.shape
        and _is_link_loss(net, x, y, raw)
    ):
        right = 2.0 * y - 1.0
    elif y.shape == raw.shape:
        return _least_of_numbers(net, x, y, low, high)
    else:
        return None

    def least(low: float, high: float) -> float:
        losses = []
        for size in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0):
            outputs = (size * right).to(raw.dtype).clamp(low, high)
            if low > -1 and not math.isinf(low):  # bounded below: the wrong ones at the bound
                outputs = torch.where(
                    right > 0, torch.full_like(outputs, min(high, max(low, size))), torch.full_like(outputs, low)
                )
            loss = net.get_loss(outputs, y, X=x, training=False).item()
            if math.isfinite(loss):
                losses.append(loss)
        return min(losses, default=math.nan)

    limited = least(low, high)
    free = min(least(-math.inf, math.inf), limited) if high > 0 else limited
    return (limited, free) if math.isfinite(limited) else None


def _is_link_loss(net: Any, x: Any, y: Tensor, raw: Tensor) -> bool:
    """Whether targets of zeros and ones are told by raw scores: outputs that equal them are not the best."""
    exact = net.get_loss(y.to(raw.dtype), y, X=x, training=False).item()
    beyond = net.get_loss((16.0 * (2.0 * y - 1.0)).to(raw.dtype), y, X=x, training=False).item()
    return math.isfinite(beyond) and beyond < exact


def _least_of_numbers(net: Any, x: Any, y: Tensor, low: float, high: float) -> tuple[float, float] | None:
    exact = net.get_loss(y, y, X=x, training=False).item()
    limited = net.get_loss(y.clamp(low, high), y, X=x, training=False).item()
    at_zero = net.get_loss(torch.zeros_like(y), y, X=x, training=False).item()
    # Only where the loss is least at the target itself: no log link, no quantile far off.
    if not all(map(math.isfinite, (exact, limited, at_zero))) or exact > min(limited, at_zero):
        return None
    return limited, exact


def symmetric_init(e: Evidence, ended: bool) -> Finding | None:
    """All units of a hidden layer identical, before the first step and still after an epoch and a hundred steps."""
    if e.n_steps < (5 if ended else 100):
        return None
    layers = e.symmetric.still_symmetric()
    if not layers:
        return None
    return Finding(
        "symmetric_init",
        layers[0],
        e.n_epochs,
        f"all units of {', '.join(layers)} are identical, before the first step and after {e.n_steps} steps: they get "
        "the same gradient, so the layer counts as one unit.",
        "random initial weights in the module, as torch.nn.init.kaiming_uniform_ gives, instead of constant ones.",
    )


def input_scale(e: Evidence) -> Finding | None:
    """Inputs far out of scale, on a net that learns poorly; whether it had time the caller knows."""
    found = _out_of_scale(e)
    if found is None or not e.is_worse_than_linear:
        return None
    layer, evidence, factor = found
    # Nothing is lost where there is nothing to learn; what is beyond all bounds needs no such proof.
    if factor < _BEYOND_ALL_BOUNDS and e.linear_skill < 0.05 and e.skill > -0.5:
        return None
    skill = f" The network's skill is {e.skill:.3g}" + (
        f", a linear model's on scaled inputs {e.linear_skill:.3g}." if e.linear_skill > 0 else "."
    )
    remedy = "preprocessing=True, which scales every column, or a StandardScaler in front of the network."
    if e.rows is not None and first_tensor(e.rows[0]).ndim > 2:
        remedy = "standardised inputs: subtract the mean of each channel, divide by its standard deviation."
    return Finding("input_scale", layer, e.n_epochs, evidence + skill, remedy)


def is_out_of_scale(e: Evidence) -> bool:
    """Whether inputs arrive far out of scale, whatever became of it."""
    return _out_of_scale(e) is not None


def _out_of_scale(e: Evidence) -> tuple[str, str, float] | None:
    """The column or layer, what is seen, and by which factor it is out of scale."""
    first = e.looks[0].first if e.looks else None
    return None if first is None else _column_out_of_scale(first, e) or _all_out_of_scale(first, e)


def _all_out_of_scale(first: FirstLayer, e: Evidence) -> tuple[str, str, float] | None:
    is_bounded = first.operation.startswith(("rnn", "lstm", "gru"))
    is_large = first.scale > _TOO_LARGE and (is_bounded or first.output_scale > _TOO_LARGE / 3)
    if not is_large and not 0 < first.scale < _TOO_SMALL:
        return None
    factor = max(first.scale, 1 / first.scale)
    seen = (
        f"inputs arrive at {first.layer} with a root mean square of {first.scale:.3g}, and leave it with "
        f"{first.output_scale:.3g}; about 1 was expected."
    )
    if first.center is not None and is_large and len(first.center) > 1:
        position = int(first.center.abs().argmax())
        if first.center[position].square() > _DOMINATES * first.center.square().sum():
            column = column_name(e.columns, position, len(first.center))
            return column, f"{column} has a mean of {float(first.center[position]):.3g}; " + seen, factor
    return first.layer, seen, factor


def _column_out_of_scale(first: FirstLayer, e: Evidence) -> tuple[str, str, float] | None:
    spread = first.spread
    if spread is None or first.scale < 3:
        return None
    varying = spread[spread > 0].sort().values
    if len(varying) < 2:
        return None
    usual = float(varying[(len(varying) - 1) // 2])
    share = float(spread.max().square() / spread.square().sum())
    beyond = float(spread.max()) / usual
    few = int((spread > _FAR_BEYOND * usual).sum())
    if not (share > _DOMINATES or (few and few <= len(varying) // 2)) or beyond < _FAR_BEYOND:
        return None
    position = int(spread.argmax())
    column = column_name(e.columns, position, len(spread))
    seen = (
        f"{column} has a standard deviation of {float(spread.max()):.3g}, {beyond:.3g} times that of the median "
        f"column, and carries {share:.2%} of the variance of the inputs."
    )
    return column, seen, beyond
