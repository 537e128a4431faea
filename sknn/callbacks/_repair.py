"""Changes that may cure a training: one at a time, kept only if the skill is better after as many steps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._health.evidence import Evidence
from .._health.initialisation import can_initialise, initialise_by_data
from .._health.observer import LARGE_SHARE
from .._health.record import Finding, Repair, TrainingHealth
from .._health.recorder import first_tensor
from .._health.remedies import FIXED_NORM, suggested_lr
from .._health.scale import is_out_of_scale
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
_AT_THE_START = ("symmetric_init", "dead_units", "saturated_units", "exploding", "vanishing")


@dataclass
class Change:
    """Something to try.

    Attributes
    ----------
    text : str
        What is changed, from what to what.
    restarts : bool
        Whether training begins again from the initial weights, or goes on from the last good ones.
    apply, undo : callable
    lrs : (float, float) or None
        The learning rates before and after, where these are what is changed.
    """

    text: str
    restarts: bool
    apply: Callable[[], None]
    undo: Callable[[], None]
    lrs: tuple[float, float] | None = None


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

    def restore_best(self) -> None:
        """Forget what early stopping has found since: it may fit inputs that were scaled otherwise."""
        for stopper, best in self.best:
            stopper.go_back_to(best)


class Repairs:
    """Tries changes, judges them, and keeps the books.

    Parameters
    ----------
    net : skorch net
        Before its first step.
    health : TrainingHealth
        Where repairs are recorded.

    Attributes
    ----------
    lr : float
        Learning rate in force.
    """

    def __init__(self, net: Any, health: TrainingHealth) -> None:
        self.health = health
        self.start = _Snapshot(net, [])
        self.lr = self._first_lr = float(net.lr)
        self._group_lrs = [group["lr"] for group in net.optimizer_.param_groups]
        self._group_decays = [group.get("weight_decay") for group in net.optimizer_.param_groups]
        self._last_lrs: tuple[float, float] | None = None  # before and after the last change of it that was kept
        self.running: _Attempt | None = None
        self.n_tried = 0
        self.queue: list[Change] = []
        self.clipping: GradientClipping | None = None
        self.best: ModuleState | None = None
        self._best_loss = math.inf

    # ------------------------------------------------------------------ the course of a repair

    def attempt(self, net: Any, e: Evidence, finding: Finding, watcher: Any) -> None:
        """Make the first change that may cure a finding; it ends the run of epochs where the net can begin anew."""
        if finding.symptom == "overfitting":
            self._go_back_to_best(net, finding, e)
            return
        self.queue = self._changes(net, e, finding, ended=watcher.has_ended)
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
            self._last_lrs = attempt.change.lrs or self._last_lrs or (self.lr, self.lr)
            return False

        def back() -> None:
            attempt.change.undo()
            assert attempt.before is not None
            attempt.before.restore(net)
            attempt.before.restore_best()
            self._put_lr(net)

        better = self._better_lr(e, attempt.change.lrs)
        if better is not None and not collapsed and _is_rising(e.skills):
            first, _ = attempt.change.lrs or (self.lr, self.lr)
            self.queue.insert(0, self._lr_change(first, better, restarts=True))
        if self.queue and self.n_tried < _MOST_REPAIRS:
            self._try_next(net, e, attempt.finding, watcher, back, attempt)
            return True
        left = attempt.planned_epochs - attempt.n_epochs
        self.queue = []
        self.n_tried = _MOST_REPAIRS
        self._go_on(net, watcher, back, epochs=left)
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
            self._put_lr(net)
            attempt.start = _Snapshot(net, []) if change.restarts else self.start
            self.running = attempt

        epochs = attempt.planned_epochs if change.restarts else max(1, attempt.planned_epochs - attempt.n_epochs)
        self._go_on(net, watcher, begin, epochs=epochs)

    def refine(self, net: Any, e: Evidence, watcher: Any) -> None:
        """After a change that helped, but not enough, try another learning rate."""
        better = self._better_lr(e, self._last_lrs)
        is_enough = e.skill >= _ENOUGH or not (e.is_worse_than_simple or _is_rising(e.skills))
        if better is None or self._last_lrs is None or is_enough:
            return
        self.queue = [self._lr_change(self._last_lrs[1], better, restarts=True)]
        self._try_next(net, e, self.health.findings[-1], watcher, lambda: None)

    def _better_lr(self, e: Evidence, lrs: tuple[float, float] | None) -> float | None:
        """Above a learning rate that is too low, else between the last two, if there is room."""
        if lrs is None:
            return None
        first, last = lrs
        # Near its end a schedule makes any loss fall: rising skill alone does not tell that steps are too small.
        if last == first or (last > first and _is_rising(e.skills) and last < _MUCH * suggested_lr(e)):
            return max(suggested_lr(e), float(f"{_RAISED * last:.0e}"))
        return float(f"{math.sqrt(first * last):.0e}") if max(lrs) > _MUCH * min(lrs) else None

    def _go_on(self, net: Any, watcher: Any, change: Callable[[], None], *, epochs: int) -> None:
        """Make a change, and let training begin a new run of epochs; in a plain skorch net the present one goes on."""

        def begin() -> None:
            change()
            watcher.start_again()
            for _, callback in net.callbacks_:
                if isinstance(callback, (EarlyStopping, GradientClipping)):
                    callback.start_again()

        if can_train_again(net):
            raise TrainAgain(begin, max(0, epochs))
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

    # ------------------------------------------------------------------ what may be changed

    def _changes(self, net: Any, e: Evidence, finding: Finding, *, ended: bool) -> list[Change]:
        """What may cure a finding, the most likely first."""
        symptom, cause = finding.symptom, finding.cause
        scale, weights = self._scaled_inputs(net, e), self._initial_weights(net, e)
        lower, higher = self._other_lr(e, lower=True, ended=ended), self._other_lr(e, lower=False, ended=ended)
        schedule, clip = self._usual_schedule(net, e, always=cause == "schedule"), self._clipped(net)
        if symptom == "input_scale":
            found = [scale, lower]
        elif symptom in _AT_THE_START:
            of_weights = cause != "updates" and self._started_badly(e, finding)
            found = [weights, lower, higher] if of_weights else [schedule, lower, weights]
        elif symptom in ("loss_diverging", "non_finite"):
            found = [schedule, lower, self._other_lr(e, lower=True, ended=ended, further=0.1), clip, weights]
        elif symptom == "not_learning":
            by_cause = {
                "small_updates": [higher, weights],
                "schedule": [schedule],
                "constant_outputs": [lower, weights],
                "unknown": [weights, higher or lower],
            }
            found = by_cause.get(cause or "", [])
        else:
            found = []
        if symptom != "input_scale" and found and is_out_of_scale(e):
            found = [scale, *found]
        return [change for change in found if change is not None]

    def _started_badly(self, e: Evidence, finding: Finding) -> bool:
        if finding.symptom in ("symmetric_init", "exploding", "vanishing") or not e.looks:
            return True
        share = "inactive" if finding.symptom == "dead_units" else "saturated"
        return any(getattr(a, share) >= LARGE_SHARE for a in e.looks[0].activations if not a.is_gate)

    def _other_lr(self, e: Evidence, *, lower: bool, ended: bool, further: float = 1.0) -> Change | None:
        """The learning rate at which the first steps would have been usual ones, or a tenth where they were."""
        old, new = self.lr, suggested_lr(e)
        if lower and not new < old / 2:
            new = old * 0.1
        if not lower and not new > 2 * old:
            return None
        goes_on = lower and not ended and max(e.skills, default=0.0) > 0.2
        return self._lr_change(old, new * further, restarts=not goes_on)

    def _lr_change(self, old: float, new: float, *, restarts: bool) -> Change:
        def put(lr: float) -> Callable[[], None]:
            def change() -> None:
                self.lr = lr

            return change

        return Change(f"lr {old:.3g} -> {new:.3g}", restarts, put(new), put(old), (old, new))

    def _usual_schedule(self, net: Any, e: Evidence, *, always: bool) -> Change | None:
        """Instead of a schedule that leads the learning rate far from what was asked for."""
        plan = getattr(net, "plan", None)
        if plan is None or (not always and 0.03 * e.lr < e.largest_lr < 3 * e.lr):
            return None
        old = plan.lr_schedule, plan.lr_schedule_params

        def put(schedule: Any, params: Any) -> Callable[[], None]:
            def change() -> None:
                plan.lr_schedule, plan.lr_schedule_params = schedule, params

            return change

        name = getattr(old[0], "__name__", repr(old[0]))
        return Change(f"lr_schedule {name} -> 'cosine'", True, put("cosine", {}), put(*old))

    def _put_lr(self, net: Any) -> None:
        factor = self.lr / self._first_lr
        follows = getattr(getattr(net, "plan", None), "weight_decay_follows_lr", False)
        groups = zip(net.optimizer_.param_groups, self._group_lrs, self._group_decays, strict=False)
        for group, lr, decay in groups:
            group["lr"] = lr * factor
            if "initial_lr" in group:
                group["initial_lr"] = lr * factor
            if follows and decay is not None:  # what a step takes of the weights is their product
                group["weight_decay"] = decay / factor

    def _initial_weights(self, net: Any, e: Evidence) -> Change | None:
        rows, constant = e.rows, e.constant
        if rows is None or constant is None or not e.looks or not can_initialise(net.module_, e.looks[0]):
            return None
        look = e.looks[0]

        def apply() -> None:
            initialise_by_data(net, rows, look, constant)

        # Weights are part of what is put back anyway.
        return Change("initial weights: drawn anew, scaled by the data (arXiv:1511.06422)", True, apply, lambda: None)

    def _scaled_inputs(self, net: Any, e: Evidence) -> Change | None:
        scale_inputs = getattr(getattr(net, "plan", None), "scale_inputs", None)
        if scale_inputs is None or e.rows is None or first_tensor(e.rows[0]).ndim < 2:
            return None
        undo: list[Callable[[], None]] = []

        def apply() -> None:
            undo.append(scale_inputs())

        return Change("inputs: as they are -> zero mean and unit variance", True, apply, lambda: undo.pop()())

    def _clipped(self, net: Any) -> Change | None:
        """Clipping where there was none, or a fixed bound instead of one that follows the norms."""
        clippers = [callback for _, callback in net.callbacks_ if isinstance(callback, GradientClipping)]
        if not clippers:

            def apply() -> None:
                self.clipping = GradientClipping("auto")
                self.clipping.on_train_begin(net)

            def undo() -> None:
                self.clipping = None

            return Change("gradient_clipping None -> 'auto'", False, apply, undo)
        clipper = clippers[-1]
        if clipper.max_norm != "auto":
            return None

        def bound_by(max_norm: float | str) -> Callable[[], None]:
            def change() -> None:
                clipper.max_norm = max_norm
                clipper.start_again()

            return change

        text = f"gradient_clipping 'auto' -> {FIXED_NORM}"
        return Change(text, False, bound_by(FIXED_NORM), bound_by("auto"))


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
    return hasattr(net, "weights_were_put_back")
