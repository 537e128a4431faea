"""Remedies to propose: parameters of the estimator, with values that are not yet in force."""

from __future__ import annotations

import math
from numbers import Real

import torch

from ..evidence import Evidence
from ..origin import Origin

__all__ = [
    "FIXED_NORM",
    "LONG_STEP",
    "USUAL_UPDATE",
    "bounded_gradient",
    "for_overflow",
    "large_eps",
    "lower_lr",
    "lowest_lr",
    "suggested_lr",
    "usual_schedule",
]

# Norm of a usual first update, relative to that of the weights.
USUAL_UPDATE = 5e-3
# One that is several times a usual one.
LONG_STEP = 0.03
# First update that another learning rate should give; the first steps may be large.
_BOLD_UPDATE = 1e-2
# Further below the present learning rate, and below a usual one, or above this, none is proposed: the cause is another.
_FURTHEST_BELOW, _LOW, _HIGH = 1e-3, 1e-4, 1.0
# A fixed bound also stops steady divergence, which a bound that follows the norms does not.
FIXED_NORM = 1.0
# What adaptive optimizers add to the size of a gradient: beyond this it is no guard against zero.
_LARGE_EPS = 0.1


def suggested_lr(e: Evidence) -> float:
    """The learning rate at which one of the first steps would change a usual share of the weights, to one digit."""
    size = e.update_size() * _of_momentum(e)
    if not size > 0 or not math.isfinite(size):  # then from the distance covered in all steps
        size = e.weights.displacement() / max(1, e.n_steps)
    if not size > 0 or not math.isfinite(size):
        return float(f"{e.lr * 0.1:.0e}")
    return float(f"{max(lowest_lr(e.lr), min(e.lr * _BOLD_UPDATE / size, max(e.lr, _HIGH))):.0e}")


def _of_momentum(e: Evidence) -> float:
    """How much longer steps become than the first ones with more momentum than usual."""
    momentum = max(group.get("momentum", 0.0) for group in e.net.optimizer_.param_groups)
    return 0.1 / max(1 - momentum, 1e-4) if momentum > 0.9 else 1.0


def lowest_lr(lr: float) -> float:
    """The lowest learning rate that may be proposed instead of `lr`."""
    return min(_FURTHEST_BELOW * lr, _LOW)


def lower_lr(e: Evidence) -> float:
    """The suggested learning rate if it is clearly lower than the present one, else a tenth of the present one."""
    new = suggested_lr(e)
    return new if new < e.lr / 2 else float(f"{e.lr * 0.1:.0e}")


def large_eps(optimizer: torch.optim.Optimizer) -> float | None:
    """The largest `eps` of an optimizer if it makes steps small; some have two, or none."""
    given = [group.get("eps") for group in optimizer.param_groups]
    most = max((float(eps) for eps in given if isinstance(eps, Real)), default=0.0)
    return most if most > _LARGE_EPS else None


def bounded_gradient(e: Evidence) -> str:
    """Clipping that is tighter than the present one; another optimizer if clipping does harm."""
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
    """Remedy for non-finite values, by their origin."""
    if origin.stage == "input":
        return "clipping or dropping such rows, or preprocessing=True."
    check = {
        "forward": "checking that layer: eps in a division or square root, a mask for log",
        "loss": "checking the loss: eps in a logarithm, division or square root",
        "gradient": "checking that layer: the derivative of sqrt, log or a norm at zero",
    }.get(origin.stage, "preprocessing=True if inputs are very large")
    if step == 1:  # the learning rate cannot be the cause
        return f"{check}."
    lower = f"a lower lr (it is {lr!r})" if e is None else f"lr={lower_lr(e):.1g} (it is {lr!r}), {bounded_gradient(e)}"
    return f"{lower}, or {check}."
