"""Rule: bounded activations in their flat parts."""

from __future__ import annotations

from ..evidence import Evidence
from ..observer import LARGE_SHARE
from ..record import Finding
from .remedies import lower_lr

__all__ = ["saturated_units", "saturated_units_on_all_paths"]

# Share of the rows and units of a layer.
_NEARLY_ALL = 0.9


def saturated_units(e: Evidence, ended: bool) -> Finding | None:
    """A bounded activation is nearly flat at most rows and units, and the network learns poorly."""
    return _saturated(e, on_all_paths=False)


def saturated_units_on_all_paths(e: Evidence, ended: bool) -> Finding | None:
    """The same, without activations that a shortcut bypasses: too large values in the shortcut saturate these, too."""
    return _saturated(e, on_all_paths=True)


def _saturated(e: Evidence, *, on_all_paths: bool) -> Finding | None:
    found = e.persistent(lambda a: a.saturated, lambda a: not (a.is_gate or (on_all_paths and a.is_avoidable)))
    if found is None:
        return None
    activation, share = found
    at_start = [a for a in e.inspections[0].activations if a.layer == activation.layer and not a.is_gate]
    was_so = bool(at_start) and max(a.saturated for a in at_start) >= LARGE_SHARE
    # The clearer the evidence, the less skill has to be lost.
    all_along = was_so and share >= _NEARLY_ALL and not activation.is_avoidable
    is_poor = e.learns_poorly or (all_along and (e.is_worse_than_simple or not e.is_fine))
    if not is_poor:
        return None
    lower = "" if was_so else f"lr={lower_lr(e):.1g} (it is {e.lr:.3g}), "
    return Finding(
        "saturated_units",
        activation.layer,
        e.n_epochs,
        f"{activation.name} is flat, with a derivative below 5 % of its largest, at {share:.0%} of rows and "
        f"units; below 20 % is usual. The skill is {e.skill:.3g}.",
        f"{lower}smaller initial weights, scaled inputs (preprocessing=True), or a norm layer in front of the "
        "activation.",
    )
