"""Rules about units that pass nothing on."""

from __future__ import annotations

from .evidence import Evidence
from .flow import fades
from .observer import Activation
from .record import Finding

__all__ = ["dead_units", "saturated_units"]

# Shares of the units of a layer.
_LARGE_SHARE, _NEARLY_ALL = 0.5, 0.9


def _in_two_looks(e: Evidence, share: str, least: float) -> tuple[Activation, float] | None:
    """The activation whose share of units was largest in the last two looks, if it was at least so large in both."""
    if len(e.looks) < 2:
        return None
    before, now = e.looks[-2].activations, e.looks[-1].activations
    if len(before) != len(now):
        return None
    found = None
    for a, b in zip(before, now, strict=True):
        both = min(getattr(a, share), getattr(b, share))
        if b.n_units >= 4 and both >= least and (found is None or both > found[1]):
            found = b, both
    return found


def dead_units(e: Evidence, ended: bool) -> Finding | None:
    """Units that no row activates, most of a layer, in two looks in a row."""
    found = _in_two_looks(e, "inactive", _LARGE_SHARE)
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
    lower = "" if never_lived else f"a lower lr (it is {e.lr:.3g}), gradient_clipping='auto', "
    return Finding(
        "dead_units",
        activation.layer,
        e.n_epochs,
        f"{share:.0%} of the {activation.n_units} {activation.name} units are inactive on every row, twice in a row; a "
        f"few are normal. {cause}, and get no gradient.",
        f"{lower}biases that start at zero, or module__activation=torch.nn.GELU or LeakyReLU.",
    )


def saturated_units(e: Evidence) -> Finding | None:
    """A bounded activation in its flat parts at most rows and units, lasting, on a net that learns poorly."""
    looks = [_without_gates(look.activations) for look in e.looks[-2:]]
    if len(looks) < 2 or len(looks[0]) != len(looks[1]):
        return None
    pairs = [(min(a.saturated, b.saturated), b) for a, b in zip(*looks, strict=True) if b.n_units >= 4]
    share, activation = max(pairs, key=lambda pair: pair[0], default=(0.0, None))
    if activation is None or share < _LARGE_SHARE or not e.learns_poorly:
        return None
    return Finding(
        "saturated_units",
        activation.layer,
        e.n_epochs,
        f"{activation.name} is flat, with a derivative below 5 % of its largest, at {share:.0%} of rows and "
        "units; below "
        f"20 % is usual. The skill is {e.skill:.3g}.",
        "smaller initial weights, scaled inputs (preprocessing=True), or a norm layer in front of the activation.",
    )


def _without_gates(activations: list[Activation]) -> list[Activation]:
    return [activation for activation in activations if not activation.is_gate]
