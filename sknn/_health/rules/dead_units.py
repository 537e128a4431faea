"""Rule: units that are inactive on every row."""

from __future__ import annotations

from ..evidence import Evidence
from ..record import Finding
from .remedies import bounded_gradient, lower_lr
from .vanishing import fades

__all__ = ["dead_units"]

# Share of the units of a layer.
_NEARLY_ALL = 0.9


def dead_units(e: Evidence, ended: bool) -> Finding | None:
    """Most units of a layer are inactive on every row, at two inspections in a row."""
    found = e.persistent(lambda activation: activation.inactive)
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
        f"{share:.0%} of the {activation.n_units} {activation.name} units are inactive on every row, at two "
        f"inspections in a row; a few are normal. {cause}, and get no gradient.",
        f"{lower}biases that start at zero, or module__activation=torch.nn.GELU or LeakyReLU.",
    )
