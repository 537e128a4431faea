"""What exists only while a net is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from skorch.callbacks import Callback, Checkpoint, TrainEndCheckpoint
from torch import Tensor

from ..callbacks._state import ModuleState
from ..optim import LRSchedule, WeightAverage
from .plan import TrainingPlan

__all__ = ["KeptEpoch", "TrainingState"]

_EVENTS_OF_STEPS = ("on_batch_begin", "on_batch_end", "on_grad_computed")
_EVENTS = ("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", *_EVENTS_OF_STEPS)


# Of a field: whether a checkpoint stores it, since it decides how training continues from the end of an epoch; or each
# fit, epoch or step computes it again.
STORED, ANEW = {"in_checkpoint": True}, {"in_checkpoint": False}


@dataclass
class KeptEpoch:
    """The best epoch so far, for an interrupt."""

    score: float  # higher is better
    number: int  # from 1
    weights: ModuleState
    n_scalings: int  # of the inputs before: the weights fit no inputs that were scaled otherwise


@dataclass(eq=False)
class TrainingState:
    """The state of one training run, held as ``net.run`` from `prepare` or `attach` to `release`.

    Every field says whether a checkpoint stores it. Pickles and files of a net hold none of them.
    """

    plan: TrainingPlan = field(metadata=ANEW)
    # The optimizer must be given the plan's learning rate: its own is that of an earlier run.
    lr_changed: bool = field(default=False, metadata=ANEW)
    # Attributes of the net that `attach` took from the plan, as they were.
    settings_before: dict[str, Any] = field(default_factory=dict, metadata=ANEW)
    listeners: dict[str, list[Any]] = field(init=False, default_factory=dict, metadata=ANEW)  # by event
    # Whether a callback that is not part of sknn listens to batches or gradients.
    foreign_steps: bool = field(init=False, default=False, metadata=ANEW)
    # Whether a callback of skorch writes files, which it may name by what the history says of the last batch.
    saves_files: bool = field(init=False, default=False, metadata=ANEW)
    # As in the plan; earlier after a checkpoint, since the time that was used before it counts.
    started: float = field(init=False, metadata=ANEW)
    deadline: float | None = field(init=False, metadata=ANEW)
    weight_decay_follows_lr: bool = field(init=False, metadata=ANEW)
    columns: list[str] | None = field(init=False, metadata=ANEW)
    # Whether the run continues from a checkpoint, and its first epoch has not begun.
    is_resumed: bool = field(init=False, default=False, metadata=ANEW)
    compiled: Callable[..., Any] | None = field(init=False, default=None, metadata=ANEW)  # the network, in training
    step_losses: Tensor | None = field(init=False, default=None, metadata=ANEW)  # of the last epoch, (n_steps,)
    gradient_norm: float | None = field(init=False, default=None, metadata=ANEW)  # of the present step, if known

    # Of the runs of epochs that follow: the plan's, unless a repair changed them.
    lr_schedule: str | type = field(init=False, metadata=STORED)
    lr_schedule_params: dict[str, Any] | None = field(init=False, metadata=STORED)
    # Of the present run of epochs.
    schedule: LRSchedule | None = field(init=False, default=None, metadata=STORED)
    average: WeightAverage | None = field(init=False, default=None, metadata=STORED)
    planned_epochs: int = field(init=False, default=0, metadata=STORED)
    planned_steps: int = field(init=False, default=0, metadata=STORED)
    epochs_of_run: int = field(init=False, default=0, metadata=STORED)  # that are over
    first_step: int = field(init=False, default=0, metadata=STORED)  # that the net had taken before
    # How often `scale_inputs` was called and not undone.
    n_scalings: int = field(init=False, default=0, metadata=STORED)
    ended_by_clock: bool = field(init=False, default=False, metadata=STORED)
    # What ended the last run of epochs: "max_epochs", "early_stopping", "max_time", "health" or "callback".
    stopped_by: str = field(init=False, default="max_epochs", metadata=STORED)
    # For an interrupt: the best epoch, and the length of the history at the end of the last one.
    kept_epoch: KeptEpoch | None = field(init=False, default=None, metadata=STORED)
    n_complete: int = field(init=False, default=0, metadata=STORED)
    # In a checkpoint: the state of the generator that shuffles rows, and the time that the fit had taken.
    shuffle_state: Tensor | None = field(init=False, default=None, metadata=STORED)
    elapsed_s: float = field(init=False, default=0.0, metadata=STORED)

    def __post_init__(self) -> None:
        plan = self.plan
        self.started, self.deadline = plan.started, plan.deadline
        self.weight_decay_follows_lr, self.columns = plan.weight_decay_follows_lr, plan.columns
        self.lr_schedule, self.lr_schedule_params = plan.lr_schedule, plan.lr_schedule_params

    # ------------------------------------------------------------------ what callbacks use

    @property
    def scale_inputs(self) -> Callable[[], Callable[[], None]] | None:
        """Scales the untouched columns from now on; returns a callable that undoes it. None if there are none."""
        return None if self.plan.scale_inputs is None else self._scale_inputs

    def _scale_inputs(self) -> Callable[[], None]:
        assert self.plan.scale_inputs is not None
        undo_scaling = self.plan.scale_inputs()
        self.n_scalings += 1

        def undo() -> None:
            undo_scaling()
            self.n_scalings -= 1

        return undo

    def weights_were_restored(self) -> None:
        """A callback has replaced non-finite weights: their moving average begins anew."""
        if self.average is not None and self.schedule is not None:
            self._begin_average(self.schedule.optimizer)

    # ------------------------------------------------------------------ callbacks

    def listen(self, callbacks: Sequence[tuple[str, Any]]) -> None:
        """Note which events the callbacks override."""
        self.listeners = {
            event: [cb for _, cb in callbacks if getattr(type(cb), event, None) is not getattr(Callback, event)]
            for event in _EVENTS
        }
        heard = [callback for event in _EVENTS_OF_STEPS for callback in self.listeners[event]]
        self.foreign_steps = any(not type(callback).__module__.startswith("sknn.") for callback in heard)
        self.saves_files = any(isinstance(callback, Checkpoint | TrainEndCheckpoint) for _, callback in callbacks)

    # ------------------------------------------------------------------ runs of epochs

    def begin_epochs(self, epochs: int, n_batches: int, optimizer: torch.optim.Optimizer, n_steps: int) -> None:
        """Begin a run of epochs, with a schedule and an average of its own, after `n_steps` steps of the net."""
        self.planned_epochs, self.planned_steps = epochs, epochs * n_batches
        self.first_step, self.epochs_of_run = n_steps, 0
        self.schedule = LRSchedule(self.lr_schedule, self.lr_schedule_params or {}, optimizer, self.planned_steps)
        self._begin_average(optimizer)

    def _begin_average(self, optimizer: torch.optim.Optimizer) -> None:
        decay = self.plan.ema_decay
        changed = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.average = None if decay is None else WeightAverage(changed, decay)

    def progress(self, n_steps: int) -> float:
        """Share of the run that is over after `n_steps` steps of the net, in steps or seconds, whichever is larger."""
        progress = (n_steps - self.first_step) / max(1, self.planned_steps)
        if self.deadline is not None:
            planned_s = max(self.deadline - self.started, 1e-9)  # a clock cannot tell less
            progress = max(progress, (time.perf_counter() - self.started) / planned_s)
        return progress

    # ------------------------------------------------------------------ checkpoints

    def for_checkpoint(self, shuffle_state: Tensor | None) -> dict[str, Any]:
        """The stored fields, at the end of an epoch."""
        self.shuffle_state, self.elapsed_s = shuffle_state, time.perf_counter() - self.started
        return {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["in_checkpoint"]}

    def resume(self, stored: dict[str, Any]) -> None:
        """Be the state of which `stored` was taken: inputs are scaled again, and the time used before counts."""
        for name, value in stored.items():
            setattr(self, name, value)
        n_scalings, self.n_scalings = self.n_scalings, 0
        for _ in range(n_scalings):
            self._scale_inputs()
        if self.deadline is not None:
            shift = time.perf_counter() - self.elapsed_s - self.started
            self.started += shift
            self.deadline += shift
        self.is_resumed = True

    def plan_epochs(self, epochs: int) -> None:
        """Plan another number of epochs for the run that was resumed; its schedule does not depend on it."""
        self.planned_steps = self.planned_steps // max(1, self.planned_epochs) * epochs
        self.planned_epochs = epochs
