"""What callbacks of sknn and a net of sknn offer each other beyond skorch's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from skorch.callbacks import Callback
from torch import Tensor

from .._hyperparameters import constructor_names
from ..optim import FlatParameters

__all__ = ["SknnCallback", "SknnNet", "TrainingRun", "class_of", "flat_parameters_of", "run_of", "state_in_training"]


class TrainingRun(Protocol):
    """The state of a training run that callbacks read and change; it exists only while a net is trained."""

    planned_epochs: int  # epochs of the present run
    lr_schedule: Any  # as the estimators' parameters; a repair may change them for the runs that follow
    lr_schedule_params: dict[str, Any] | None
    # Whether the weight decay was chosen for the learning rate, so that only their product counts.
    weight_decay_follows_lr: bool
    columns: list[str] | None  # names of the numeric columns that reach the network untouched
    # Scales these columns from now on, in training and prediction; returns a callable that undoes it.
    scale_inputs: Callable[[], Callable[[], None]] | None
    gradient_norm: float | None  # norm of the gradient of the present step, if a callback has computed it already
    step_losses: Tensor | None  # training loss of each step of the last epoch, (n_steps,)
    foreign_steps: bool  # whether a callback that is not part of sknn listens to batches or gradients

    def weights_were_restored(self) -> None:
        """A callback has replaced non-finite weights: their moving average begins anew."""


class SknnNet:
    """Base of the net of sknn: distinguishes it from a plain ``skorch.NeuralNet``, in which callbacks work as well."""

    flat_parameters: FlatParameters | None = None  # all parameters in one buffer, where the optimizer allows it
    run: TrainingRun | None = None  # None between two fits


class SknnCallback(Callback):
    """Base of the callbacks of sknn: what a net of sknn asks of them beyond skorch's events.

    A plain ``skorch.NeuralNet`` calls none of these methods, so a callback must work without them. The net recognises
    these callbacks by this class. Each method here is the default of a callback that has nothing to do.
    """

    # Attributes with weights, data or the net: None after training and in a pickle, stored by a checkpoint.
    _of_run: tuple[str, ...] = ()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters of the constructor, so that a callback that was used can be cloned, too.

        Parameters
        ----------
        deep : bool, default=True
            Of no effect.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        return {name: getattr(self, name) for name in constructor_names(type(self))}

    def training_ended(self, net: Any) -> None:
        """The last epoch of a run is over; called before `on_train_end`, and again after each further run.

        The weights are those of the last epoch. May raise :class:`~sknn.callbacks._repair.TrainAgain` for another run.
        """

    def start_again(self) -> None:
        """A repair has changed the training run: forget what was concluded from the epochs before it."""

    def release(self) -> None:
        """Training is over, or has failed: let go of weights, data and the net."""
        for name in self._of_run:
            setattr(self, name, None)

    def __getstate__(self) -> Any:
        """Without the state of a training run, which may be left after an error."""
        if not self._of_run:
            return super().__getstate__()
        return {name: None if name in self._of_run else value for name, value in vars(self).items()}

    def state_in_training(self) -> Any:
        """What a checkpoint stores in the middle of a training run: that of pickling, and the state of the run."""
        state, of_run = self.__getstate__(), {name: v for name, v in vars(self).items() if name in self._of_run}
        return {**state, **of_run} if of_run else state


def class_of(callback: Any) -> type:
    """Class of a callback that is given as an instance, a class, or a pair of name and either."""
    made = callback[-1] if isinstance(callback, tuple) and callback else callback
    return made if isinstance(made, type) else type(made)


def state_in_training(callback: Callback) -> Any:
    """The state of any callback that a checkpoint stores: what `pickle` would, and of one of sknn that of the run."""
    return callback.state_in_training() if isinstance(callback, SknnCallback) else callback.__getstate__()


def flat_parameters_of(net: Any) -> FlatParameters | None:
    """The flat buffer of the parameters; None of a plain skorch net, and where the optimizer does not allow one."""
    return net.flat_parameters if isinstance(net, SknnNet) else None


def run_of(net: Any) -> TrainingRun | None:
    """The training run of a net of sknn; None of a plain skorch net, and between two fits."""
    return net.run if isinstance(net, SknnNet) else None
