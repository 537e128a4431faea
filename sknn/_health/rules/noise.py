"""Rule: random numbers inside the network drown what it computes from the inputs."""

from __future__ import annotations

from ..careful import careful
from ..evidence import Evidence
from ..input_dependence import noise_of_outputs
from ..record import Finding

__all__ = ["noise_in_evaluation", "noise_in_training"]

# Shares of the variance of the outputs that are noise: in evaluation, where none is expected, and in training.
_IN_EVALUATION, _IN_TRAINING = 0.3, 0.7
# From this share on outputs without any skill do not depend on the inputs at all, which is another cause.
_NOTHING_ELSE = 0.9
# Skill of a simple model that shows that there is something to learn.
_RELATION = 0.1


def noise_in_evaluation(e: Evidence, ended: bool) -> Finding | None:
    """Even as evaluated, outputs for the same rows differ from call to call, and the network learns poorly."""
    if not ended or not _has_missed_something(e):
        return None
    share = _share(e, training=False)
    if share < _IN_EVALUATION or (share > _NOTHING_ELSE and e.has_no_skill):
        return None
    remedy = "random numbers in `forward` only if self.training: F.dropout(x, p, self.training), no random order."
    return _noise(e, "evaluation", share, remedy)


def noise_in_training(e: Evidence, ended: bool) -> Finding | None:
    """In training, the same; a network that learns well may have much dropout."""
    if not ended or not _has_missed_something(e):
        return None
    share = _share(e, training=True)
    if share < _IN_TRAINING or _share(e, training=False) > _IN_EVALUATION:
        return None
    return _noise(e, "training", share, "less dropout (module__dropout) or less noise in the module.")


def _has_missed_something(e: Evidence) -> bool:
    return e.rows is not None and e.constant is not None and e.learns_poorly and e.simple_skill >= _RELATION


def _share(e: Evidence, *, training: bool) -> float:
    return careful(noise_of_outputs, e.net, e.rows, training=training, otherwise=0.0)


def _noise(e: Evidence, when: str, share: float, remedy: str) -> Finding:
    seen = (
        f"after {e.n_steps} steps the skill is {e.skill:.2g}, where a simple model reaches {e.simple_skill:.2g}: "
        f"outputs for the same rows differ from call to call, in {when} by {share:.0%} of the variance over all rows"
    )
    return Finding("not_learning", None, e.n_epochs, f"{seen}.", remedy, "noise")
