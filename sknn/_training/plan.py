"""What a training run is told beside the parameters that skorch knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

__all__ = ["TrainingPlan"]

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class TrainingPlan:
    """Everything about a training run; built once, complete, before the network.

    Attributes
    ----------
    epochs, batch_size : int
        Epochs of this run; rows per step, for each network.
    lr : float
        Largest learning rate of the schedule.
    lr_schedule, lr_schedule_params
        As the estimators' parameters.
    callbacks : list of skorch callbacks
    device : torch.device
    shuffle_seed : int
    weight_decay_follows_lr : bool
        Whether the weight decay was chosen for the learning rate, so that only their product counts.
    deadline : float or None
        ``time.perf_counter()`` at which the fit shall be over; the schedule ends there too.
    started : float
        ``time.perf_counter()`` at the start of the fit.
    precision : {"float32", "bfloat16", "auto"}
        The dtype of matrix products during training.
    compile : bool
        Whether training runs the network through ``torch.compile``.
    ema_decay : float or None
        Decay of the moving average of the weights that is validated and kept; None keeps the weights themselves.
    validation_score : callable or None
        Link output of the validation rows, float32 (n_valid, n_values) -> score, higher is better.
    columns : list of str or None
        Names of the numeric columns that reach the network untouched.
    scale_inputs : callable or None
        Scales these columns from now on, in training and prediction; returns a callable that undoes it.
    checkpoint : Checkpoint or None
        Is told of every epoch, and of the end.
    keeps_interrupted : bool
        Whether the best epoch is kept in case the training is interrupted.
    before_epoch, after_epoch : callable or None
        Called around every epoch, after the callbacks; `after_epoch` returns whether to stop.
    """

    epochs: int = 1
    batch_size: int = 128
    lr: float = 0.01
    lr_schedule: str | type = "constant"
    lr_schedule_params: dict[str, Any] | None = None
    callbacks: list[Any] = field(default_factory=list)
    device: torch.device = _CPU
    shuffle_seed: int = 0
    weight_decay_follows_lr: bool = False
    deadline: float | None = None
    started: float = 0.0
    precision: str = "float32"
    compile: bool = False
    ema_decay: float | None = None
    validation_score: Callable[[np.ndarray], float] | None = None
    columns: list[str] | None = None
    scale_inputs: Callable[[], Callable[[], None]] | None = None
    checkpoint: Any = None
    keeps_interrupted: bool = False
    before_epoch: Callable[[], None] | None = None
    after_epoch: Callable[[], bool] | None = None
