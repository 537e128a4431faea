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
# A network that learns reaches at least this share of what a linear model does.
_SHARE_OF_LINEAR = 0.5


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
    ask_linear, ask_related : callable
        For the skill of a linear guess, and whether a column is related to the target; asked at most once.
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
    """

    net: Any
    rows: tuple[Any, Any] | None
    constant: Constant | None
    looks: list[Look]
    norms: LayerNorms
    symmetric: SymmetricLayers
    start: list[Tensor]
    ask_linear: Callable[[], float]
    ask_related: Callable[[], bool]
    restores_best: bool
    columns: Sequence[str] | None
    lr: float
    planned_epochs: int
    n_train: int
    n_valid: int = 0
    n_steps: int = 0
    n_epochs: int = 0
    step_losses: list[np.ndarray] = field(default_factory=list)
    train_skills: list[float] = field(default_factory=list)
    valid_skills: list[float] = field(default_factory=list)
    _linear: float | None = None
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
            self._linear = self.ask_linear()
        return self._linear

    @property
    def related(self) -> bool:
        """Whether a column is related to the target."""
        if self._related is None:
            self._related = self.ask_related()
        return self._related

    @property
    def is_worse_than_linear(self) -> bool:
        """Whether it clearly has less skill than a linear guess, or none."""
        skill = self.skill
        return not math.isnan(skill) and (skill < _HARDLY_ANY_SKILL or skill < 0.8 * self.linear_skill)

    @property
    def learns_poorly(self) -> bool:
        """Whether it has no skill, or much less than a linear guess."""
        skill = self.skill
        if math.isnan(skill) or skill >= _FINE_SKILL:
            return False
        return skill < _HARDLY_ANY_SKILL or skill < _SHARE_OF_LINEAR * self.linear_skill

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
        """How far the weights went from their start, relative to their norm: that of the layer that went furthest."""
        furthest = 0.0
        for now, start in zip(trained(self.net), self.start, strict=True):
            size = max(float(start.double().norm()), 0.1 * math.sqrt(start.numel() / max(1, start[:1].numel())))
            furthest = max(furthest, float((now.detach().double() - start.double()).norm()) / size)
        return furthest

    def update_size(self) -> float:
        """What a step at the full learning rate changed at first, relative to the weights; NaN if unknown."""
        return self.norms.update_per_lr() * self.lr


def trained(net: Any) -> list[nn.Parameter]:
    """Parameters of the network that require gradients."""
    return [p for p in net.module_.parameters() if p.requires_grad]


def copies(net: Any) -> list[Tensor]:
    """Weights as they are now."""
    with torch.no_grad():
        return [p.detach().clone() for p in trained(net)]
