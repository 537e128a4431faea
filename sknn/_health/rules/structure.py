"""Rules about how network and loss are put together."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor

from ..evidence import Evidence
from ..look import Look
from ..record import Finding
from ..reference import minimum

__all__ = ["output_mismatch", "symmetric_init"]

# Loss that limited outputs cost, as a share of what there is to learn.
_CLEAR_COST = 0.08


def output_mismatch(net: Any, look: Look, rows: tuple[Any, Any], constant_loss: float) -> Finding | None:
    """The last operation of the network and the loss do not belong together."""
    x, y = rows
    if not isinstance(y, Tensor):
        return None
    return _broadcast(net, look, x, y) or _limited(net, look, rows, constant_loss)


def _broadcast(net: Any, look: Look, x: Any, y: Tensor) -> Finding | None:
    """(n, 1) against (n,), or against (n, 3): torch stretches the one to the shape of the other."""
    raw = look.raw
    # The estimators' losses check shapes.
    if not y.is_floating_point() or raw.shape == y.shape or len(y) < 2 or hasattr(net, "flat_parameters"):
        return None
    try:
        together = torch.broadcast_shapes(raw.shape, y.shape)
    except RuntimeError:
        return None
    if math.prod(together) <= y.numel() or not _is_stretched(net, x, raw, y, together):
        return None
    return Finding(
        "output_mismatch",
        None,
        0,
        f"the network returns shape {_shape(raw.shape)} and y has {_shape(y.shape)}; the loss stretches both to "
        f"{_shape(together, len(y))}, and compares what does not belong together.",
        f"{f'y.reshape{(-1, *raw.shape[1:])}, or ' if raw.numel() == y.numel() else ''}a module that returns "
        f"{_shape(y.shape)}.",
    )


def _shape(shape: torch.Size, n_rows: int | None = None) -> str:
    """The shape, with "n" for the number of rows."""
    n_rows = shape[0] if n_rows is None else n_rows
    sizes = ["n" if size == n_rows and size > 1 else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _is_stretched(net: Any, x: Any, raw: Tensor, y: Tensor, together: torch.Size) -> bool:
    """Whether the loss stretches them: it is the same when they are so before, and when outputs change places.

    Some losses know what several outputs mean, such as a mean and a variance.
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
    if y.is_floating_point() and (look.last not in ("softmax", "sigmoid") or y.unique().numel() > 2):
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
    right = _signs_of_right_scores(net, x, y, raw)
    if right is None:
        return _least_of_numbers(net, x, y, low, high) if y.is_floating_point() and y.shape == raw.shape else None

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


def _signs_of_right_scores(net: Any, x: Any, y: Tensor, raw: Tensor) -> Tensor | None:
    """1 where a raw score should be large and -1 where small, in the shape of `raw`; None of other targets."""
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
    """Whether targets of zeros and ones are told by raw scores: outputs that equal them are not the best."""
    exact = net.get_loss(y.to(raw.dtype), y, X=x, training=False).item()
    beyond = net.get_loss((16.0 * (2.0 * y - 1.0)).to(raw.dtype), y, X=x, training=False).item()
    return math.isfinite(beyond) and beyond < exact


def _least_of_numbers(net: Any, x: Any, y: Tensor, low: float, high: float) -> tuple[float, float] | None:
    exact = net.get_loss(y, y, X=x, training=False).item()
    limited = net.get_loss(y.clamp(low, high), y, X=x, training=False).item()
    at_zero = net.get_loss(torch.zeros_like(y), y, X=x, training=False).item()
    # Where the loss is least at the target itself.
    if all(map(math.isfinite, (exact, limited, at_zero))) and exact <= min(limited, at_zero):
        return limited, exact
    return _least_by_descent(net, x, y, low, high)


def _least_by_descent(net: Any, x: Any, y: Tensor, low: float, high: float) -> tuple[float, float] | None:
    """Of a loss with a link, say: by L-BFGS on the outputs themselves, row by row, in the bounds and without."""
    start = y.clamp(low, high).clamp(-1, 1).clamp(low, high)
    least = []
    for bounds in ((low, high), (-math.inf, math.inf)):
        loss = minimum(lambda v, b=bounds: net.get_loss(v[0].clamp(*b), y, X=x, training=False), [start.clone()], 50)
        least.append(loss)
    limited, free = least
    return (limited, free) if all(map(math.isfinite, least)) and free > -1e6 * (1 + abs(limited)) else None


def symmetric_init(e: Evidence, ended: bool) -> Finding | None:
    """All units of a hidden layer identical, before the first step and still after an epoch and a hundred steps."""
    if e.n_steps < (5 if ended else 100):
        return None
    layers = e.symmetric.still_symmetric()
    still = f"and after {e.n_steps} steps"
    if not layers and ended and e.has_no_skill:
        # Where gradients are hardly more than rounding, Adam makes steps of it that move units apart after all.
        layers, still = e.symmetric.constant, "and only rounding has moved them apart since"
    if not layers:
        return None
    return Finding(
        "symmetric_init",
        layers[0],
        e.n_epochs,
        f"all units of {', '.join(layers)} are identical, before the first step {still}: they get the same "
        "gradient, so the layer counts as one unit.",
        "random initial weights in the module, as torch.nn.init.kaiming_uniform_ gives, instead of constant ones.",
    )
