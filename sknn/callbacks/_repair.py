"""Changes that may cure a training: one at a time, kept only if the skill is better after as many steps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._health.evidence import Evidence
from .._health.record import Finding, Repair, TrainingHealth
from .._health.rules.remedies import suggested_lr
from ._changes import Change, Changes
from ._protocol import run_of
from ._state import ModuleState, TrainAgain
from .early_stopping import EarlyStopping
from .gradient_clipping import GradientClipping

__all__ = ["Repairs", "can_train_again"]

_MOST_REPAIRS = 3
# A skill must be better by so much to be no accident.
_CLEARLY = 0.01
# A training ends too early if, near its end, it still makes up such a share of what is left to learn.
_STILL_RISING, _ENOUGH = 0.03, 0.9
# Before a change is judged, however early what it is to cure was seen.
_FEWEST_STEPS = 50
# Learning rates that leave room between them, and what to try beyond one that is too low.
_MUCH, _RAISED = 10.0, 3.0


@dataclass
class _Attempt:
    finding: Finding
    change: Change
    n_steps: int
    skill: float
    n_epochs: int
    planned_epochs: int
    made_after: int
    before: _Snapshot | None = None
    start: _Snapshot | None = None


class _Snapshot:
    """Weights, buffers, optimizer, and what early stopping holds for the best, as they are now."""

    def __init__(self, net: Any, stoppers: list[EarlyStopping]) -> None:
        self.weights = ModuleState(net)
        self.optimizer = copy.deepcopy(net.optimizer_.state_dict())
        self.best = [(stopper, stopper.best_so_far()) for stopper in stoppers]

    def restore(self, net: Any) -> None:
        """Put everything back."""
        self.weights.restore()
        net.optimizer_.load_state_dict(copy.deepcopy(self.optimizer))
        for stopper, best in self.best:  # what was found since may fit inputs that were scaled otherwise
            stopper.go_back_to(best)


class Repairs:
    """Tries changes, judges them, and keeps the books.

    Parameters
    ----------
    net : skorch net
        Before its first step.
    health : TrainingHealth
        Where repairs are recorded.
    """

    def __init__(self, net: Any, health: TrainingHealth) -> None:
        self.health = health
        self.start = _Snapshot(net, [])
        self.changes = Changes(net)
        self._last_lrs: tuple[float, float] | None = None  # before and after the last change of it that was kept
        self.running: _Attempt | None = None
        self.n_tried = 0
        self.queue: list[Change] = []
        self.best: ModuleState | None = None
        self._best_loss = math.inf

    # ------------------------------------------------------------------ the course of a repair

    def attempt(self, net: Any, e: Evidence, finding: Finding, watcher: Any) -> None:
        """Make the first change that may cure a finding; it ends the run of epochs where the net can begin anew."""
        if finding.symptom == "overfitting":
            self._go_back_to_best(net, finding, e)
            return
        self.queue = self.changes.that_may_cure(finding, net, e, ended=watcher.has_ended)
        self._try_next(net, e, finding, watcher, lambda: None)

    def judge(self, net: Any, e: Evidence, watcher: Any, *, ended: bool) -> bool:
        """Keep or undo a change once it has had as many steps as went before; whether a change is still on trial."""
        attempt = self.running
        if attempt is None:
            return False
        collapsed = watcher.is_over or _collapses(e.train_skills, attempt.skill)
        if not (ended or collapsed or e.n_steps >= max(attempt.n_steps, _FEWEST_STEPS)):
            return True
        skill = e.skill if e.n_epochs else -math.inf
        clearly = _CLEARLY
        if attempt.finding.symptom in ("symmetric_init", "input_scale"):  # right in any case, be it not enough
            clearly = -_CLEARLY
        kept = not watcher.is_over and skill > attempt.skill + clearly
        if not (kept or ended or collapsed) and _is_rising(e.skills):  # it may begin more slowly, and end better
            return True
        self.running = None
        self.health.repairs.append(
            Repair(attempt.finding.symptom, attempt.made_after, attempt.change.text, kept, attempt.skill, skill)
        )
        if kept:
            self.start = attempt.start or self.start
            self._last_lrs = attempt.change.lrs or self._last_lrs or (self.changes.lr, self.changes.lr)
            return False

        def back() -> None:
            attempt.change.undo()
            assert attempt.before is not None
            attempt.before.restore(net)
            self.changes.put_lr(net)

        better = self._better_lr(e, attempt.change.lrs)
        if better is not None and not collapsed and _is_rising(e.skills):
            first, _ = attempt.change.lrs or (self.changes.lr, self.changes.lr)
            self.queue.insert(0, self.changes.of_lr(first, better, restarts=True))
        if self.queue and self.n_tried < _MOST_REPAIRS:
            self._try_next(net, e, attempt.finding, watcher, back, attempt)
            return True
        left = attempt.planned_epochs - attempt.n_epochs
        self.queue = []
        self.n_tried = _MOST_REPAIRS
        self._go_on(net, watcher, back, epochs=left, instead=back)
        return True

    def _try_next(
        self,
        net: Any,
        e: Evidence,
        finding: Finding,
        watcher: Any,
        first: Callable[[], None],
        failed: _Attempt | None = None,
    ) -> None:
        """Make the next change of the queue, after `first`."""
        if not self.queue or self.n_tried >= _MOST_REPAIRS or (watcher.has_ended and not can_train_again(net)):
            return
        change = self.queue.pop(0)
        self.n_tried += 1
        if failed is None:
            skill = -math.inf if math.isnan(e.skill) else e.skill
            attempt = _Attempt(finding, change, e.n_steps, skill, e.n_epochs, e.planned_epochs, len(net.history))
        else:
            attempt = replace(failed, change=change, made_after=len(net.history), before=None, start=None)

        def begin() -> None:
            first()
            attempt.before = _Snapshot(net, [c for _, c in net.callbacks_ if isinstance(c, EarlyStopping)])
            if change.restarts:
                self.start.restore(net)
            else:
                watcher.restore_last_good()
            change.apply()
            if change.forgets_best:
                self.best, self._best_loss = None, math.inf
                for stopper, _ in attempt.before.best:
                    stopper.forget_best()
            self.changes.put_lr(net)
            attempt.start = _Snapshot(net, []) if change.restarts else self.start
            self.running = attempt

        epochs = attempt.planned_epochs if change.restarts else max(1, attempt.planned_epochs - attempt.n_epochs)
        self._go_on(net, watcher, begin, epochs=epochs, instead=first)

    def refine(self, net: Any, e: Evidence, watcher: Any) -> None:
        """After a change that helped, but not enough, try another learning rate."""
        better = self._better_lr(e, self._last_lrs)
        is_enough = e.skill >= _ENOUGH or not (e.is_worse_than_simple or _is_rising(e.skills))
        if better is None or self._last_lrs is None or is_enough:
            return
        self.queue = [self.changes.of_lr(self._last_lrs[1], better, restarts=True)]
        self._try_next(net, e, self.health.findings[-1], watcher, lambda: None)

    def _better_lr(self, e: Evidence, lrs: tuple[float, float] | None) -> float | None:
        """Above a learning rate that is too low, else between the last two, if there is room."""
        if lrs is None:
            return None
        first, last = lrs
        # Near its end a schedule makes any loss fall: the size of the steps tells whether they are too small.
        if last >= first and last < _MUCH * suggested_lr(e):
            factor = _MUCH if last > first and e.is_worse_than_simple else _RAISED
            return max(suggested_lr(e), float(f"{factor * last:.0e}"))
        return float(f"{math.sqrt(first * last):.0e}") if max(lrs) > _MUCH * min(lrs) else None

    def _go_on(
        self, net: Any, watcher: Any, change: Callable[[], None], *, epochs: int, instead: Callable[[], None]
    ) -> None:
        """Make a change, and let training begin a new run of epochs; in a plain skorch net the present one goes on.

        If somebody wants training to end, `instead` is called: what undoes a change that did not help.
        """

        def begin() -> None:
            change()
            watcher.start_again()
            for _, callback in net.callbacks_:
                if isinstance(callback, (EarlyStopping, GradientClipping)):
                    callback.start_again()

        if can_train_again(net):
            raise TrainAgain(begin, max(0, epochs), instead)
        begin()

    def note_epoch(self, e: Evidence, record: Any, net: Any) -> None:
        """Keep the weights of the best epoch, where nothing else does."""
        loss = record.get("valid_loss", math.inf)
        if e.restores_best or not loss < self._best_loss:
            return
        self._best_loss = loss
        if self.best is None:
            self.best = ModuleState(net)
        self.best.save()

    def _go_back_to_best(self, net: Any, finding: Finding, e: Evidence) -> None:
        if self.best is None:
            return
        self.best.restore()
        best = max(e.valid_skills)
        self.health.repairs.append(
            Repair(finding.symptom, len(net.history), "weights of the best epoch", True, e.valid_skills[-1], best)
        )


def _collapses(skills: list[float], before: float) -> bool:
    """Whether a change has made it clearly worse, and it gets worse and worse."""
    return len(skills) > 1 and skills[-1] < min(before, 0.0) - 2 and skills[-1] < skills[0]


def _is_rising(skills: list[float]) -> bool:
    """Whether the last fifth of the epochs has made up a part of what was left to learn."""
    n = max(1, len(skills) // 5)
    if len(skills) < 5:
        return False
    before, last = float(np.mean(skills[-2 * n : -n])), float(np.mean(skills[-n:]))
    return last - before > _STILL_RISING * (1 - before)


def can_train_again(net: Any) -> bool:
    """Whether the net's loop understands `TrainAgain`: ours does."""
    return run_of(net) is not None
