"""The learning rate of every step."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import torch

from .._errors import refused_as, shown

__all__ = ["LRSchedule", "is_planned"]


def _cosine(progress: float, *, warmup: float, final: float) -> float:
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / max(1 - warmup, 1e-12)))


def _one_cycle(progress: float, *, warmup: float, initial: float, final: float) -> float:
    def between(start: float, end: float, share: float) -> float:
        return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))

    if progress < warmup:
        return between(initial, 1.0, progress / warmup)
    return between(1.0, final, (progress - warmup) / max(1 - warmup, 1e-12))


# Name -> (factor as a function of progress in [0, 1], its parameters)
CURVES: dict[str, tuple[Callable[..., float], dict[str, float]]] = {
    "cosine": (_cosine, {"warmup": 0.05, "final": 0.0}),
    "one_cycle": (_one_cycle, {"warmup": 0.3, "initial": 0.04, "final": 1e-4}),
}
# Keys of an optimizer's parameter groups that schedules write.
SCHEDULED = ("lr", "momentum", "betas", "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum")
STEPPED_PER_BATCH = (torch.optim.lr_scheduler.OneCycleLR, torch.optim.lr_scheduler.CyclicLR)


def is_planned(schedule: str | type) -> bool:
    """Whether the learning rates of `schedule` depend on the number of epochs that are planned."""
    return schedule is torch.optim.lr_scheduler.OneCycleLR or (isinstance(schedule, str) and schedule in CURVES)


class LRSchedule:
    """The learning rate of every step, by a name or a class of torch.optim.lr_scheduler; `params` are their arguments.

    ``"cosine"``: linear warm-up, then half a cosine (Loshchilov & Hutter, SGDR, ICLR 2017, arXiv:1608.03983).
    ``"one_cycle"``: Smith & Topin, Super-convergence, 2018, arXiv:1708.07120. Their parameters are fractions of the
    planned training and factors of lr. ``"plateau"``: the rate is halved when the validation loss (without validation
    rows the training loss) stops falling. A class is stepped once per epoch, OneCycleLR and CyclicLR once per batch;
    OneCycleLR gets `total_steps`, the number of planned steps. A ValueError if the name or a parameter is unknown.
    """

    def __init__(
        self, schedule: str | type, params: dict[str, Any], optimizer: torch.optim.Optimizer, total_steps: int
    ) -> None:
        self.optimizer = optimizer
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self._before = [{name: group[name] for name in SCHEDULED if name in group} for group in optimizer.param_groups]
        self.curve: Callable[[float], float] | None = None
        self.scheduler: Any = None
        self.per_batch = False
        if isinstance(schedule, str) and schedule in CURVES:
            function, defaults = CURVES[schedule]
            _check_curve_params(schedule, params, defaults)
            values = {**defaults, **params}
            self.curve = lambda progress: function(progress, **values)
        elif schedule == "constant":
            _check_curve_params("constant", params, {})
        else:
            self._build_scheduler(schedule, params, total_steps)

    def _build_scheduler(self, schedule: str | type, params: dict[str, Any], total_steps: int) -> None:
        cls: Any = schedule
        if schedule == "plateau":
            cls = torch.optim.lr_scheduler.ReduceLROnPlateau
            params = {"factor": 0.5, "patience": 5, **params}
        name = getattr(cls, "__name__", type(cls).__name__)
        with refused_as("lr_schedule", "a class of torch.optim.lr_scheduler, or a function that makes one"):
            accepted = inspect.signature(cls).parameters
        unknown = [name for name in params if name not in accepted]
        if unknown:
            names = sorted(set(accepted) - {"optimizer"})
            raise ValueError(f"lr_schedule_params: {unknown[0]!r} is unknown to {name}. Valid names: {names}.")
        if cls is torch.optim.lr_scheduler.OneCycleLR:
            params = {"max_lr": self.base_lrs, "total_steps": total_steps, **params}
            if "epochs" in params:
                params.pop("total_steps")
        try:
            self.scheduler = cls(self.optimizer, **params)
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise ValueError(f"lr_schedule: {name} refuses lr_schedule_params={shown(params)}: {reason}") from error
        if not callable(getattr(self.scheduler, "step", None)):
            raise TypeError(f"lr_schedule: {name} made {shown(self.scheduler)}, expected a scheduler with step().")
        self.per_batch = cls in STEPPED_PER_BATCH
        self.needs_metric = isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)

    def before_step(self, progress: float) -> None:
        """Set the rate for the step that starts at `progress`, the finished fraction of the planned training."""
        if self.curve is not None:
            for group in self.optimizer.param_groups[len(self.base_lrs) :]:  # added by a callback
                self.base_lrs.append(group["lr"])
                self._before.append({name: group[name] for name in SCHEDULED if name in group})
            factor = self.curve(min(progress, 1.0))
            for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
                group["lr"] = lr * factor

    def after_step(self) -> None:
        """Advance a scheduler that counts batches."""
        if self.per_batch and self.scheduler.last_epoch < getattr(self.scheduler, "total_steps", math.inf) - 1:
            self.scheduler.step()

    def after_epoch(self, loss: float) -> None:
        """Advance a scheduler that counts epochs, or watches `loss`."""
        if self.scheduler is not None and not self.per_batch:
            self.scheduler.step(loss) if self.needs_metric else self.scheduler.step()

    def undo(self) -> None:
        """Restore the rates that the schedule started from, for further training."""
        if self.curve is None and self.scheduler is None:  # "constant": only callbacks change the rates
            return
        for group, before in zip(self.optimizer.param_groups, self._before, strict=False):
            for name in SCHEDULED:
                group.pop(name, None)
            group.update(before)


def _check_curve_params(schedule: str, params: dict[str, Any], defaults: dict[str, float]) -> None:
    for name, value in params.items():
        if name not in defaults:
            raise ValueError(
                f"lr_schedule_params: {name!r} is unknown to {schedule!r}. Valid names: {sorted(defaults)}."
            )
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"lr_schedule_params: {name}={value!r}, expected a number in [0, 1].")
