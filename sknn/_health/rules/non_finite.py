"""Rule: NaN, infinity, or a number whose square is infinite. It is asked in the step in which that happens."""

from __future__ import annotations

from ..careful import careful
from ..evidence import Evidence
from ..origin import Origin
from ..record import Finding
from .growth import root_of_overflow
from .input_scale import overflow_of_scale
from .remedies import for_overflow

__all__ = ["non_finite"]


def non_finite(origin: Origin, step: int, e: Evidence | None, *, was_skipped: bool, epoch: int, lr: float) -> Finding:
    """The finding about a step, from 1.

    Inputs far out of scale, or what made the first outputs or losses far too large, are reported instead as the cause.
    """
    what = f"In step {step} {origin.what}{'; the step is skipped, and weights stay finite' if was_skipped else ''}."
    of_scale = None if origin.stage == "input" or e is None else careful(overflow_of_scale, e, what)
    if of_scale is not None:
        return of_scale
    if origin.stage != "input" and e is not None:
        root = careful(root_of_overflow, e, in_first_step=step == 1 and origin.has_grown)
        if root is not None:
            remedy = root.remedy.format(lower=f"a lower lr (it is {lr:.3g})")
            return Finding("exploding", root.layer, epoch, f"{root.evidence}. {what}", remedy, root.cause)
    cause = "first_step" if step == 1 and origin.stage != "input" else None
    remedy = for_overflow(origin, step, lr, e)
    return Finding("non_finite", origin.layer, epoch, what[0].lower() + what[1:], remedy, cause)
