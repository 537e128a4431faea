"""Rules: a training loss that rises, and a validation loss that rises while the training loss falls."""

from __future__ import annotations

import numpy as np

from ..evidence import HARDLY_ANY_SKILL, Evidence
from ..record import Finding
from .remedies import LONG_STEP, USUAL_UPDATE, bounded_gradient, lower_lr, usual_schedule

__all__ = ["loss_diverging", "overfitting"]

# Rise of the loss above what it was before, in units of that of a constant guess, that is no fluctuation.
_ROSE = 0.2


def loss_diverging(e: Evidence, ended: bool) -> Finding | None:
    """The training loss is lastingly above its earlier range and above a constant guess."""
    if e.constant is None or not e.step_losses:
        return None
    if not e.constant.is_bounded:
        return _unbounded(e, ended)
    skills = e.train_skills
    worst = float(np.max([np.median(epoch) for epoch in e.step_losses]))
    usual = float(np.min([e.step_losses[0][:3].mean(), *(np.median(epoch) for epoch in e.step_losses)]))
    if _highest_rise(e) < _ROSE * max(abs(e.constant.loss), e.constant.start):  # it only fell
        return None
    lasting = 3 if len(skills) >= 3 else len(skills)
    recent = skills[-lasting:]
    last = float(np.median(e.step_losses[-1]))
    above = (last - usual) / max(abs(e.constant.loss), e.constant.start)
    best = max(skills)
    long = max(4, len(skills) // 5)
    collapsed = len(skills) >= 2 * long and best > 0.2 and max(skills[-long:]) < 0.25 * best
    was_normal = e.step_losses[0][0] < 3 * e.constant.start
    has_none = e.skills[-1] < HARDLY_ANY_SKILL
    spiked = ended and e.had_time(True) and was_normal and min(skills) < -5 and (has_none or e.learns_poorly)
    badly = e.n_steps >= 30 and lasting >= 3 and max(recent) < -2 and above > 2
    in_the_end = ended and e.had_time(True) and e.skill < -0.1 and max(recent) < -0.1 and above > 0.5
    # Much dropout keeps the training loss high, too, but not by steps that are too long.
    is_high = sum(skill < -0.25 for skill in skills) >= max(4, len(skills) // 4) and e.update_size() > LONG_STEP
    stays_high = is_high and e.had_time(ended) and was_normal and (has_none or (ended and e.is_worse_than_simple))
    if not (badly or in_the_end or collapsed or spiked or stays_high) or (
        not (collapsed or stays_high) and _is_calm(e, ended)
    ):
        return None
    lower = f"lr={lower_lr(e):.1g} (it is {e.lr:.3g})"
    if e.schedule_raises_lr:
        lower = f"lr_schedule='cosine' (the present one raised the learning rate from {e.lr:.3g} to {e.largest_lr:.3g})"
    return Finding(
        "loss_diverging",
        None,
        e.n_epochs,
        f"the training loss was {usual:.3g} at its best, {worst:.3g} at its worst, and is {last:.3g}; a constant "
        f"guess has {e.constant.loss:.3g}. One step changes the weights by {e.update_size():.1e} of their norm; "
        f"{USUAL_UPDATE:g} is usual.",
        f"{lower}, {bounded_gradient(e)}, a warm-up ({usual_schedule(e)}), or check the sign of the loss.",
    )


def _highest_rise(e: Evidence) -> float:
    """The most by which the median loss of an epoch exceeds the lowest before, or that of the first step."""
    losses = np.array([e.step_losses[0][0], *(np.median(epoch) for epoch in e.step_losses)])
    return float((losses - np.minimum.accumulate(losses)).max())


def _is_calm(e: Evidence, ended: bool) -> bool:
    """Whether the network is good in evaluation mode, without dropout."""
    skills = e.valid_skills or [e.skill_at(inspection) for inspection in e.inspections[1:] if ended]
    return bool(skills) and min(skills) > -1 and skills[-1] > -0.1


def _unbounded(e: Evidence, ended: bool) -> Finding | None:
    """Constant outputs can make the loss arbitrarily small, and training does so."""
    means = [float(np.mean(epoch)) for epoch in e.step_losses]
    if len(means) < 3 or not ended or not means[-1] < means[0] - 10 * (1 + abs(means[0])):
        return None
    return Finding(
        "loss_diverging",
        None,
        e.n_epochs,
        f"the training loss fell from {means[0]:.3g} to {means[-1]:.3g}, and constant outputs alone can make it "
        "arbitrarily small: it has no minimum.",
        "the other sign of the loss, or a loss that is bounded below.",
    )


def overfitting(e: Evidence, ended: bool) -> Finding | None:
    """The validation loss is lastingly above its best while the training loss falls, and nothing stops that."""
    valid, train = e.valid_skills, e.train_skills
    if not ended or e.restores_best or len(valid) < 8 or len(valid) != len(train) or e.valid.n_telling < 20:
        return None
    best = int(np.argmax(valid))
    lasting = max(4, len(valid) // 5)
    if valid[best] < 0.01 or len(valid) - 1 - best < lasting:
        return None
    late = valid[-lasting:]
    lost = valid[best] - max(late)
    # A tenth of the skill, and a twentieth of the loss, since one of the two may be small.
    clearly = max(0.1 * valid[best], 0.05 * (1 - valid[best]), 0.02)
    if lost < clearly or float(np.mean(train[-lasting:])) <= train[best] + 0.02:
        return None
    return Finding(
        "overfitting",
        None,
        e.n_epochs,
        f"the validation skill was {valid[best]:.3g} in epoch {best + 1} and is {valid[-1]:.3g} now, while the "
        f"training skill went from {train[best]:.3g} to {train[-1]:.3g}.",
        "early_stopping=True, module__dropout=0.2, optimizer__weight_decay, or a smaller module.",
    )
