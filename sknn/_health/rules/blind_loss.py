"""Rule: a loss under which nothing can be learned, though the inputs tell the target."""

from __future__ import annotations

from ..evidence import Evidence
from ..record import Finding

__all__ = ["blind_loss"]

# Skill under the squared error that a simple model must have; the shares of it that are hardly any skill under the
# loss, at the end and before, and a poor one of the network.
_CLEAR, _LITTLE, _NONE, _POOR = 0.3, 0.25, 0.05, 0.5
# Skill on the training rows under the loss itself.
_HARDLY_ANY = 0.1


def blind_loss(e: Evidence, ended: bool) -> Finding | None:
    """A constant is nearly as good as any model by the loss, but not by the squared error; the network is poor by both.

    As when the loss compares outputs with the targets of other rows, sums over the wrong axis, ignores the targets, or
    gives next to no weight to most of what differs between rows.
    """
    if e.constant is None or e.rows is None or not (e.constant.is_bounded and e.constant.is_guess):
        return None
    if not e.has_perfect_constant and not _is_by_chance(e):
        return None
    best = e.plain_skill
    most = (_LITTLE if ended else _NONE) * best
    if best < _CLEAR or (not e.has_perfect_constant and e.simple_skill > most):
        return None
    now = e.plain_skill_now()
    if now > _POOR * best:
        return None
    seen = (
        "a constant guess has next to no loss"
        if e.has_perfect_constant
        else f"under this loss a simple model reaches {e.simple_skill:.2g} only (0 is a constant guess)"
    )
    return Finding(
        "not_learning",
        None,
        e.n_epochs,
        f"after {e.n_steps} steps the loss hardly tells a good model from a constant: {seen}; under the squared error, "
        f"where 0 is the mean, a simple model reaches {best:.2g}, and the network {now:.2g}.",
        "a check of the loss: it should compare each output with the target of the same row, along the right axis, and "
        "penalties, label_smoothing, class_weight and sample_weight should not hide what differs between rows.",
        "loss",
    )


def _is_by_chance(e: Evidence) -> bool:
    """Whether the skill is none, or on few held-out rows no more than chance, and hardly any on the training rows."""
    has_learned = not e.valid_skills or e.proves_relation or not e.train_skills[-1] < _HARDLY_ANY
    return e.has_no_skill or not has_learned
