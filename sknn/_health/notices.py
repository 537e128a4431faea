"""What to say of a result in which no rule found a fault: no skill, training that had not converged,
or too little to judge by."""

from __future__ import annotations

import math

import numpy as np

from .evidence import HARDLY_ANY_SKILL, SKILL_OF_A_RELATION, Evidence
from .record import Notice
from .rules.not_learning import UNRELATED
from .rules.remedies import suggested_lr

__all__ = ["notices"]

# Below this skill a network is no better than a constant guess.
_NO_SKILL = 0.01
# The best epoch on n held-out rows may reach this skill by chance, divided by the square root of n.
_BY_CHANCE = 1.5
# Of a clear skill of a simple model, the share that is far less.
_CLEAR_RELATION, _SHARE_OF_SIMPLE = 0.3, 0.4
# With fewer epochs a falling loss is what was asked for.
_FEWEST_EPOCHS = 8
# Gain of skill in the second half of the epochs that counts: as a share of the skill or of what was left to learn,
# whichever is less, and in itself. No default fit of 15 tables reaches it; most fits of a tenth of the epochs do.
_SHARE_GAINED, _GAINED = 0.08, 0.01
# The same on training rows: their loss always falls, since a network can memorise them.
_SHARE_GAINED_ON_TRAINING_ROWS, _GAINED_ON_TRAINING_ROWS = 0.25, 0.02
_CHECK = (
    "a check that each row of y belongs to its row of X; if it does, the inputs may hardly tell the target: other "
    "columns may."
)


def notices(e: Evidence) -> list[Notice]:
    """At the end of training without a finding: the notices that the result deserves."""
    found = _no_skill(e)
    if found is not None and found.name == "no_skill":
        return [found]
    return [notice for notice in (found or _not_converged(e) or _far_behind(e), _not_judged(e)) if notice is not None]


def _not_judged(e: Evidence) -> Notice | None:
    """Why neither health nor a fault can be told."""
    if e.is_judged:
        return None
    if e.few_rows_decide:
        seen = (
            "95 % or more of the loss comes from a quarter of the rows or fewer, so that it says little of the others"
        )
        remedy = "a look at the targets that are far from most; criterion='absolute_error' ignores them."
        return Notice("not_judged", f"{seen}.", remedy)
    if e.has_wild_targets:
        seen = (
            "1 % of the training targets hold 95 % or more of the squared error, so that the skill is that of few rows"
        )
        remedy = "a look at these targets; criterion='absolute_error' or 'huber', or the logarithm of the target."
        return Notice("not_judged", f"{seen}.", remedy)
    if e.has_perfect_constant:
        seen = "a constant guess has next to no loss, so that no skill is known"
        return Notice("not_judged", f"{seen}.", "a check of the loss, and of the weights that it gives to rows.")
    if e.has_few_rows:
        if e.train.n_effective < e.train.n_rows // 2:
            seen = f"the weights of few of {e.train.n_rows} training rows outweigh those of all others"
            seen = f"{seen}: they count as {e.train.n_effective:.3g} rows of equal weight"
            return Notice("not_judged", f"{seen}.", "a smaller range of sample_weight or class_weight.")
        return Notice("not_judged", f"there are too few training rows to judge by: {e.train.n_rows}.", "more rows.")
    seen = f"there were too few steps or epochs to judge by: {e.n_steps} and {e.n_epochs}"
    return Notice("not_judged", f"{seen}.", "more epochs; for parts of a stream, the score on rows held out.")


