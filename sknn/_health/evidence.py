"""What is known of a training run so far; the rules read nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from .careful import careful
from .dominance import far_from_others, is_squared
from .inspection import Inspection
from .layers import LayerNorms
from .observer import LARGE_SHARE, Activation
from .plain_loss import plain_skill_of_model, plain_skill_of_network
from .reference import Constant
from .relation import ROWS_FOR_MODEL, is_related, skill_of_model
from .sampling import RowSource
from .symmetry import SymmetricLayers
from .weight_movement import WeightMovement

__all__ = [
    "ENOUGH_HELD_OUT",
    "HARDLY_ANY_SKILL",
    "MEMORISED",
    "SKILL_OF_A_RELATION",
    "Evidence",
]

# Below this skill a network is hardly better than a constant guess; noisy tasks allow little more.
HARDLY_ANY_SKILL = 0.03
# A network with this much skill learns, whatever a better one could reach.
_FINE_SKILL = 0.5
# Held-out rows needed to judge by them rather than by training rows.
_ENOUGH_TO_JUDGE_BY = 20
# With fewer training rows, many statistics are extreme by chance.
_FEW_ROWS = 64
# With fewer, a network fits whatever it is given, so that a high skill says nothing.
_FEWEST_ROWS = 20
# A network that learns reaches at least this share of the skill of a simple model.
_SHARE_OF_SIMPLE, _CLEARLY_LESS = 0.5, 0.8
# Skill of a simple model on held-out rows that proves a relation.
SKILL_OF_A_RELATION = 0.05
# Square of the standard errors by which a skill on new rows exceeds chance: it is the best of many epochs. One is added
# for each class beyond two.
_BEYOND_CHANCE = 12.0
# Held-out rows on which a loss above that of a constant guess is no chance.
ENOUGH_HELD_OUT = 50
# A network that has learned its training rows with this skill, but on others only such a share of a simple model's, has
# memorised them.
MEMORISED, _SHARE_OF_MEMORY = 0.3, 0.25


@dataclass
class Evidence:
    """A training run, or the part of it since a repair."""

    net: Any
    rows: tuple[Any, Any] | None  # inputs and targets that inspections use
    constant: Constant | None
    inspections: list[Inspection]  # the one before the first step, and the last two
    norms: LayerNorms
    symmetric: SymmetricLayers
    weights: WeightMovement  # from before the first step
    train: RowSource
    valid: RowSource
    restores_best: bool  # whether training ends with the weights of the best validation epoch
    patience: int | None  # epochs without improvement after which training stops
    checks_shapes: bool  # whether the loss itself refuses targets of another shape than the outputs
    loss_name: str  # class of the loss, as the user knows it
    columns: Sequence[str] | None  # names of the columns of the input
    lr: float  # largest of the schedule
    planned_epochs: int
    # Norm of the gradient of the loss with respect to each step of a sequence, before the first training step.
    flow_at_start: np.ndarray | None = None
    # Bound of the gradient and schedule in force, as parameters of the estimators; None if unknown, or there is none.
    clipping: Any = None
    schedule: Any = None
    n_steps: int = 0  # finished so far, as n_epochs
    n_epochs: int = 0
    inspected_after: int = 0  # epochs before the last inspection
    best_epoch: int = 0  # the one whose weights are restored, from 1; 0 before the end, and if it is of an earlier run
    # Skill of the weights of an earlier run that will be restored unless this one is better; NaN if there are none.
    skill_of_earlier: float = math.nan
    step_losses: list[np.ndarray] = field(default_factory=list)  # losses of the steps of each epoch
    # Skill after each epoch; that of validation is empty without validation rows.
    train_skills: list[float] = field(default_factory=list)
    valid_skills: list[float] = field(default_factory=list)

    def add_epoch(self, losses: np.ndarray, train_loss: float, valid_loss: float | None) -> None:
        """Add an epoch: the losses of its steps, and the mean losses of the epoch."""
        finite = losses[np.isfinite(losses)]
        self.n_steps += len(losses)
        self.n_epochs += 1
        if len(finite):
            self.step_losses.append(finite)
        if self.constant is None:
            return
        if not math.isfinite(train_loss) and len(finite):  # the mean of the steps that were not skipped
            train_loss = float(finite.mean())
        self.train_skills.append(self.constant.skill(train_loss))
        if valid_loss is not None:
            self.valid_skills.append(self.constant.skill(valid_loss, held_out=True))

    # ------------------------------------------------------------------ how much was learned

    def skill_at(self, inspection: Inspection) -> float:
        """Skill on the inspected rows, in evaluation mode."""
        return math.nan if self.constant is None else self.constant.skill(inspection.loss, inspected=True)

    @property
    def skill(self) -> float:
        """The highest known skill of the weights that would be kept if training ended now; NaN if it is undefined.

        On held-out rows if there are enough of them, else on training rows.
        """
        if self.valid.n_rows >= _ENOUGH_TO_JUDGE_BY and self.valid_skills:
            known = [*self.valid_skills, self.skill_of_earlier] if self.restores_best else self.valid_skills[-1:]
        else:
            known = self.train_skills[-1:] + [self.skill_at(inspection) for inspection in self.inspections[-1:]]
        known = [skill for skill in known if not math.isnan(skill)]
        return max(known, default=math.nan)

    @property
    def has_risen(self) -> bool:
        """Whether the last training loss is more than twice the first one."""
        if self.constant is None or not self.train_skills or not self.step_losses:
            return False
        return 1 - self.train_skills[-1] > 2 * (1 - self.constant.skill(float(self.step_losses[0][0])))

    @property
    def kept_skill(self) -> float:
        """Skill of the weights that are kept if training ends now: on held-out rows if there are any, else on others.

        NaN if it is undefined.
        """
        if self.valid_skills:
            is_known = self.best_epoch or not self.restores_best  # without a best epoch, the last one is kept
            known = (
                [self.valid_skills[self.best_epoch - 1]] if is_known else [*self.valid_skills, self.skill_of_earlier]
            )
        else:
            known = self.train_skills[-1:]  # in training mode, and before the last steps
            if self.n_epochs and self.inspected_after == self.n_epochs:
                known = [*known, self.skill_at(self.inspections[-1])]
        return max((skill for skill in known if not math.isnan(skill)), default=math.nan)

    @property
    def judged_on(self) -> str:
        """The rows that `kept_skill` is of, in words."""
        return f"{self.valid.n_rows} held-out rows" if self.valid_skills else "the training rows"

    @property
    def skills(self) -> list[float]:
        """Skill after each epoch, on held-out rows if there are enough of them."""
        return self.valid_skills if self.valid.n_rows >= _ENOUGH_TO_JUDGE_BY else self.train_skills

    @cached_property
    def linear_skill(self) -> float:
        """Skill of a linear model."""
        return self._skill_of_model(linear=True)

    @cached_property
    def simple_skill(self) -> float:
        """Skill of a model that is linear in the inputs and in random features of them, or of the linear one."""
        return max(self.linear_skill, self._skill_of_model(linear=False))

    def error_beside_simple(self, skill: float) -> float:
        """Standard error of the difference between such a skill and that of a simple model."""
        n_network = self.valid.n_rows if self.skills is self.valid_skills else self.train.n_rows
        n_simple = min(self.train.n_rows, ROWS_FOR_MODEL) // 2
        # That of a share of explained variance.
        pairs = ((skill, n_network), (self.simple_skill, n_simple))
        of_each = (4 * max(s, 0.05) * (1 - s) ** 2 / max(1, n) for s, n in pairs)
        return math.sqrt(sum(of_each))

    def _skill_of_model(self, *, linear: bool) -> float:
        if self.constant is None:
            return 0.0
        about = self.net, self.inspections[0], self.train, self.constant
        return careful(skill_of_model, *about, linear=linear, otherwise=0.0)

    @property
    def has_perfect_constant(self) -> bool:
        """Whether a constant has next to no loss, so that no skill is known."""
        return self.constant is not None and self.constant.is_perfect

    @cached_property
    def plain_skill(self) -> float:
        """Skill of a simple model under the squared error, whatever the loss is; without weights that hide rows."""
        about = self.inspections[0], self.train
        return careful(plain_skill_of_model, *about, weighted=not self.has_perfect_constant, otherwise=0.0)

    def plain_skill_now(self) -> float:
        """The same of the outputs of the network."""
        weighted = not self.has_perfect_constant
        return careful(plain_skill_of_network, self.net, self.rows, weighted=weighted, otherwise=1.0)

    @cached_property
    def related(self) -> bool:
        """Whether a column is related to the target."""
        return careful(is_related, self.train.some(2000), otherwise=True)

    @property
    def is_unrelated(self) -> bool:
        """Whether neither a column nor a simple model of all columns is related to the target."""
        n_judged = min(self.train.n_rows, ROWS_FOR_MODEL) // 2
        proof = min(SKILL_OF_A_RELATION, self.by_chance(n_judged))
        return not self.related and self.simple_skill < proof

    def by_chance(self, n_rows: int) -> float:
        r"""Skill on so many new rows that hardly any network without a relation to the target exceeds.

        Outputs that are unrelated to the target lower the squared error by :math:`z^2 / n` of its mean at most, with z
        their correlation in standard errors, and the log-loss, in nats, by half of that.
        """
        if self.constant is None or n_rows < 1:
            return math.inf
        is_squared = self.rows is None or not isinstance(self.rows[1], Tensor) or self.rows[1].is_floating_point()
        if is_squared:
            return _BEYOND_CHANCE / n_rows
        n_free = _BEYOND_CHANCE + max(0, len(self.constant.value) - 2)
        return n_free / n_rows / (2 * max(abs(self.constant.loss), 0.1))

    @property
    def proves_relation(self) -> bool:
        """Whether the skill of the kept weights on held-out rows exceeds chance."""
        return bool(self.valid_skills) and self.kept_skill >= self.by_chance(self.valid.n_rows)

    @property
    def memorises(self) -> bool:
        """Whether the network has learned its training rows and nothing else, though a simple model learns more."""
        has_rows = self.valid.n_telling >= ENOUGH_HELD_OUT and bool(self.valid_skills)
        if not has_rows or not self.train_skills[-1] >= MEMORISED or not self.skill < _SHARE_OF_MEMORY:
            return False
        is_lost = self.has_no_skill or self.skill < _SHARE_OF_MEMORY * self.simple_skill
        return is_lost and self.simple_skill >= 2 * SKILL_OF_A_RELATION

    @property
    def is_worse_than_linear(self) -> bool:
        """Whether the network clearly has less skill than a linear model, or none."""
        return self.has_no_skill or self.skill < _CLEARLY_LESS * self.linear_skill

    @property
    def is_worse_than_simple(self) -> bool:
        """Whether the network clearly has less skill than a simple model, or none."""
        return self.has_no_skill or self.skill < _CLEARLY_LESS * self.simple_skill

    @property
    def is_fine(self) -> bool:
        """Whether the skill is high, at least on the training rows, unless these are only memorised."""
        fitted = [skill for skill in (self.skill, *self.train_skills[-1:]) if not math.isnan(skill)]
        return max(fitted, default=math.nan) >= _FINE_SKILL and not self.memorises

    @property
    def learns_poorly(self) -> bool:
        """Whether the network has no skill, or much less than a simple model; overfitting does not count."""
        return not self.is_fine and (self.has_no_skill or self.skill < _SHARE_OF_SIMPLE * self.simple_skill)

    @property
    def has_no_skill(self) -> bool:
        """Whether the network is as good as a constant guess, or worse."""
        return self.skill < HARDLY_ANY_SKILL

    # ------------------------------------------------------------------ how long it has been learning

    @property
    def has_few_rows(self) -> bool:
        """Whether there are too few training rows to judge by."""
        return 0 < self.train.n_effective < _FEW_ROWS

    @property
    def is_judged(self) -> bool:
        """Whether there is enough to judge by, at the end of training."""
        if self.few_rows_decide or self.has_perfect_constant or self.has_wild_targets:
            return False
        is_fine = self.is_fine and not 0 < self.train.n_effective < _FEWEST_ROWS
        return is_fine or self.had_rows_and_time

    @property
    def had_rows_and_time(self) -> bool:
        """Whether there were enough training rows and steps to judge by, at the end of training."""
        return self.had_time(True) and not self.has_few_rows

    @property
    def few_rows_decide(self) -> bool:
        """Whether the loss is the sum of a few wild targets and little else, so that no skill is known."""
        return self.constant is not None and self.constant.few_rows_decide

    @cached_property
    def has_wild_targets(self) -> bool:
        """Whether few training targets hold nearly all of a squared error, so that the skill is theirs."""
        return careful(self._has_wild_targets, otherwise=False)

    def _has_wild_targets(self) -> bool:
        targets = self.train.targets(self.train.n_rows)
        if self.constant is None or targets is None or far_from_others(targets[1], mostly_zero=True) is None:
            return False
        return is_squared(self.net, self.inspections[0], self.constant.value, targets[1], targets[0])

    def had_time(self, ended: bool) -> bool:
        """Whether there were enough steps to judge by: half of the planned epochs, or all of them."""
        if ended:
            best = int(np.nanargmax([-math.inf, *self.valid_skills]))  # from 1
            # What early stopping ended has had the time that it needed, be its steps few and large.
            has_waited = self.patience is not None and len(self.valid_skills) - best >= self.patience
            return self.n_steps >= (20 if has_waited else 40) and self.n_epochs >= 3
        return self.n_steps >= 100 and self.n_epochs >= max(3, self.planned_epochs // 2)

    # ------------------------------------------------------------------ activations

    def persistent(
        self, share: Callable[[Activation], float], counts: Callable[[Activation], bool] = lambda _: True
    ) -> tuple[Activation, float] | None:
        """Of the activations that count, the one whose share was largest at both of the last two inspections.

        None if no share was large.
        """
        last = [[a for a in inspection.activations if counts(a)] for inspection in self.inspections[-2:]]
        if len(last) < 2 or len(last[0]) != len(last[1]):
            return None
        found = None
        for before, now in zip(*last, strict=True):
            both = min(share(before), share(now))
            if now.n_units >= 4 and both >= LARGE_SHARE and (found is None or both > found[1]):
                found = now, both
        return found

    # ------------------------------------------------------------------ learning rates

    @property
    def largest_lr(self) -> float:
        """The largest that was in force in a step: a schedule may raise it beyond `lr`, or keep it below."""
        return max(self.norms.lrs, default=self.lr)

    @property
    def schedule_raises_lr(self) -> bool:
        """Whether the learning rate has clearly exceeded `lr`."""
        return self.largest_lr > 1.5 * self.lr

    def update_size(self) -> float:
        """Norm of a first update at the full learning rate, relative to that of the weights; NaN if unknown."""
        return self.norms.update_per_lr() * max(self.lr, self.largest_lr)
