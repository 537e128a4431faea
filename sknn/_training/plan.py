"""What a training is told beside skorch's parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["TrainingPlan"]


@dataclass
class TrainingPlan:
    """Everything about a training that is not skorch's.

    Attributes
    ----------
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
        Of matrix products while training.
    compile : bool
        Whether training runs the network through ``torch.compile``.
    ema_decay : float or None
        Of the moving average of the weights that is validated and kept; None keeps the weights themselves.
    keeps_optimizer : bool
        Whether the optimizer's state is pickled with the net, for a training that goes on elsewhere.
    validation_score : callable or None
        Link output of the validation rows, float32 (n_valid, n_values) -> score, higher is better.
    columns : list of str or None
        Names of the columns of numbers that reach the network untouched.
    scale_inputs : callable or None
        Scales these from now on, in training and prediction; returns what undoes it.
    n_scalings : int
        How often that was done and not undone.
    checkpoint : Checkpoint or None
        Is told of every epoch, and of the end.
    keeps_interrupted : bool
        Whether the best epoch is kept for the case that somebody breaks the training off.
    before_epoch, after_epoch : callable or None
        Called around every epoch, after the callbacks; `after_epoch` returns whether to stop.
    """

    lr_schedule: str | type = "constant"
    lr_schedule_params: dict[str, Any] | None = None
    shuffle_seed: int = 0
    weight_decay_follows_lr: bool = False
    deadline: float | None = None
    started: float = 0.0
    precision: str = "float32"
    compile: bool = False
    ema_decay: float | None = None
    keeps_optimizer: bool = False
    validation_score: Callable[[np.ndarray], float] | None = None
    columns: list[str] | None = None
    scale_inputs: Callable[[], Callable[[], None]] | None = None
    n_scalings: int = 0
    checkpoint: Any = None
    keeps_interrupted: bool = False
    before_epoch: Callable[[], None] | None = None
    after_epoch: Callable[[], bool] | None = None
