"""Rules: hidden units that are identical, inactive on every row, or saturated."""

from __future__ import annotations

from collections.abc import Callable

from ..evidence import Evidence
from ..observer import LARGE_SHARE, Activation
from ..record import Finding
from .gradients import fades
from .remedies import bounded_gradient, lower_lr

__all__ = ["dead_units", "saturated_units", "saturated_units_on_all_paths", "symmetric_init"]

# Share of the units of a layer, or of its rows and units.
_NEARLY_ALL, _MOST = 0.9, 0.75
# Skill from which on no fault of units is reported.
_ENOUGH = 0.9
# Share of saturated rows and units that counts where so many layers have it: each of them loses gradient.
_IN_ALL_LAYERS, _SEVERAL_LAYERS = 0.3, 3


def symmetric_init(e: Evidence, ended: bool) -> Finding | None:
    """All units of a hidden layer are identical before the first step, and still after a hundred steps."""
    if e.n_steps < (5 if ended else 100):
        return None
    layers = e.symmetric.still_symmetric()
    still = f"and after {e.n_steps} steps"
    if not layers and ended and e.has_no_skill:
        # If gradients are hardly more than rounding errors, Adam turns these into steps that make units differ.
        layers, still = e.symmetric.constant, "and only rounding errors have made them differ since"
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


def dead_units(e: Evidence, ended: bool) -> Finding | None:
    """Most units of a layer are inactive on every row, at two inspections in a row."""
    found, seen = e.persistent(lambda activation: activation.inactive), "at two inspections in a row"
    if found is None:
        found, seen = _dead_without_gradient(e), "and in most steps no gradient reached any weights"
    if found is None:
        return None
    activation, share = found
    at_start = max(
        (a for a in e.inspections[0].activations if a.layer == activation.layer),
        key=lambda a: a.inactive,
        default=activation,
    )
    # If nothing varies from row to row, some units are inactive on all rows, and the others active on all.
    nothing_varied = at_start.inactive + at_start.active > _NEARLY_ALL
    nothing_varies = activation.inactive + activation.active > _NEARLY_ALL
    dead_at_start = at_start.inactive >= _NEARLY_ALL and share >= _NEARLY_ALL
    if not dead_at_start and (nothing_varied or fades(e) or (nothing_varies and activation.active > 0.1)):
        return None
    # While the loss is rising, later epochs will be clearer evidence.
    if not ended and not dead_at_start and e.train_skills and e.train_skills[-1] < max(e.train_skills) - 0.2:
        return None
    # A shortcut bypasses units that died in training.
    poor = e.learns_poorly and (dead_at_start or not activation.is_avoidable)
    if not (poor or (dead_at_start and e.is_worse_than_linear)):
        return None
    cause = "They were so before the first step" if dead_at_start else "They died in training"
    lower = "" if dead_at_start else f"lr={lower_lr(e):.1g} (it is {e.lr:.3g}), {bounded_gradient(e)}, "
    return Finding(
        "dead_units",
        activation.layer,
        e.n_epochs,
        f"{share:.0%} of the {activation.n_units} {activation.name} units are inactive on every row, {seen}; "
        f"a few are normal. {cause}, and get no gradient.",
        f"{lower}biases that start at zero, or module__activation=torch.nn.GELU or LeakyReLU.",
    )


def _dead_without_gradient(e: Evidence) -> tuple[Activation, float] | None:
    """Where no gradient reaches the weights, one inspection is enough to name the inactive units that stop it."""
    if not e.norms.is_without_gradient:
        return None
    dead = [a for a in e.inspections[-1].activations if a.inactive >= _NEARLY_ALL and not a.is_avoidable]
    return (dead[0], dead[0].inactive) if dead else None


def saturated_units(e: Evidence, ended: bool) -> Finding | None:
    """A bounded activation is nearly flat at most rows and units, and the network learns poorly."""
    return _saturated(e, on_all_paths=False)


def saturated_units_on_all_paths(e: Evidence, ended: bool) -> Finding | None:
    """The same, without activations that a shortcut bypasses: too large values in the shortcut saturate these, too."""
    return _saturated(e, on_all_paths=True)


def _saturated(e: Evidence, *, on_all_paths: bool) -> Finding | None:
    def counts(a: Activation) -> bool:
        return not (a.is_gate or (on_all_paths and a.is_avoidable))

    found = e.persistent(lambda a: a.saturated, counts) or _several_saturated(e, counts)
    if found is None:
        return None
    activation, share = found
    at_start = [a for a in e.inspections[0].activations if a.layer == activation.layer and not a.is_gate]
    was_so = bool(at_start) and max(a.saturated for a in at_start) >= LARGE_SHARE
    # The clearer the evidence, the less skill has to be lost.
    all_along = was_so and share >= _MOST and not activation.is_avoidable
    is_poor = e.learns_poorly or (all_along and (e.is_worse_than_simple or not e.is_fine))
    is_poor = is_poor or (all_along and share >= _NEARLY_ALL and e.skill < _ENOUGH)
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


def _several_saturated(e: Evidence, counts: Callable[[Activation], bool]) -> tuple[Activation, float] | None:
    """Of several layers that are all saturated to a part at two inspections in a row, the one that is most."""
    last = [[a for a in inspection.activations if counts(a)] for inspection in e.inspections[-2:]]
    many = [[a for a in activations if a.saturated >= _IN_ALL_LAYERS] for activations in last]
    if len(last) < 2 or min(map(len, many)) < max(_SEVERAL_LAYERS, len(last[-1]) / 2):
        return None
    most = max(many[-1], key=lambda a: a.saturated)
    return most, most.saturated
