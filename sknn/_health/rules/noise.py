"""Rule: random numbers inside the network drown what it computes from the inputs."""

from __future__ import annotations

from ..careful import careful
from ..evidence import Evidence
from ..input_dependence import noise_of_outputs
from ..record import Finding

__all__ = ["noise_in_evaluation", "noise_in_training"]

# Shares of the variance of the outputs that are noise: in evaluation, where none is expected, and in training.
_IN_EVALUATION, _IN_TRAINING = 0.3, 0.7
# Skill of a simple model that shows that there is something to learn.
_RELATION = 0.1


def noise_in_evaluation(e: Evidence, ended: bool) -> Finding | None:
    """Even as evaluated, outputs for the same rows differ from call to call, and the network learns poorly."""
    remedy = "random numbers in `forward` only if self.training: F.dropout(x, p, self.training), no random order."
    return _noise(e, _IN_EVALUATION, remedy, training=False) if ended else None


def noise_in_training(e: Evidence, ended: bool) -> Finding | None:
    """In training, the same; a network that learns well may have much dropout."""
    remedy = "less dropout (module__dropout) or less noise in the module."
    return _noise(e, _IN_TRAINING, remedy, training=True) if ended else None


def _noise(e: Evidence, most: float, remedy: str, *, training: bool) -> Finding | None:
    if e.rows is None or e.constant is None or not e.learns_poorly or e.simple_skill < _RELATION:
        return None
    share = careful(noise_of_outputs, e.net, e.rows, training=training, otherwise=0.0)
    if share <= most:
        return None
    when = "in training" if training else "in evaluation"
    seen = (
        f"after {e.n_steps} steps the skill is {e.skill:.2g}, where a simple model reaches {e.simple_skill:.2g}: "
        f"outputs for the same rows differ from call to call, {when} by {share:.0%} of the variance over all rows"
    )
    return Finding("not_learning", None, e.n_epochs, f"{seen}.", remedy, "noise")