def _no_skill(e: Evidence) -> Notice | None:
    """The kept weights are no better than a constant guess, or not by more than chance or memory explains."""
    skill, n_held_out = e.kept_skill, e.valid.n_rows if e.valid_skills else 0
    seen = f"after {e.n_steps} steps the skill on {e.judged_on} is {skill:.2g} (0 is the best constant guess)"
    if skill < -1:
        seen = f"after {e.n_steps} steps the loss on {e.judged_on} is {1 - skill:.3g} times that of a constant guess"
    if skill < -1 and not e.had_time(True):
        return Notice("not_converged", f"{seen}.", f"a larger max_epochs (it is {e.planned_epochs}).")
    if math.isnan(skill) or (e.proves_relation and not (skill < HARDLY_ANY_SKILL and _is_surpassed(e))):
        return None
    if skill < HARDLY_ANY_SKILL and not e.had_rows_and_time:
        return Notice("no_skill", f"{seen}; too few rows or steps to judge by.", "more rows or epochs, or a lower lr.")
    if skill < HARDLY_ANY_SKILL and _is_surpassed(e):
        seen = f"{seen}, where a simple model reaches {e.simple_skill:.2g}"
        return Notice("no_skill", f"{seen}.", f"another lr (it is {e.lr:.3g}), more epochs, or a smaller module.")
    # A relation that tests find does not have to be proved once more by the held-out rows.
    is_likely = e.valid_skills and e.related and skill > e.by_chance(n_held_out) / 3
    if skill < _NO_SKILL and not is_likely:
        return Notice("no_skill", f"{seen}.", _CHECK)
    # Where the rows that were held out, if any, prove nothing, there must be a relation that tests find.
    if not e.had_rows_and_time or (n_held_out and skill >= _BY_CHANCE / math.sqrt(n_held_out)) or not e.is_unrelated:
        return None
    why = "of so few held-out rows that may be chance" if n_held_out else "it may be memory"
    return Notice("no_skill", f"{seen}, but {why}, and {UNRELATED}.", _CHECK)


def _is_surpassed(e: Evidence) -> bool:
    """Whether a simple model is clearly related to the target, and has twice the skill."""
    return e.simple_skill >= max(SKILL_OF_A_RELATION, 2 * e.kept_skill)


def _not_converged(e: Evidence) -> Notice | None:
    """In the second half of the epochs the loss fell clearly, and it was lowest near the end.

    The last epochs alone would not show it, since most schedules end with a learning rate near zero.
    """
    skills = np.nan_to_num(e.skills, nan=-np.inf)
    n = len(skills)
    if n < _FEWEST_EPOCHS or e.has_few_rows:
        return None
    half, best = float(skills[: n - n // 2].max()), float(skills.max())
    since_best = n - 1 - int(np.argmax(skills))
    near_end = max(1, n // 5) if e.patience is None else min(max(1, n // 5), e.patience)
    gain = best - half
    # 1 - skill is the loss in units of the constant's; a loss that may be negative can fall below zero.
    is_held_out = e.skills is e.valid_skills
    share, least = _SHARE_GAINED, _GAINED
    if not is_held_out:
        share, least = _SHARE_GAINED_ON_TRAINING_ROWS, _GAINED_ON_TRAINING_ROWS
    is_clear = math.isfinite(half) and half < 1 and gain >= max(least, share * min(best, 1 - half))
    if not is_clear or since_best >= near_end:
        return None
    rows = "held-out" if is_held_out else "training"
    seen = (
        f"in the last {n // 2} of {n} epochs the {rows} loss still fell by {gain / (1 - half):.0%} (skill {half:.3g} "
        f"to {best:.3g}), and it was lowest in epoch {n - since_best}: training had not converged."
    )
    more = f"a larger max_epochs (it is {e.planned_epochs})"
    if e.n_epochs < e.planned_epochs:
        more = f"more time, since training ended after {e.n_epochs} of {e.planned_epochs} epochs"
    lr = suggested_lr(e)
    higher = f"lr={lr:.1g} (it is {e.lr:.3g})" if lr > 2 * e.lr else f"a higher lr (it is {e.lr:.3g})"
    return Notice("not_converged", seen, f"{more}, or {higher}.")


def _far_behind(e: Evidence) -> Notice | None:
    """A simple model has surely much more skill, though nothing shows whether more epochs would help."""
    skill = e.kept_skill
    if not e.learns_poorly or e.has_few_rows or not skill < _SHARE_OF_SIMPLE * e.simple_skill:
        return None
    if e.simple_skill < _CLEAR_RELATION or e.simple_skill - skill < 3 * e.error_beside_simple(skill):
        return None
    seen = f"after {e.n_steps} steps the skill on {e.judged_on} is {skill:.2g}, where a simple model reaches"
    remedy = f"a larger max_epochs (it is {e.planned_epochs}), or a higher lr (it is {e.lr:.3g})."
    return Notice("not_converged", f"{seen} {e.simple_skill:.2g}.", remedy)
