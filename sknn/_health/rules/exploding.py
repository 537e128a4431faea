"""Rule: gradients, losses or updates that are far too large."""

from __future__ import annotations

import numpy as np

from ..evidence import Evidence
from ..record import Finding
from .remedies import USUAL_UPDATE, bounded_gradient, lower_lr

__all__ = ["exploding"]

_ORDERS_OF_MAGNITUDE = 1e3
# A first loss this many times that of a constant guess comes from the initial weights, or from the scale of the target.
_FAR_ABOVE_CONSTANT = 20.0


def exploding(e: Evidence, ended: bool) -> Finding | None:
    """A first loss far above a constant guess, gradients that grow towards the input, or updates beyond the weights.

    And the network learns poorly.
    """
    if not e.step_losses or e.constant is None:
        return None
    found = _far_above_constant(e) or _grows_towards_input(e) or _updates_beyond_weights(e)
    if found is None or not e.learns_poorly:
        return None
    layer, cause, evidence, remedy = found
    lower = f"lr={lower_lr(e):.1g} (it is {e.lr:.3g})"
    evidence = f"{evidence}; the skill is now {e.skill:.3g}."
    remedy = remedy.format(lower=lower, clip=bounded_gradient(e))
    return Finding("exploding", layer, e.n_epochs, evidence, remedy, cause)


def _far_above_constant(e: Evidence) -> tuple[str | None, str, str, str] | None:
    assert e.constant is not None
    first = float(e.step_losses[0][0]) / e.constant.start if e.constant.start > 0 else 0.0
    if not first > _FAR_ABOVE_CONSTANT:
        return None
    seen = (
        f"the first loss was {e.step_losses[0][0]:.3g}, {first:.3g} times that of a constant guess, "
        f"{e.constant.start:.3g}"
    )
    remedy = "smaller initial weights, a target of standard scale (preprocessing=True), norm layers, or {lower}."
    return None, "initial_loss", seen, remedy


def _grows_towards_input(e: Evidence) -> tuple[str | None, str, str, str] | None:
    rows = e.norms.relative()
    if len(rows) < 3 or rows.shape[1] < 3:
        return None
    relative = np.median(rows[:5, :, 0], axis=0)
    n = max(1, len(relative) // 3)
    if not 0 < relative[-n:].max() < np.median(relative[:n]) / _ORDERS_OF_MAGNITUDE:
        return None
    layer = e.norms.names[int(np.argmax(relative[:n]))]
    seen = (
        f"the gradient of {layer}, relative to its weights, was {np.median(relative[:n]) / relative[-n:].max():.1e} "
        "times that of the last layers in the first steps"
    )
    return layer, "gradients", seen, "{clip}, smaller initial weights, norm layers or shortcuts, or {lower}."


def _updates_beyond_weights(e: Evidence) -> tuple[str | None, str, str, str] | None:
    size = e.update_size()
    if not size > 1:
        return None
    seen = (
        f"one step at a learning rate of {e.largest_lr:.3g} changes the weights by {size:.3g} times their norm "
        f"({USUAL_UPDATE:g} is usual)"
    )
    raised = f"lr_schedule='cosine', which does not exceed lr={e.lr:.3g}, or {{clip}}."
    return None, "updates", seen, raised if e.schedule_raises_lr else "{lower}, {clip}, or a warm-up."
