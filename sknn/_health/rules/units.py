"""Rules about units that pass nothing on."""

from __future__ import annotations

from collections.abc import Callable

from ..evidence import Evidence
from ..observer import LARGE_SHARE, Activation
from ..record import Finding
from .flow import fades
from .remedies import bounded_gradient, lower_lr

__all__ = ["dead_units", "saturated_units"]

# Share of the units, or of rows and units, of a layer.
_NEARLY_ALL = 0.9


def _in_two_looks(
    e: Evidence, share: str, counts: Callable[[Activation], bool] = lambda _: True
) -> tuple[Activation, float] | None:
    """The activation, of those that count, whose share was largest in both of the last two looks, if it was large."""
    looks = [[a for a in look.activations if counts(a)] for look in e.looks[-2:]]
    if len(looks) < 2 or len(looks[0]) != len(looks[1]):
        return None
    found = None
    for before, now in zip(*looks, strict=True):
        both = min(getattr(before, share), getattr(now, share))
        if now.n_units >= 4 and both >= LARGE_SHARE and (found is None or both > found[1]):
            found = now, both
    return found


def dead_units(e: Evidence, ended: bool) -> Finding | None:
    """Units that no row activates, most of a layer, in two looks in a row."""
    found = _in_two_looks(e, "inactive")
    if found is None:
        return None
    activation, share = found
    at_start = max(
        (a for a in e.looks[0].activations if a.layer == activation.layer), key=lambda a: a.inactive, default=activation
    )
    # Where nothing varies from row to row, some units are always off, and the others always on.
    nothing_varied = at_start.inactive + at_start.active > _NEARLY_ALL
    nothing_varies = activation.inactive + activation.active > _NEARLY_ALL
    never_lived = at_start.inactive >= _NEARLY_ALL and share >= _NEARLY_ALL
    if not never_lived and (nothing_varied or fades(e) or (nothing_varies and activation.active > 0.1)):
        return None
    # A loss that is rising is about to tell more.
    if not ended and not never_lived and e.train_skills and e.train_skills[-1] < max(e.train_skills) - 0.2:
        return None
    # A shortcut leads around units that have died.
    poor = e.learns_poorly and (never_lived or not activation.is_avoidable)
    if not (poor or (never_lived and e.is_worse_than_linear)):
        return None
    cause = "They were so before the first step" if never_lived else "They died in training"
    lower = "" if never_lived else f"lr={lower_lr(e):.1g} (it is {e.lr:.3g}), {bounded_gradient(e)}, "
    return Finding(
        "dead_units",
        activation.layer,
        e.n_epochs,
        f"{share:.0%} of the {activation.n_units} {activation.name} units are inactive on every row, twice in a row; a "
        f"few are normal. {cause}, and get no gradient.",
        f"{lower}biases that start at zero, or module__activation=torch.nn.GELU or LeakyReLU.",
    )


def saturated_units(e: Evidence, *, unavoidable: bool = False) -> Finding | None:
    """A bounded activation in its flat parts at most rows and units, lasting, on a net that learns poorly.

    Parameters
    ----------
    e : Evidence
    unavoidable : bool
        Leave those out that a shortcut leads around: what floods a shortcut saturates them, too.
    """
    found = _in_two_looks(e, "saturated", lambda a: not (a.is_gate or (unavoidable and a.is_avoidable)))
    if found is None:
        return None
    activation, share = found
    at_start = [a for a in e.looks[0].activations if a.layer == activation.layer and not a.is_gate]
    was_so = bool(at_start) and max(a.saturated for a in at_start) >= LARGE_SHARE
    # The clearer what is seen, the less need be lost by it.
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
