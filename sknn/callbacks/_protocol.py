"""What callbacks of sknn and a net of sknn tell each other beyond skorch's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from ..optim import FlatParameters

__all__ = ["SknnNet", "TrainingRun", "run_of"]


class TrainingRun(Protocol):
    """The state of a training run that callbacks read and change; it exists only while a net is trained.

    Attributes
    ----------
    planned_epochs : int
        Epochs of the present run.
    lr_schedule, lr_schedule_params
        As the estimators' parameters; a repair may change them for the runs that follow.
    weight_decay_follows_lr : bool
        Whether the weight decay was chosen for the learning rate, so that only their product counts.
    columns : list of str or None
        Names of the numeric columns that reach the network untouched.
    scale_inputs : callable or None
        Scales these columns from now on, in training and prediction; returns a callable that undoes it.
    gradient_norm : float or None
        Norm of the gradient of the present step, if a callback has computed it already.
    step_losses : Tensor of shape (n_steps,) or None
        Training loss of each step of the last epoch.
    foreign_steps : bool
        Whether a callback that is not part of sknn listens to batches or gradients.
    """

    planned_epochs: int
    lr_schedule: Any
    lr_schedule_params: dict[str, Any] | None
    weight_decay_follows_lr: bool
    columns: list[str] | None
    scale_inputs: Callable[[], Callable[[], None]] | None
    gradient_norm: float | None
    step_losses: Tensor | None
    foreign_steps: bool

    def weights_were_restored(self) -> None:
        """A callback has replaced non-finite weights: their moving average begins anew."""


class SknnNet:
    """Base of the net of sknn: distinguishes it from a plain ``skorch.NeuralNet``, in which callbacks work as well.

    Attributes
    ----------
    flat_parameters : FlatParameters or None
        All parameters in one buffer, where the optimizer allows it.
    run : TrainingRun or None
        None between two fits.
    """

    flat_parameters: FlatParameters | None = None
    run: TrainingRun | None = None


def run_of(net: Any) -> TrainingRun | None:
    """The training run of a net of sknn; None of a plain skorch net, and between two fits."""
    return net.run if isinstance(net, SknnNet) else None
