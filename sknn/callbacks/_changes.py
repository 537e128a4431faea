"""The changes that a repair may make to a training run; the user's module stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import torch
from skorch.callbacks import LRScheduler

from .._health.evidence import Evidence
from .._health.initialisation import can_initialise, initialise_by_data
from .._health.observer import LARGE_SHARE
from .._health.record import Finding
from .._health.recorder import first_tensor
from .._health.rules.input_scale import out_of_scale
from .._health.rules.not_learning import output_spread
from .._health.rules.remedies import FIXED_NORM, large_eps, lowest_lr, suggested_lr
from ._protocol import run_of
from .gradient_clipping import GradientClipping

__all__ = ["Change", "Changes"]

# If each of the first steps changes more than this share of the norm of the weights, the weights are not worth keeping.
_LARGE_UPDATE = 0.1
# Spread of the outputs before the first step, relative to that of the target: no learning rate has made them constant.
_CONSTANT = 0.05
_AT_THE_START = ("symmetric_init", "dead_units", "saturated_units", "exploding", "vanishing")


@dataclass
class Change:
    """A record of one change; :class:`Changes` makes it and undoes it."""

    kind: Literal[
        "lr",
        "lr_schedule",
        "weight_decay",
        "eps",
        "add_clipping",
        "max_norm",
        "initial_weights",
        "weights_and_lr",
        "scale_inputs",
    ]
    text: str  # what is changed, from what to what
    restarts: bool  # whether training begins again from the initial weights, or continues from the last good ones
    # Values before and after; for "initial_weights", `new` holds the arguments of `initialise_by_data`, and for
    # "weights_and_lr" those and the learning rate; for "scale_inputs", `old` is the callable that undoes the scaling,
    # once that was done.
    old: Any = None
    new: Any = None

    @property
    def lrs(self) -> tuple[float, float] | None:
        """The learning rates before and after, if these are what is changed."""
        if self.kind == "weights_and_lr":
            return self.old, self.new[1]
        return (self.old, self.new) if self.kind == "lr" else None


class Changes:
    """The changes that suit a net, and the settings of its training that they have put in force."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.lr = self._first_lr = float(net.lr)
        self._group_lrs = [group["lr"] for group in net.optimizer_.param_groups]
        self._group_decays = [group.get("weight_decay") for group in net.optimizer_.param_groups]
        self._group_eps = [group.get("eps") for group in net.optimizer_.param_groups]
        self.clipping: GradientClipping | None = None
        # In a plain net, a scheduler of skorch sets the learning rate, whatever the optimizer is given here.
        self._is_scheduled = any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_)

    # ------------------------------------------------------------------ making and undoing

    def make(self, change: Change) -> None:
        """Put the new value in force."""
        if change.kind == "scale_inputs":
            run = run_of(self.net)
            assert run is not None
            assert run.scale_inputs is not None
            change.old = run.scale_inputs()
        elif change.kind == "initial_weights":
            initialise_by_data(self.net, *change.new)
        elif change.kind == "weights_and_lr":
            arguments, self.lr = change.new
            initialise_by_data(self.net, *arguments)
        else:
            self._put(change.kind, change.new)

    def undo(self, change: Change) -> None:
        """Put the old value back; weights are put back with the snapshot that they belong to."""
        if change.kind == "scale_inputs":
            change.old()
        elif change.kind != "initial_weights":
            self._put(change.kind, change.old)

    def _put(self, kind: str, value: Any) -> None:
        if kind in ("lr", "weights_and_lr"):
            self.lr = value
        elif kind == "weight_decay":
            self._group_decays = value
        elif kind == "eps":
            self._group_eps = value
        elif kind == "lr_schedule":
            run = run_of(self.net)
            assert run is not None
            run.lr_schedule, run.lr_schedule_params = value
        elif kind == "max_norm":
            clipper = self._own_clippers()[-1]
            clipper.max_norm_ = value
            clipper.start_again()
        elif value is None:
            self.clipping = None
        else:
            self.clipping = GradientClipping(value)
            self.clipping.on_train_begin(self.net)

    def put_lr(self) -> None:
        """Give the optimizer the learning rate, weight decay and eps in force."""
        factor = self.lr / self._first_lr
        run = run_of(self.net)
        follows = run is not None and run.weight_decay_follows_lr
        settings = self._group_lrs, self._group_decays, self._group_eps
        for group, lr, decay, eps in zip(self.net.optimizer_.param_groups, *settings, strict=False):
            group["lr"] = lr * factor
            if eps is not None:
                group["eps"] = eps
            if "initial_lr" in group:
                group["initial_lr"] = lr * factor
            if decay is not None:  # a step shrinks the weights by the product of the two
                group["weight_decay"] = decay / factor if follows else decay

    # ------------------------------------------------------------------ choosing

    def for_finding(self, finding: Finding, e: Evidence, *, ended: bool) -> list[Change]:
        """The changes that may help, the most likely one first."""
        symptom, cause = finding.symptom, finding.cause
        scale, weights = self._scaled_inputs(e), self._initial_weights(e)
        lower, higher = self._other_lr(e, lower=True, ended=ended), self._other_lr(e, lower=False, ended=ended)
        schedule, clip = self._usual_schedule(e, always=cause == "schedule"), self._clipped()
        if symptom == "input_scale":
            found = [scale, lower]
        elif symptom in _AT_THE_START:
            of_weights = cause != "updates" and _started_badly(e, finding)
            if not of_weights:
                found = [schedule, lower, weights]
            elif symptom == "exploding" and weights is not None:
                found = [weights, self._weights_and_lr(weights), lower]
            else:
                found = [weights, lower, higher]
        elif cause == "first_step":  # no learning rate was involved yet
            found = [weights]
        elif symptom in ("loss_diverging", "non_finite"):
            found = [schedule, lower, self._other_lr(e, lower=True, ended=ended, further=0.1), clip, weights]
        elif symptom == "not_learning":
            was_constant = bool(e.inspections) and output_spread(e, e.inspections[0]) < _CONSTANT
            by_cause = {
                "small_updates": [self._unbound(), self._usual_eps(), higher, weights],
                "schedule": [schedule],
                "weight_decay": [self._weaker_decay()],
                "constant_outputs": [weights, higher] if was_constant else [lower, weights],
                "cut_off": [weights],
                "unknown": [weights, higher or lower],
            }
            found = by_cause.get(cause or "", [])
        else:
            found = []
        if symptom != "input_scale" and found and out_of_scale(e) is not None:
            found = [scale, *found]
        return [change for change in found if change is not None]

    def _other_lr(self, e: Evidence, *, lower: bool, ended: bool, further: float = 1.0) -> Change | None:
        """The learning rate at which the first updates would have had the usual size; a tenth if they had."""
        if self._is_scheduled:
            return None
        old, new = self.lr, suggested_lr(e)
        if lower and not new < old / 2:
            new = old * 0.1
        if not lower and not new > 2 * old:
            return None
        new = max(new * further, lowest_lr(old)) if lower else new
        continues = lower and not ended and max(e.skills, default=0.0) > 0.2 and e.update_size() < _LARGE_UPDATE
        return self.of_lr(old, new, restarts=not continues)

    def of_lr(self, old: float, new: float, *, restarts: bool) -> Change:
        """Another learning rate."""
        return Change("lr", f"lr {old:.3g} -> {new:.3g}", restarts, old, new)

    def _usual_schedule(self, e: Evidence, *, always: bool) -> Change | None:
        """Replaces a schedule that leads the learning rate far from `lr`."""
        run = run_of(self.net)
        if run is None or (not always and 0.03 * e.lr < e.largest_lr < 3 * e.lr):
            return None
        old = run.lr_schedule, run.lr_schedule_params
        name = old[0].__name__ if isinstance(old[0], type) else repr(old[0])
        return Change("lr_schedule", f"lr_schedule {name} -> 'cosine'", True, old, ("cosine", {}))

    def _weaker_decay(self) -> Change | None:
        """A hundredth of the weight decay."""
        old = self._group_decays
        most = max((decay for decay in old if decay is not None), default=0.0)
        new = [None if decay is None else decay / 100 for decay in old]
        text = f"weight_decay {most:.3g} -> {most / 100:.3g}"
        return Change("weight_decay", text, True, old, new) if most else None

    def _usual_eps(self) -> Change | None:
        """The usual number to guard against a division by zero, instead of one that makes every step small."""
        eps, old = large_eps(self.net.optimizer_), self._group_eps
        return None if eps is None else Change("eps", f"eps {eps:.3g} -> 1e-08", True, old, [1e-8] * len(old))

    def _initial_weights(self, e: Evidence) -> Change | None:
        if e.rows is None or e.constant is None or not e.inspections:
            return None
        inspection = e.inspections[0]
        if not can_initialise(self.net.module_, inspection):
            return None
        text = "initial weights: drawn anew, scaled by the data (arXiv:1511.06422)"
        return Change("initial_weights", text, True, new=(e.rows, inspection, e.constant))

    def _weights_and_lr(self, weights: Change) -> Change | None:
        """New weights, and a tenth of the learning rate: nothing could be seen of it behind huge outputs."""
        if self._is_scheduled:
            return None
        lr = 0.1 * self.lr
        return Change(
            "weights_and_lr", f"{weights.text}; lr {self.lr:.3g} -> {lr:.3g}", True, self.lr, (weights.new, lr)
        )

    def _scaled_inputs(self, e: Evidence) -> Change | None:
        run = run_of(self.net)
        if run is None or run.scale_inputs is None or e.rows is None or first_tensor(e.rows[0]).ndim < 2:
            return None
        return Change("scale_inputs", "inputs: as they are -> zero mean and unit variance", True)

    def _clipped(self) -> Change | None:
        """Clipping if there was none, or a fixed bound instead of one that follows the norms."""
        if isinstance(self.net.optimizer_, torch.optim.LBFGS):  # clipped differences falsify its estimate of curvature
            return None
        clippers = self._own_clippers()
        if not clippers:
            return Change("add_clipping", "gradient_clipping None -> 'auto'", False, None, "auto")
        if clippers[-1].max_norm_ != "auto":
            return None
        return Change("max_norm", f"gradient_clipping 'auto' -> {FIXED_NORM}", False, "auto", FIXED_NORM)

    def _unbound(self) -> Change | None:
        """A bound that follows the norms instead of a fixed one, which may make every step small."""
        clippers = self._own_clippers()
        if not clippers or not isinstance(clippers[-1].max_norm_, Real):
            return None
        old = clippers[-1].max_norm_
        return Change("max_norm", f"gradient_clipping {float(old):.3g} -> 'auto'", True, old, "auto")

    def _own_clippers(self) -> list[GradientClipping]:
        return [callback for _, callback in self.net.callbacks_ if isinstance(callback, GradientClipping)]


def _started_badly(e: Evidence, finding: Finding) -> bool:
    """Whether the fault was there before the first step."""
    if finding.symptom in ("symmetric_init", "exploding", "vanishing") or not e.inspections:
        return True
    activations = [a for a in e.inspections[0].activations if not a.is_gate]
    shares = [a.inactive if finding.symptom == "dead_units" else a.saturated for a in activations]
    return max(shares, default=0.0) >= LARGE_SHARE
