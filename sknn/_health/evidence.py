"""What is known of a training so far; the rules read nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .layers import LayerNorms
from .look import Look
from .reference import Constant
from .symmetry import SymmetricLayers

__all__ = ["Evidence"]

# Below this skill a network has not learned; noisy tasks allow little more.
_HARDLY_ANY_SKILL = 0.03
# So much skill is no accident, whatever a better network could reach.
_FINE_SKILL = 0.5
# Held-out rows.
_ENOUGH_TO_JUDGE_BY = 20
# Of fewer rows all sorts of things are seen by chance.
_FEW_ROWS = 64
# A network that learns reaches at least this share of what a simple guess does.
_SHARE_OF_SIMPLE, _CLEARLY_LESS = 0.5, 0.8


@dataclass
class Evidence:
    """A training, or the part of it since a repair.

    Attributes
    ----------
    net : skorch net
    rows : inputs and targets
        That the looks are taken at.
    constant : Constant
    looks : list of Look
        The first one before the first step.
    norms : LayerNorms
    symmetric : SymmetricLayers
    start : list of Tensor
        Weights before the first step.
    ask_simple, ask_related : callable
        For the skill of a simple guess (linear or not), and whether a column is related to the target; asked at most
        once.
    restores_best : bool
        Whether the best weights of the validation will be put back.
    columns : sequence of str or None
        Names of the columns of the input.
    lr : float
        Largest of the schedule.
    planned_epochs : int
    n_steps, n_epochs : int
        Done.
    step_losses : list of ndarray
        Of each epoch.
    train_skills, valid_skills : list of float
        Of each epoch; the latter is empty without validation rows.
    n_valid, n_train : int
        Rows.
    flow_at_start : ndarray or None
        Norm of the gradient of the loss with respect to each step of a sequence, before the first step.
    clipping, schedule : object
        Bound of the gradient and schedule of the learning rate that are in force, as the estimators call them; None
        where there is none, or where it is not known.
    """

    net: Any
    rows: tuple[Any, Any] | None
    constant: Constant | None
    looks: list[Look]
    norms: LayerNorms
    symmetric: SymmetricLayers
    start: list[Tensor]
    ask_simple: Callable[[bool], float]
    ask_related: Callable[[], bool]
    restores_best: bool
    columns: Sequence[str] | None
    lr: float
    planned_epochs: int
    n_train: int
    n_valid: int = 0
    flow_at_start: np.ndarray | None = None
    clipping: Any = None
    schedule: Any = None
    n_steps: int = 0
    n_epochs: int = 0
    step_losses: list[np.ndarray] = field(default_factory=list)
    train_skills: list[float] = field(default_factory=list)
    valid_skills: list[float] = field(default_factory=list)
    _linear: float | None = None
    _simple: float | None = None
    _related: bool | None = None

    # ------------------------------------------------------------------ how much was learned

    def look_skill(self, look: Look) -> float:
        """Skill at the rows of a look, in evaluation mode."""
        return math.nan if self.constant is None else self.constant.skill(look.loss)

    @property
    def skill(self) -> float:
        """The best that is known of what would be kept if training ended now; NaN where skill has no meaning.

        On held-out rows where there are enough of them, else on training rows.
        """
        if self.n_valid >= _ENOUGH_TO_JUDGE_BY and self.valid_skills:
            known = self.valid_skills if self.restores_best else self.valid_skills[-1:]
        else:
            known = self.train_skills[-1:] + [self.look_skill(look) for look in self.looks[-1:]]
        known = [skill for skill in known if not math.isnan(skill)]
        return max(known, default=math.nan)

    @property
    def skills(self) -> list[float]:
        """Of each epoch, on held-out rows where there are enough of them."""
        return self.valid_skills if self.n_valid >= _ENOUGH_TO_JUDGE_BY else self.train_skills

    @property
    def linear_skill(self) -> float:
        """Skill of a linear guess."""
        if self._linear is None:
            self._linear = self.ask_simple(True)
        return self._linear

    @property
    def simple_skill(self) -> float:
        """Skill of a guess that is linear in the inputs and in random features of them, or of the linear one."""
        if self._simple is None:
            self._simple = max(self.linear_skill, self.ask_simple(False))
        return self._simple

    @property
    def related(self) -> bool:
        """Whether a column is related to the target."""
        if self._related is None:
            self._related = self.ask_related()
        return self._related

    @property
    def is_worse_than_linear(self) -> bool:
        """Whether it clearly has less skill than a linear guess, or none."""
        return self.has_no_skill or self.skill < _CLEARLY_LESS * self.linear_skill

    @property
    def is_worse_than_simple(self) -> bool:
        """Whether it clearly has less skill than a simple guess, or none."""
        return self.has_no_skill or self.skill < _CLEARLY_LESS * self.simple_skill

    @property
    def is_fine(self) -> bool:
        """Whether it has, or at least fits, what no network without much skill could."""
        fitted = [skill for skill in (self.skill, *self.train_skills[-1:]) if not math.isnan(skill)]
        return max(fitted, default=math.nan) >= _FINE_SKILL

    @property
    def learns_poorly(self) -> bool:
        """Whether it has no skill, or much less than a simple guess; one that learns by heart learns."""
        return not self.is_fine and (self.has_no_skill or self.skill < _SHARE_OF_SIMPLE * self.simple_skill)

    @property
    def has_no_skill(self) -> bool:
        """Whether it is as good as a constant, or worse."""
        return self.skill < _HARDLY_ANY_SKILL

    @property
    def evaluated_skills(self) -> list[float]:
        """In evaluation mode, where dropout does not disturb: on held-out rows, else at the looks after the first."""
        return self.valid_skills or [self.look_skill(look) for look in self.looks[1:]]

    # ------------------------------------------------------------------ how long it has been learning

    @property
    def has_few_rows(self) -> bool:
        """Whether there are too few to judge by."""
        return 0 < self.n_train < _FEW_ROWS

    def had_time(self, ended: bool) -> bool:
        """Whether there were steps enough to judge by: half of the training, or all of it."""
        if ended:
            return self.n_steps >= 40 and self.n_epochs >= 3
        return self.n_steps >= 100 and self.n_epochs >= max(3, self.planned_epochs // 2)

    # ------------------------------------------------------------------ what moved

    def displacement(self) -> float:
        """How far the weights went from their start, relative to their norm: that of the layer that went furthest.

        Without the way along the weights themselves, which is that of weight decay.
        """
        furthest = 0.0
        for now, start in self._now_and_start():
            size = max(float(start.norm()), 0.1 * math.sqrt(start.numel() / max(1, start[:1].numel())))
            way = now - start
            if start.any():
                way = way - start * ((way * start).sum() / start.square().sum())
            furthest = max(furthest, float(way.norm()) / size)
        return furthest

    def shrinkage(self) -> float:
        """Norm of the weight matrices now, as a share of that at the start: the median over the layers."""
        shares = [
            float(now.norm() / start.norm()) for now, start in self._now_and_start() if now.ndim > 1 and start.any()
        ]
        return float(np.median(shares)) if shares else 1.0

    def _now_and_start(self) -> list[tuple[Tensor, Tensor]]:
        return [
            (p.detach().cpu().double(), start.cpu().double())
            for p, start in zip(trained(self.net), self.start, strict=True)
        ]

    @property
    def largest_lr(self) -> float:
        """That was in force in a step: a schedule may have raised it beyond `lr`, or kept it below."""
        return max(self.norms.lrs, default=self.lr)

    @property
    def schedule_raises_lr(self) -> bool:
        """Whether it has gone clearly beyond `lr`."""
        return self.largest_lr > 1.5 * self.lr

    def update_size(self) -> float:
        """What a step at the full learning rate changed at first, relative to the weights; NaN if unknown."""
        return self.norms.update_per_lr() * max(self.lr, self.largest_lr)


def trained(net: Any) -> list[nn.Parameter]:
    """Real parameters of the network that require gradients."""
    return [p for p in net.module_.parameters() if p.requires_grad and p.is_floating_point()]


def copies(net: Any) -> list[Tensor]:
    """Weights as they are now."""
    with torch.no_grad():
        return [p.detach().clone() for p in trained(net)]
