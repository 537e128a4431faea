"""What may be changed in a training that is sick, without changing the user's module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from .._health.evidence import Evidence
from .._health.initialisation import can_initialise, initialise_by_data
from .._health.observer import LARGE_SHARE
from .._health.record import Finding
from .._health.recorder import first_tensor
from .._health.rules.remedies import FIXED_NORM, suggested_lr
from .._health.rules.scale import is_out_of_scale
from .gradient_clipping import GradientClipping

__all__ = ["Change", "Changes"]

# Of the norm of the weights, in one of the first steps.
_THROWN_ABOUT = 0.1
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
    forgets_best : bool
        Whether weights of before are of no use after it.
    """

    text: str
    restarts: bool
    apply: Callable[[], None]
    undo: Callable[[], None]
    lrs: tuple[float, float] | None = None
    forgets_best: bool = False


class Changes:
    """The changes that suit a net, and the settings of its training that they put in force.

    Parameters
    ----------
    net : skorch net
        Before its first step.

    Attributes
    ----------
    lr : float
        Learning rate in force.
    clipping : GradientClipping or None
        Where the net has none of its own.
    """

    def __init__(self, net: Any) -> None:
        self.lr = self._first_lr = float(net.lr)
        self._group_lrs = [group["lr"] for group in net.optimizer_.param_groups]
        self._group_decays = [group.get("weight_decay") for group in net.optimizer_.param_groups]
        self.clipping: GradientClipping | None = None
        # In a plain net, a scheduler of skorch sets the learning rate from numbers of its own.
        self._is_scheduled = any(hasattr(callback, "policy") for _, callback in net.callbacks_)

    def that_may_cure(self, finding: Finding, net: Any, e: Evidence, *, ended: bool) -> list[Change]:
        """The most likely one first."""
        symptom, cause = finding.symptom, finding.cause
        scale, weights = self._scaled_inputs(net, e), self._initial_weights(net, e)
        lower, higher = self._other_lr(e, lower=True, ended=ended), self._other_lr(e, lower=False, ended=ended)
        schedule, clip = self._usual_schedule(net, e, always=cause == "schedule"), self._clipped(net)
        if symptom == "input_scale":
            found = [scale, lower]
        elif symptom in _AT_THE_START:
            of_weights = cause != "updates" and self._started_badly(e, finding)
            found = [weights, lower, higher] if of_weights else [schedule, lower, weights]
        elif cause == "first_step":  # no learning rate has had a part in it
            found = [weights]
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
        if self._is_scheduled:
            return None
        old, new = self.lr, suggested_lr(e)
        if lower and not new < old / 2:
            new = old * 0.1
        if not lower and not new > 2 * old:
            return None
        # Weights that steps have thrown about from the first on are not worth going on from.
        goes_on = lower and not ended and max(e.skills, default=0.0) > 0.2 and e.update_size() < _THROWN_ABOUT
        return self.of_lr(old, new * further, restarts=not goes_on)

    def of_lr(self, old: float, new: float, *, restarts: bool) -> Change:
        """Another learning rate."""

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
                net._set(plan=replace(net.plan, lr_schedule=schedule, lr_schedule_params=params))

            return change

        name = getattr(old[0], "__name__", repr(old[0]))
        return Change(f"lr_schedule {name} -> 'cosine'", True, put("cosine", {}), put(*old))

    def put_lr(self, net: Any) -> None:
        """Give the optimizer the learning rate in force."""
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

        text = "inputs: as they are -> zero mean and unit variance"
        return Change(text, True, apply, lambda: undo.pop()(), forgets_best=True)

    def _clipped(self, net: Any) -> Change | None:
        """Clipping where there was none, or a fixed bound instead of one that follows the norms."""
        if isinstance(
            net.optimizer_, torch.optim.LBFGS
        ):  # clipped differences tell it of a curvature that is not there
            return None
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
