"""What a training run is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .._checkpoint import Checkpoint

__all__ = ["TrainingPlan"]


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that decides a training run, apart from network, loss, optimizer and rows; built once by ``fit``.

    Attributes
    ----------
    epochs : int
        Epochs of the run; a callback that repairs training may ask for further runs.
    batch_size : int
        Rows per step, for each network of a committee.
    lr : float
    callbacks : list of skorch callbacks
    device : torch.device
    lr_schedule, lr_schedule_params
        As the estimators' parameters.
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
        Of the moving average of the weights that is validated and kept; None keeps the weights themselves.
    validation_score : callable or None
        Link output of the validation rows, float32 (n_valid, n_values) -> score, higher is better.
    columns : list of str or None
        Names of the numeric columns that reach the network untouched.
    scale_inputs : callable or None
        Scales these columns from now on, in training and prediction; returns a callable that undoes it.
    checkpoint : Checkpoint or None
        Where the state is stored after epochs and at the end.
    keeps_interrupted : bool
        Whether Ctrl-C ends training with the weights of the best epoch so far.
    before_epoch, after_epoch : callable or None
        Called without arguments before the callbacks hear of an epoch's start, and after they hear of its end;
        `after_epoch` returns whether to stop.
    """

    epochs: int
    batch_size: int
    lr: float
    callbacks: list[Any]
    device: torch.device
    lr_schedule: str | type = "constant"
    lr_schedule_params: dict[str, Any] | None = None
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
    checkpoint: Checkpoint | None = None
    keeps_interrupted: bool = False
    before_epoch: Callable[[], None] | None = None
    after_epoch: Callable[[], bool] | None = None
