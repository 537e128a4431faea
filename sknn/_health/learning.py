"""Rules about whether the loss falls."""

from __future__ import annotations

import math

import numpy as np
import torch

from .evidence import Evidence
from .flow import fades, relative_gradients
from .record import Finding
from .through_time import depends_on_input

__all__ = [
    "cut_off",
    "hardly_moving",
    "loss_diverging",
    "not_learning",
    "overfitting",
    "suggested_lr",
    "unrelated_labels",
]

# What one of the first steps usually changes of the weights, and what is hardly a change over all steps.
USUAL_UPDATE = 5e-3
# What to aim at when the learning rate has to be lowered, or raised.
_SAFE_UPDATE, _BOLD_UPDATE = 3e-3, 1e-2
_HARDLY_MOVED = 0.02
# With fewer a real relation may well not show.
_ROWS_TO_DOUBT_LABELS = 200
_UNRELATED = "no column is related to the target (F tests at 1 %)"
_CHECK_ROWS = "a check that rows of X and y belong together: shuffled, sorted or merged apart?"


def loss_diverging(e: Evidence, ended: bool) -> Finding | None:
    """A training loss that has left its own range and the constant guess behind, upwards, for a while."""
    if e.constant is None or not e.step_losses:
        return None
    if not e.constant.is_bounded:
        return _unbounded(e, ended)
    skills = e.train_skills
    worst = float(np.max([np.median(epoch) for epoch in e.step_losses]))
    usual = float(np.min([e.step_losses[0][:3].mean(), *(np.median(epoch) for epoch in e.step_losses)]))
    lasting = 3 if len(skills) >= 3 else len(skills)
    recent = skills[-lasting:]
    last = float(np.median(e.step_losses[-1]))
    above = (last - usual) / max(abs(e.constant.loss), e.constant.start)
    best = max(skills)
    long = max(4, len(skills) // 5)
    collapsed = len(skills) >= 2 * long and best > 0.2 and max(skills[-long:]) < 0.25 * best
    was_normal = e.step_losses[0][0] < 3 * e.constant.start
    spiked = ended and e.had_time(True) and was_normal and min(skills) < -5 and e.learns_poorly
    badly = e.n_steps >= 30 and lasting >= 3 and max(recent) < -2 and above > 2
    in_the_end = ended and e.had_time(True) and e.skill < -0.1 and max(recent) < -0.1 and above > 0.5
    if not (badly or in_the_end or collapsed or spiked):
        return None
    return Finding(
        "loss_diverging",
        None,
        e.n_epochs,
        f"the training loss was {usual:.3g} at its best, {worst:.3g} at its worst, and is {last:.3g}; a constant "
        f"guess has {e.constant.loss:.3g}. A step changes {e.update_size():.1e} of the weights; {USUAL_UPDATE:g} is "
        "usual.",
        f"lr={suggested_lr(e):.1g} (it is {e.lr:.3g}), gradient_clipping='auto', a warm-up (lr_schedule='cosine'), or "
        "look at the sign of the loss.",
    )


def _unbounded(e: Evidence, ended: bool) -> Finding | None:
    """A loss that a constant can make as small as it likes, and that training follows."""
    means = [float(np.mean(epoch)) for epoch in e.step_losses]
    if len(means) < 3 or not ended or not means[-1] < means[0] - 10 * (1 + abs(means[0])):
        return None
    return Finding(
        "loss_diverging",
        None,
        e.n_epochs,
        f"the training loss fell from {means[0]:.3g} to {means[-1]:.3g}, and constant outputs alone can make it "
        "as low as you like: it has no minimum.",
        "the other sign of the loss, or a loss that is bounded below.",
    )


def hardly_moving(e: Evidence) -> Finding | None:
    """Weights that are nearly where they started, on a net without skill."""
    if e.constant is None or not e.constant.is_bounded or not e.skill < 0.1:
        return None
    displacement = e.displacement()
    if displacement >= _HARDLY_MOVED or not e.learns_poorly:
        return None
    lr = suggested_lr(e)
    largest = max(e.norms.lrs, default=e.lr)
    if largest < 0.03 * e.lr:
        return _not_learning(
            e,
            "schedule",
            f"the schedule has kept the learning rate at or below {largest:.1e}, where lr is {e.lr:.3g}, and all steps "
            f"together changed {displacement:.1e} of the weights",
            "lr_schedule='cosine', or a shorter warm-up.",
        )
    return _not_learning(
        e,
        "small_updates",
        f"updates are too small: all steps together changed {displacement:.1e} of the weights, one of the first steps "
        f"{e.update_size():.1e}; {USUAL_UPDATE:g} is usual",
        f"lr={lr:.1g}, about {lr / e.lr:.1g} times what it is ({e.lr:.3g}); unfreeze layers if most are frozen.",
    )


def cut_off(e: Evidence) -> Finding | None:
    """Layers that get no gradient at all, beside others that get a usual one, on a net that learns poorly."""
    first = e.looks[0].first if e.looks else None
    if first is not None and first.scale == 0 and e.learns_poorly:
        return _not_learning(
            e, "ignores_inputs", f"{first.layer} is given nothing but zeros", "a module whose forward uses its input."
        )
    for names, relative in [] if fades(e) else relative_gradients(e):
        for name, this, following in zip(names, relative, relative[1:], strict=False):
            # Gradients that only vanish become smaller step by step.
            if this == 0 and following > 1e-6 * relative.max() and e.learns_poorly:
                return _not_learning(
                    e,
                    "cut_off",
                    f"no gradient at all reaches {name}, though the layers behind it have one",
                    "a look at what stands behind that layer: detach(), no_grad(), .data, round, argmax, or a "
                    "factor of 0.",
                )
    return None


def not_learning(e: Evidence, ended: bool) -> Finding | None:
    """Skill near zero and no downward trend after a fair number of steps; which of several causes."""
    if e.constant is None or not e.constant.is_bounded or math.isnan(e.skill) or not e.train_skills:
        return None
    skill = max(e.skill, e.train_skills[-1])
    if skill >= 0.3 or skill >= (0.3 * e.linear_skill if e.linear_skill >= 0.1 else 0.02):
        return None
    if len(e.skills) < 3:
        return None
    first, middle, last = (float(np.mean(part)) for part in np.array_split(e.skills, 3))
    if last > middle > first and last > first + 0.01:  # slowly, but it learns
        return None
    if not e.related:
        if not ended or e.n_train < _ROWS_TO_DOUBT_LABELS:
            return None
        return _not_learning(e, "unrelated_labels", _UNRELATED, _CHECK_ROWS)
    spread = _output_spread(e)
    if spread < 1e-3:
        return _not_learning(
            e,
            "constant_outputs",
            f"outputs are constant over the rows: their spread is {spread:.1e} of what the target asks for",
            "a look at what stands between input and output: a layer that is multiplied with zero, detached or "
            f"dead; or a lower lr (it is {e.lr:.3g}) where a few large steps may have killed it.",
        )
    if _ignores_inputs(e):
        return _not_learning(
            e,
            "ignores_inputs",
            "outputs do not depend on the inputs: for other rows they are as different as for the same",
            "a module whose forward uses its input.",
        )
    if not ended:
        return None
    if e.linear_skill < 0.1:
        return None
    return _not_learning(
        e,
        "unknown",
        f"one of the first steps changed {e.update_size():.1e} of the weights; {USUAL_UPDATE:g} is usual",
        f"lr={suggested_lr(e):.1g} (it is {e.lr:.3g}), more epochs, or a larger module.",
    )


def unrelated_labels(e: Evidence) -> Finding | None:
    """Never better than a constant on held-out rows, and no column related to the target."""
    valid = [skill for skill in e.valid_skills if not math.isnan(skill)]
    if len(valid) < 3 or e.n_valid < 50 or e.n_train < _ROWS_TO_DOUBT_LABELS or max(valid) > 0.03:
        return None
    if e.displacement() < _HARDLY_MOVED or e.related or e.linear_skill > 0.02:
        return None
    return _not_learning(
        e,
        "unrelated_labels",
        f"on {e.n_valid} held-out rows no epoch was better than a constant guess (best skill {max(valid):.3g}), and "
        f"{_UNRELATED}",
        _CHECK_ROWS,
    )


def _not_learning(e: Evidence, cause: str, why: str, remedy: str) -> Finding:
    constant = math.nan if e.constant is None else e.constant.loss
    return Finding(
        "not_learning",
        None,
        e.n_epochs,
        f"after {e.n_steps} steps the skill is {e.skill:.2g} (0 is a constant guess, with a loss of "
        f"{constant:.3g}): {why}.",
        remedy,
        cause,
    )


def _output_spread(e: Evidence) -> float:
    """Standard deviation of the outputs over the rows, in units of the targets', or of 1 for raw scores."""
    raw = e.looks[-1].raw.double().reshape(len(e.looks[-1].raw), -1)
    unit = 1.0
    y = None if e.rows is None else e.rows[1]
    if isinstance(y, torch.Tensor) and y.is_floating_point() and y.numel() == raw.numel():
        unit = float(y.double().std(correction=0)) or 1.0
    return float(raw.std(0, correction=0).max()) / unit


def _ignores_inputs(e: Evidence) -> bool:
    """Whether outputs vary, but not with the inputs."""
    return e.rows is not None and not depends_on_input(e.net, e.rows)


def overfitting(e: Evidence) -> Finding | None:
    """Validation loss clearly and lastingly above its best while training loss goes on falling, unstopped."""
    valid, train = e.valid_skills, e.train_skills
    if e.restores_best or len(valid) < 8 or len(valid) != len(train) or e.n_valid < 20:
        return None
    best = int(np.argmax(valid))
    lasting = max(4, len(valid) // 5)
    if valid[best] < 0.01 or len(valid) - 1 - best < lasting:
        return None
    late = valid[-lasting:]
    lost = valid[best] - max(late)
    if lost < max(0.1 * valid[best], 0.02) or float(np.mean(train[-lasting:])) <= train[best] + 0.02:
        return None
    return Finding(
        "overfitting",
        None,
        e.n_epochs,
        f"the validation skill was {valid[best]:.3g} in epoch {best + 1} and is {valid[-1]:.3g} now, while the "
        "training "
        f"skill went from {train[best]:.3g} to {train[-1]:.3g}.",
        "early_stopping=True, module__dropout=0.2, optimizer__weight_decay, or a smaller module.",
    )


def suggested_lr(e: Evidence) -> float:
    """The learning rate at which one of the first steps would change a usual share of the weights, to one digit."""
    size = e.update_size()
    if not size > 0 or not math.isfinite(size):
        return float(f"{e.lr * 0.1:.0e}")
    goal = _SAFE_UPDATE if size > USUAL_UPDATE else _BOLD_UPDATE
    return float(f"{e.lr * goal / size:.0e}")
