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
    """Everything that decides a training run, apart from network, loss, optimizer and rows; built once by ``fit``."""

    epochs: int  # a callback that repairs training may ask for further runs
    batch_size: int  # for each network of a committee
    lr: float
    callbacks: list[Any]
    device: torch.device
    lr_schedule: str | type = "constant"
    lr_schedule_params: dict[str, Any] | None = None
    shuffle_seed: int = 0
    weight_decay_follows_lr: bool = False  # it was chosen for the learning rate: only their product counts
    deadline: float | None = None  # `time.perf_counter()` at which fit and schedule shall be over
    started: float = 0.0  # `time.perf_counter()` at the start of the fit
    precision: str = "float32"  # of matrix products during training; or "bfloat16", "auto"
    compile: bool = False  # training runs the network through `torch.compile`
    ema_decay: float | None = None  # of the average of the weights that is validated and kept, if any
    # Link output of the validation rows, float32 (n_valid, n_values) -> score, higher is better.
    validation_score: Callable[[np.ndarray], float] | None = None
    columns: list[str] | None = None  # numeric ones that reach the network untouched
    # Scales these columns from now on, in training and prediction; returns a callable that undoes it.
    scale_inputs: Callable[[], Callable[[], None]] | None = None
    checkpoint: Checkpoint | None = None  # where the state is stored after epochs and at the end
    keeps_interrupted: bool = False  # Ctrl-C ends training with the weights of the best epoch so far
    # Before callbacks hear of an epoch's start, and after they hear of its end; this one returns whether to stop.
    before_epoch: Callable[[], None] | None = None
    after_epoch: Callable[[], bool] | None = None
    # Once a checkpoint was resumed or recalled: with its path, and whether that fit was finished.
    after_resume: Callable[[str, bool], None] | None = None
