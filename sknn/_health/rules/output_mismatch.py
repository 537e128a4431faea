"""Rule: the outputs of the network do not fit the loss."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor

from ..evidence import Evidence
from ..inspection import Inspection
from ..record import Finding
from ..reference import minimum

__all__ = ["output_mismatch"]

# Loss that bounded outputs cost, as a share of what can be learned.
_CLEAR_COST = 0.08


def output_mismatch(e: Evidence, ended: bool) -> Finding | None:
    """Shapes that the loss broadcasts, or outputs in a range in which the loss cannot become small."""
    if e.rows is None or e.constant is None or not isinstance(e.rows[1], Tensor):
        return None
    x, y = e.rows
    broadcast = None if e.checks_shapes else _broadcast(e.net, e.inspections[0].raw, x, y)
    return broadcast or _limited(e, e.inspections[0], x, y, e.constant.loss)


def _broadcast(net: Any, raw: Tensor, x: Any, y: Tensor) -> Finding | None:
    """(n, 1) with (n,), or with (n, 3): torch broadcasts the one to the shape of the other."""
    if not y.is_floating_point() or raw.shape == y.shape or len(y) < 2:
        return None
    try:
        together = torch.broadcast_shapes(raw.shape, y.shape)
    except RuntimeError:
        return None
    if math.prod(together) <= y.numel() or not _is_broadcast(net, x, raw, y, together):
        return None
    return Finding(
        "output_mismatch",
        None,
        0,
        f"the network returns shape {_shape(raw.shape)} and y has {_shape(y.shape)}; the loss broadcasts both to "
        f"{_shape(together, len(y))}, and compares outputs with targets of other rows or columns.",
        f"{f'y.reshape{(-1, *raw.shape[1:])}, or ' if raw.numel() == y.numel() else ''}a module that returns "
        f"{_shape(y.shape)}.",
    )


def _shape(shape: torch.Size, n_rows: int | None = None) -> str:
    """The shape, with "n" for the number of rows."""
    n_rows = shape[0] if n_rows is None else n_rows
    sizes = ["n" if size == n_rows and size > 1 else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _is_broadcast(net: Any, x: Any, raw: Tensor, y: Tensor, together: torch.Size) -> bool:
    """Whether the loss broadcasts: it is the same for expanded tensors, and for outputs in reverse order.

    Some losses use several outputs in different ways, such as a mean and a variance.
    """
    pairs = [(raw, y), (raw.expand(together), y.expand(together)), (raw.flip(-1) if raw.ndim > 1 else raw, y)]
    losses = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for outputs, targets in pairs:
            try:
                losses.append(net.get_loss(outputs, targets, X=x, training=False).item())
            except (RuntimeError, ValueError, IndexError):
                return False
    return all(math.isclose(loss, losses[0], rel_tol=1e-4) for loss in losses)


def _limited(e: Evidence, inspection: Inspection, x: Any, y: Tensor, constant_loss: float) -> Finding | None:
    """Bounded outputs, where the loss needs a larger range."""
    low, high = inspection.bounds
    if (low, high) == (-math.inf, math.inf) or not math.isfinite(constant_loss):
        return None
    reached = _least_loss(e.net, inspection.raw, x, y, low, high)
    if reached is None:
        return None
    limited, free = reached
    if high == 1 and limited < 0.05 * constant_loss:  # probabilities, which the loss expects
        return None
    cost = (limited - free) / max(constant_loss - free, 1e-12)
    halved = (
        low == 0
        and math.isinf(high)
        and not y.is_floating_point()
        and inspection.raw.ndim > 1
        and inspection.raw.shape[1] > 1
    )
    if cost <= _CLEAR_COST and not (halved and free < 0.1 * constant_loss):
        return None
    last, bounds = inspection.last, f"[{low:g}, {high:g}]"
    if y.is_floating_point() and (last not in ("softmax", "sigmoid") or y.unique().numel() > 2):
        outside = float(((y < low) | (y > high)).float().mean())
        evidence = (
            f"{last} is the last operation, so outputs lie in {bounds}, but {outside:.0%} of the targets, as "
            f"given to the loss, do not: the loss cannot fall below {limited:.3g}, where {free:.3g} is possible."
        )
        remedy = f"a module that ends without {last}."
    else:
        evidence = (
            f"{last} is the last operation of the network, and {e.loss_name} expects raw scores: it applies its "
            f"own link. With outputs in {bounds} the loss cannot fall below {limited:.3g}; a constant guess has "
            f"{constant_loss:.3g}."
        )
        remedy = f"a module that returns raw scores, without {last} at its end, or a loss that fits its outputs."
    return Finding("output_mismatch", None, 0, evidence, remedy)


@torch.no_grad()
def _least_loss(net: Any, raw: Tensor, x: Any, y: Tensor, low: float, high: float) -> tuple[float, float] | None:
    """The smallest loss of outputs in the bounds, and without bounds; None if the best outputs are not known.

    With probabilities, or their logarithms, a loss that expects these can reach its minimum; one that applies its own
    link cannot.
    """
    right = _signs_of_right_scores(net, x, y, raw)
    if right is None:
        return _least_of_numbers(net, x, y, low, high) if y.is_floating_point() and y.shape == raw.shape else None

    def least(low: float, high: float) -> float:
        losses = []
        for size in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0):
            outputs = (size * right).to(raw.dtype).clamp(low, high)
            if low > -1 and not math.isinf(low):  # bounded below: scores of wrong classes at the bound
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


def _signs_of_right_scores(net: Any, x: Any, y: Tensor, raw: Tensor) -> Tensor | None:
    """1 where a raw score should be large and -1 where small, in the shape of `raw`; None for other targets."""
    if y.is_floating_point():
        is_binary = y.shape == raw.shape and bool(((y == 0) | (y == 1)).all())
        return 2.0 * y - 1.0 if is_binary and _is_link_loss(net, x, y, raw) else None
    if raw.ndim < 2 or y.ndim != 1:
        return None
    if raw.shape[-1] == 1:
        return (2.0 * y - 1.0).unsqueeze(1) if int(y.max()) <= 1 else None
    if raw.ndim > 2 or int(y.max()) >= raw.shape[1]:
        return None
    return 2.0 * torch.nn.functional.one_hot(y, raw.shape[1]) - 1.0


def _is_link_loss(net: Any, x: Any, y: Tensor, raw: Tensor) -> bool:
    """Whether targets of zeros and ones are predicted by raw scores: outputs equal to them are not the best."""
    exact = net.get_loss(y.to(raw.dtype), y, X=x, training=False).item()
    beyond = net.get_loss((16.0 * (2.0 * y - 1.0)).to(raw.dtype), y, X=x, training=False).item()
    return math.isfinite(beyond) and beyond < exact


def _least_of_numbers(net: Any, x: Any, y: Tensor, low: float, high: float) -> tuple[float, float] | None:
    exact = net.get_loss(y, y, X=x, training=False).item()
    limited = net.get_loss(y.clamp(low, high), y, X=x, training=False).item()
    at_zero = net.get_loss(torch.zeros_like(y), y, X=x, training=False).item()
    # The loss is smallest at the target itself.
    if all(map(math.isfinite, (exact, limited, at_zero))) and exact <= min(limited, at_zero):
        return limited, exact
    return _least_by_descent(net, x, y, low, high)


def _least_by_descent(net: Any, x: Any, y: Tensor, low: float, high: float) -> tuple[float, float] | None:
    """The same by L-BFGS on the outputs of each row, for example for a loss with a link."""
    start = y.clamp(low, high).clamp(-1, 1).clamp(low, high)
    least = []
    for bounds in ((low, high), (-math.inf, math.inf)):
        loss = minimum(lambda v, b=bounds: net.get_loss(v[0].clamp(*b), y, X=x, training=False), [start.clone()], 50)
        least.append(loss)
    limited, free = least
    return (limited, free) if all(map(math.isfinite, least)) and free > -1e6 * (1 + abs(limited)) else None
