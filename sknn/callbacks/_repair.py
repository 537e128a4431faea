"""Repairs of a training run: one change at a time, kept only if the skill is better after as many steps."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._health.evidence import Evidence
from .._health.record import Finding, Repair, TrainingHealth
from .._health.rules.remedies import suggested_lr
from ._changes import Change, Changes
from ._protocol import SknnCallback, SknnNet
from ._state import ModuleState, StopTraining
from .early_stopping import EarlyStopping

__all__ = ["Repairs", "TrainAgain"]

_MOST_REPAIRS = 3
# A smaller gain of skill may be chance.
_CLEARLY = 0.01
# Skill of a loss that is many times that of a constant guess.
_USELESS = -2.0
# A training run ends too early if, near its end, it still makes up such a share of what is left to learn.
_STILL_RISING, _ENOUGH = 0.03, 0.9
# Before a change is judged, however early the fault was seen.
_FEWEST_STEPS = 50
# Two learning rates further apart than this factor leave a third one between them; the factor for one that is too low.
_MUCH, _RAISED = 10.0, 3.0


class _Snapshot:
    """Weights, buffers, optimizer, and the best weights that early stopping holds, as they are now."""

    def __init__(self, net: Any, stoppers: list[EarlyStopping]) -> None:
        self.weights = ModuleState(net)
        self.optimizer = copy.deepcopy(net.optimizer_.state_dict())
        self.best = [(stopper, stopper.best_so_far()) for stopper in stoppers]

    def restore(self, net: Any) -> None:
        """Put everything back."""
        self.weights.restore()
        net.optimizer_.load_state_dict(copy.deepcopy(self.optimizer))
        for stopper, best in self.best:  # weights found since may belong to inputs that were scaled
            stopper.go_back_to(best)


@dataclass
class Attempt:
    """A change on trial."""

    finding: Finding
    change: Change
    n_steps: int  # as the next three, of the training run in which the fault was found
    skill: float
    n_epochs: int
    planned_epochs: int
    made_after: int  # number of epochs in the history when the change was made
    falls_short: bool  # `TrainingHealth.falls_short` before the change
    # The state before the change, and that which the changed run began with; None until the change is made.
    before: _Snapshot | None = None
    start: _Snapshot | None = None

    @property
    def epochs(self) -> int:
        """Epochs of the changed run: all of them after a restart, else those that are left."""
        left = self.planned_epochs - self.n_epochs
        return max(0, self.planned_epochs) if self.change.restarts else max(1, left)


class TrainAgain(StopTraining):
    """Another run of epochs. Raising this asks a net of sknn for it; in a plain skorch net `change` is called."""

    def __init__(self, repairs: Repairs, epochs: int, undo: Attempt | None, attempt: Attempt | None = None) -> None:
        super().__init__("health")
        self.repairs = repairs
        self.epochs = epochs  # 0 for no further run
        self.undo, self.attempt = undo, attempt  # a change that did not help, and the one to make

    def change(self) -> None:
        """Prepare the next run; called once the schedule of the learning rate has been undone."""
        self.end()
        if self.attempt is not None:
            self.repairs.make(self.attempt)
        for _, callback in self.repairs.net.callbacks_:
            if isinstance(callback, SknnCallback):
                callback.start_again()

    def end(self) -> None:
        """Called instead of `change` if training is to end: undo the change that did not help."""
        if self.undo is not None:
            self.repairs.undo(self.undo)


class Repairs:
    """Tries changes, judges and records them."""

    def __init__(self, net: Any, health: TrainingHealth, watcher: Any) -> None:
        self.net, self.health, self.watcher = net, health, watcher
        self.start = _Snapshot(net, [])
        self.changes = Changes(net)
        self._last_lrs: tuple[float, float] | None = None  # before and after the last change of it that was kept
        self._too_high = math.inf  # the lowest learning rate at which the loss diverged
        self.running: Attempt | None = None
        self.n_tried = 0
        self.queue: list[Change] = []
        self.best: ModuleState | None = None
        self._best_loss, self._best_epoch = math.inf, 0
        self.falls_short = False  # of the run that has just ended
        self._has_new_weights = False  # whether new initial weights were kept
        self.restored_epoch = 0  # the one whose weights a repair of overfitting restored

    # ------------------------------------------------------------------ choosing and judging

    def attempt(self, e: Evidence, finding: Finding) -> None:
        """Make the first change that may help; in a net of sknn it ends the run of epochs."""
        if finding.symptom == "overfitting":
            self._restore_best(finding, e)
            return
        if finding.symptom in ("loss_diverging", "non_finite") or finding.cause == "updates":
            self._too_high = min(self._too_high, self.changes.lr)
        queue = self.changes.for_finding(finding, e, ended=self.watcher.has_ended)
        self.queue = [change for change in queue if change.kind != "initial_weights" or not self._has_new_weights]
        self._try_next(e, finding)

    def judge(self, e: Evidence, *, ended: bool) -> bool:
        """Keep or undo a change once it has had as many steps as went before; whether a change is still on trial."""
        attempt = self.running
        if attempt is None:
            return False
        collapsed = self.watcher.is_over or _collapses(e.train_skills, attempt.skill)
        if not (ended or collapsed or e.n_steps >= max(attempt.n_steps, _FEWEST_STEPS)):
            return True
        skill = e.skill if e.n_epochs else -math.inf
        clearly = _CLEARLY
        if attempt.finding.symptom in ("symmetric_init", "input_scale"):  # correct in any case, even if not sufficient
            clearly = -_CLEARLY
        # What is still far worse than a constant is not worth keeping while there is another change to try.
        is_useless = skill < _USELESS and bool(self.queue) and self.n_tried < _MOST_REPAIRS
        kept = not self.watcher.is_over and skill > attempt.skill + clearly and not is_useless
        if not (kept or ended or collapsed) and _is_rising(e.skills):  # it may begin more slowly, and end better
            return True
        self.running = None
        if collapsed and attempt.change.lrs is not None:
            self._too_high = min(self._too_high, self.changes.lr)
        self.health.repairs.append(
            Repair(attempt.finding.symptom, attempt.made_after, attempt.change.text, kept, attempt.skill, skill)
        )
        if kept:
            self.start = attempt.start or self.start
            self._has_new_weights |= attempt.change.kind in ("initial_weights", "weights_and_lr")
            self._last_lrs = attempt.change.lrs or self._last_lrs or (self.changes.lr, self.changes.lr)
            return False
        better = self._better_lr(e, attempt.change.lrs)
        if better is not None and not collapsed and _is_rising(e.skills):
            first, _ = attempt.change.lrs or (self.changes.lr, self.changes.lr)
            self.queue.insert(0, self.changes.of_lr(first, better, restarts=True))
        if self.queue and self.n_tried < _MOST_REPAIRS:
            self._try_next(e, attempt.finding, attempt)
            return True
        self.queue = []
        self.n_tried = _MOST_REPAIRS
        # Until the rest of the epochs, if any, has changed it.
        self.health.skill, self.health.falls_short = attempt.skill, attempt.falls_short
        self._continue(max(0, attempt.planned_epochs - attempt.n_epochs), attempt)
        return True

    def refine(self, e: Evidence) -> None:
        """After a change that helped, but not enough, try another learning rate."""
        better = self._better_lr(e, self._last_lrs)
        is_enough = e.skill >= _ENOUGH or not (e.is_worse_than_simple or _is_rising(e.skills))
        if better is None or self._last_lrs is None or is_enough:
            return
        self.queue = [self.changes.of_lr(self._last_lrs[1], better, restarts=True)]
        self._try_next(e, self.health.findings[-1])

    def _try_next(self, e: Evidence, finding: Finding, failed: Attempt | None = None) -> None:
        """Make the next change of the queue, after a failed one is undone."""
        n_epochs, cannot_continue = len(self.net.history), self.watcher.has_ended and not isinstance(self.net, SknnNet)
        if not self.queue or self.n_tried >= _MOST_REPAIRS or cannot_continue:
            return
        change = self.queue.pop(0)
        self.n_tried += 1
        if failed is None:
            skill = -math.inf if math.isnan(e.skill) else e.skill
            about = e.n_steps, skill, e.n_epochs, e.planned_epochs, n_epochs, self.falls_short
            attempt = Attempt(finding, change, *about)
        else:
            attempt = replace(failed, change=change, made_after=n_epochs, before=None, start=None)
        self._continue(attempt.epochs, failed, attempt)

    def _better_lr(self, e: Evidence, lrs: tuple[float, float] | None) -> float | None:
        """Above a learning rate that is too low, else between the last two, if they are far enough apart."""
        if lrs is None:
            return None
        first, last = lrs
        # Near its end a schedule makes any loss fall: the size of the updates shows whether they are too small.
        if last >= first and last < _MUCH * suggested_lr(e):
            factor = _MUCH if last > first and e.is_worse_than_simple else _RAISED
            raised = float(f"{min(max(suggested_lr(e), factor * last), _MUCH * last):.0e}")
            return raised if raised < self._too_high else None
        between = min(math.sqrt(first * last), _MUCH * last)
        return float(f"{between:.0e}") if max(lrs) > _MUCH * min(lrs) else None

    # ------------------------------------------------------------------ making and undoing

    def _continue(self, epochs: int, undo: Attempt | None, attempt: Attempt | None = None) -> None:
        """Begin another run of epochs; in a plain skorch net the present one continues, changed."""
        request = TrainAgain(self, epochs, undo, attempt)
        if isinstance(self.net, SknnNet):
            raise request
        request.change()

    def make(self, attempt: Attempt) -> None:
        """Make a change, and train from the state that it asks for."""
        attempt.before = _Snapshot(self.net, [c for _, c in self.net.callbacks_ if isinstance(c, EarlyStopping)])
        if attempt.change.restarts:
            self.start.restore(self.net)
        else:
            self.watcher.restore_last_good()
        self.changes.make(attempt.change)
        if attempt.change.kind == "scale_inputs":  # the best weights belong to inputs without that scale
            self.best, self._best_loss = None, math.inf
            for stopper, _ in attempt.before.best:
                stopper.forget_best()
        self.changes.put_lr()
        attempt.start = _Snapshot(self.net, []) if attempt.change.restarts else self.start
        self.running = attempt

    def undo(self, failed: Attempt) -> None:
        """Undo a change, and restore the state before it."""
        self.changes.undo(failed.change)
        assert failed.before is not None
        failed.before.restore(self.net)
        self.changes.put_lr()

    # ------------------------------------------------------------------ overfitting

    def note_epoch(self, e: Evidence) -> None:
        """Keep the weights of the best epoch, unless early stopping does."""
        loss = self.net.history[-1].get("valid_loss", math.inf)
        if e.restores_best or not loss < self._best_loss:
            return
        self._best_loss, self._best_epoch = loss, len(self.net.history)
        if self.best is None:
            self.best = ModuleState(self.net)
        self.best.save()

    def _restore_best(self, finding: Finding, e: Evidence) -> None:
        if self.best is None:
            return
        self.best.restore()
        best, n_epochs = max(e.valid_skills), len(self.net.history)
        self.health.skill, self.restored_epoch = best, self._best_epoch
        e.restores_best, e.best_epoch = True, 1 + int(np.argmax(e.valid_skills))
        self.health.repairs.append(
            Repair(finding.symptom, n_epochs, "weights of the best epoch", True, e.valid_skills[-1], best)
        )


def _collapses(skills: list[float], before: float) -> bool:
    """Whether the skill is far below that before the change, and below that of the first epoch after it."""
    return len(skills) > 1 and skills[-1] < min(before, 0.0) - 2 and skills[-1] < skills[0]


def _is_rising(skills: list[float]) -> bool:
    """Whether the last fifth of the epochs has made up a part of what was left to learn."""
    n = max(1, len(skills) // 5)
    if len(skills) < 5:
        return False
    before, last = float(np.mean(skills[-2 * n : -n])), float(np.mean(skills[-n:]))
    return last - before > _STILL_RISING * (1 - before)
