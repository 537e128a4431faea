"""What to propose: parameters of the estimator, with values that are not yet in force."""

from __future__ import annotations

import math
from numbers import Real

import torch

from ..evidence import Evidence
from ..origin import Origin

__all__ = [
    "FIXED_NORM",
    "USUAL_UPDATE",
    "bounded_gradient",
    "for_overflow",
    "lower_lr",
    "suggested_lr",
    "usual_schedule",
]

# What one of the first steps usually changes of the weights.
USUAL_UPDATE = 5e-3
# What to aim at with another learning rate: the first steps may be bold.
_BOLD_UPDATE = 1e-2
# What holds even a training that diverges steadily, where the bound that follows the norms does not.
FIXED_NORM = 1.0


def suggested_lr(e: Evidence) -> float:
    """The learning rate at which one of the first steps would change a usual share of the weights, to one digit."""
    size = e.update_size()
    if not size > 0 or not math.isfinite(size):  # then by the way that was gone in all steps
        size = e.displacement() / max(1, e.n_steps)
    if not size > 0 or not math.isfinite(size):
        return float(f"{e.lr * 0.1:.0e}")
    return float(f"{e.lr * _BOLD_UPDATE / size:.0e}")


def lower_lr(e: Evidence) -> float:
    """The suggested learning rate if it is clearly lower than the present one, else a tenth of that."""
    new = suggested_lr(e)
    return new if new < e.lr / 2 else float(f"{e.lr * 0.1:.0e}")


def bounded_gradient(e: Evidence) -> str:
    """Clipping that is tighter than what there is; another optimizer where clipping does harm."""
    if isinstance(e.net.optimizer_, torch.optim.LBFGS):
        return "optimizer=torch.optim.AdamW"
    if e.clipping is None:
        return "gradient_clipping='auto'"
    if isinstance(e.clipping, Real):
        return f"gradient_clipping={float(e.clipping) / 10:.1g} (it is {float(e.clipping):.3g})"
    return f"gradient_clipping={FIXED_NORM:.1f} (it is {e.clipping!r})"


def usual_schedule(e: Evidence) -> str:
    """A schedule that begins with small steps, or more of them."""
    has_warm_up = e.schedule in ("cosine", "one_cycle")
    return "lr_schedule_params={'warmup': 0.3}" if has_warm_up else "lr_schedule='cosine'"


def for_overflow(origin: Origin, step: int, lr: float, e: Evidence | None) -> str:
    """Against numbers that are no numbers, by where they came from."""
    if origin.stage == "input":
        return f"a look at {origin.layer}: clip or drop such rows, or preprocessing=True."
    look = {
        "forward": "a look at that layer: eps in a division or square root, a mask for log",
        "loss": "a look at the loss: eps in a logarithm, division or square root",
        "gradient": "a look at that layer: the derivative of sqrt, log or a norm at zero",
    }.get(origin.stage, "preprocessing=True where inputs are very large")
    lower = f"a lower lr (it is {lr!r})" if e is None else f"lr={lower_lr(e):.1g} (it is {lr!r}), {bounded_gradient(e)}"
    # What is no number in the first step, no step has made so.
    return f"{look}; or {lower}." if step == 1 else f"{lower}, or {look}."
