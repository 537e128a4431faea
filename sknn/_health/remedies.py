"""What to propose: parameters of the estimator, with values that are not yet in force."""

from __future__ import annotations

import math
from numbers import Real

from .evidence import Evidence

__all__ = ["USUAL_UPDATE", "bounded_gradient", "lower_lr", "suggested_lr", "usual_schedule"]

# What one of the first steps usually changes of the weights.
USUAL_UPDATE = 5e-3
# What to aim at with another learning rate: the first steps may be bold.
_BOLD_UPDATE = 1e-2
# What holds even a training that diverges steadily, where the bound that follows the norms does not.
FIXED_NORM = 1.0


def suggested_lr(e: Evidence) -> float:
    """The learning rate at which one of the first steps would change a usual share of the weights, to one digit."""
    size = e.update_size()
    if not size > 0 or not math.isfinite(size):
        return float(f"{e.lr * 0.1:.0e}")
    return float(f"{e.lr * _BOLD_UPDATE / size:.0e}")


def lower_lr(e: Evidence) -> float:
    """The suggested learning rate if it is clearly lower than the present one, else a tenth of that."""
    new = suggested_lr(e)
    return new if new < e.lr / 2 else float(f"{e.lr * 0.1:.0e}")


def bounded_gradient(e: Evidence) -> str:
    """Clipping that is tighter than what there is."""
    if e.clipping is None:
        return "gradient_clipping='auto'"
    if isinstance(e.clipping, Real):
        return f"gradient_clipping={float(e.clipping) / 10:.1g} (it is {float(e.clipping):.3g})"
    return f"gradient_clipping={FIXED_NORM:.1f} (it is {e.clipping!r})"


def usual_schedule(e: Evidence) -> str:
    """A schedule that begins with small steps, or more of them."""
    has_warm_up = e.schedule in ("cosine", "one_cycle")
    return "lr_schedule_params={'warmup': 0.3}" if has_warm_up else "lr_schedule='cosine'"
