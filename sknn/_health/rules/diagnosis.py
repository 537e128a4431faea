"""The rules in the order of causes, and the one root cause that the evidence supports.

A new rule is a function of this package, ``(Evidence, ended) -> Finding or None``, and a line in `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..evidence import Evidence
from ..record import Finding
from .blind_loss import blind_loss
from .gradients import exploding, unscaled_target, vanishing, vanishing_over_time
from .input_scale import input_scale
from .noise import noise_in_evaluation, noise_in_training
from .not_learning import cut_off, frozen, hardly_moving, not_learning, shrinking, unrelated_labels
from .output_mismatch import output_mismatch
from .rising_loss import loss_diverging, overfitting
from .units import dead_units, saturated_units, saturated_units_on_all_paths, symmetric_init
from .wild_targets import wild_targets
from .worse_than_constant import worse_than_constant

__all__ = ["RULES", "Rule", "diagnose", "diagnose_before_training"]


class Rule(NamedTuple):
    """When a rule is asked.

    Attributes
    ----------
    find : callable, (Evidence, bool) -> Finding or None
        The bool says whether training has ended, so that this is the final diagnosis.
    before_training : bool
        Before the first step, and not later.
    works_with_few_rows : bool
        Even if there are too few training rows for other rules.
    needs_time : bool
        Only after enough steps to judge by (`Evidence.had_time`).
    causes_divergence : bool
        Also while the loss diverges, whenever that is; other rules are not asked then.
    """

    find: Callable[[Evidence, bool], Finding | None]
    before_training: bool = False
    works_with_few_rows: bool = False
    needs_time: bool = True
    causes_divergence: bool = False


# Each rule may cause what those after it find, so the first finding is the one that is reported.
RULES = (
    Rule(output_mismatch, before_training=True, works_with_few_rows=True),
    Rule(symmetric_init, works_with_few_rows=True, needs_time=False, causes_divergence=True),
    Rule(input_scale, causes_divergence=True),
    Rule(wild_targets, causes_divergence=True),
    Rule(unscaled_target, causes_divergence=True),
    Rule(blind_loss, causes_divergence=True),
    Rule(dead_units),
    Rule(saturated_units_on_all_paths, causes_divergence=True),
    Rule(noise_in_evaluation, causes_divergence=True),
    Rule(exploding, causes_divergence=True),
    Rule(saturated_units),
    Rule(frozen),
    Rule(cut_off),
    Rule(shrinking),
    Rule(vanishing),
    Rule(hardly_moving),
    Rule(vanishing_over_time),
    Rule(loss_diverging, needs_time=False, causes_divergence=True),
    Rule(unrelated_labels),
    Rule(overfitting),
    Rule(noise_in_training),
    Rule(not_learning),
    Rule(worse_than_constant, works_with_few_rows=True, needs_time=False, causes_divergence=True),
)


def diagnose(e: Evidence, *, ended: bool) -> Finding | None:
    """The first finding in the order of causes."""
    has_minimum = e.constant is not None and e.constant.is_bounded
    diverges = has_minimum and not e.has_few_rows and loss_diverging(e, ended) is not None
    had_time = e.had_time(ended)
    for rule in RULES:
        is_asked = rule.causes_divergence if diverges else had_time or not rule.needs_time
        if rule.before_training or not is_asked or (e.has_few_rows and not rule.works_with_few_rows):
            continue
        finding = rule.find(e, ended)
        if finding is not None:
            return finding
    return None


def diagnose_before_training(e: Evidence) -> Finding | None:
    """The first finding that needs no training step."""
    found = (rule.find(e, False) for rule in RULES if rule.before_training)
    return next((finding for finding in found if finding is not None), None)
