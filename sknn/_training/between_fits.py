"""What a net is between two fits: released, attached again, put back, pickled."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from .._network.parametrized import allow_pickling
from ..callbacks._state import ModuleState
from ..optim._pickled import load_pickled, to_pickle
from .plan import TrainingPlan

__all__ = ["BetweenFits"]


# What a net has only while it is trained.
_OF_A_TRAINING: dict[str, Any] = dict(
    schedule=None, by_hand=None, paced_threads=None, compiled=None, step=None, frozen=[], average=None,
    step_losses=None, gradient_norm=None, quiet=None, kept_epoch=None, shuffle_state=None, is_resumed=False,
    ended_by_clock=False, n_scalings=0,
)  # fmt: skip


def _lasting(plan: TrainingPlan) -> TrainingPlan:
    """What is left of a plan: no data, no callables."""
    names = ("lr_schedule", "lr_schedule_params", "shuffle_seed")
    return TrainingPlan(**{name: getattr(plan, name) for name in names})


class BetweenFits:
    """The life of a net from the end of a fit to the next; a part of `_Net`."""

    pickled_optimizer: dict[str, Any] | None = None  # of a loaded net, until it trains on
    keeps_optimizer: bool = False  # whether the optimizer's state is pickled with the net
    n_scalings: int = 0  # how often inputs were scaled in this run, and not undone

    if TYPE_CHECKING:  # what the net has
        plan: Any
        flat_parameters: Any
        optimizer_: Any
        module_: Any
        criterion_: Any
        module: Any
        criterion: Any
        device: Any
        lr: float
        history: Any
        steps_done_: int
        _set: Any
        _set_training: Any
        initialize_callbacks: Any
        _initialize_optimizer: Any

    def release(self) -> None:
        """Parameters own their memory again; nothing refers to data or callables of the fit."""
        if self.flat_parameters is not None:
            self.flat_parameters.release()
        self._set_training(False)
        self._set(plan=_lasting(self.plan), verbose=0, **_OF_A_TRAINING)

    def follow(self, plan: TrainingPlan) -> None:
        """Take the plan, and count how often inputs are scaled."""
        if plan.scale_inputs is not None:
            plan = dataclasses.replace(plan, scale_inputs=self._counted(plan.scale_inputs))
        self._set(plan=plan, n_scalings=0)

    def _counted(self, scale_inputs: Callable[[], Callable[[], None]]) -> Callable[[], Callable[[], None]]:
        def scale() -> Callable[[], None]:
            undo_scaling = scale_inputs()
            self._set(n_scalings=self.n_scalings + 1)

            def undo() -> None:
                undo_scaling()
                self._set(n_scalings=self.n_scalings - 1)

            return undo

        return scale

    def attach(self, plan: TrainingPlan) -> None:
        """Get ready to train on."""
        self._move_to(plan.device)
        self._set(lr_changed=plan.lr != self.lr or (self.optimizer_ is None and self.pickled_optimizer is None))
        self._set(callbacks=plan.callbacks, lr=plan.lr, batch_size=plan.batch_size)
        self.follow(plan)
        self.initialize_callbacks()
        if self.optimizer_ is None:
            self._initialize_optimizer()
        if self.optimizer_ is not None and self.pickled_optimizer is not None:
            load_pickled(self.optimizer_, self.pickled_optimizer)
            self._set(pickled_optimizer=None)
        if self.flat_parameters is not None:
            self.flat_parameters.attach()

    def _move_to(self, device: torch.device) -> None:
        """Compute there: a model of a GPU was pickled on the CPU, and may be back on a machine that has one."""
        present = {parameter.device for parameter in self.module_.parameters()}
        target = torch.empty(0, device=device).device  # "cuda" is "cuda:0"
        if present <= {target}:
            return
        if self.optimizer_ is not None:
            self._set(pickled_optimizer=to_pickle(self.optimizer_))
        self._set(module_=self.module_.to(target), criterion_=self.criterion_.to(target), device=str(target))
        self._set(optimizer_=None, flat_parameters=None)

    def weights_and_moments(self) -> list[Any]:
        """All that training goes on from."""
        states = [self.module_.state_dict(), self.criterion_.state_dict()]
        moments = self.pickled_optimizer if self.optimizer_ is None else to_pickle(self.optimizer_)
        return [[(name, t) for state in states for name, t in state.items()], moments, len(self.history)]

    def settings(self) -> dict[str, Any]:
        """What `attach` changes, for putting it back."""
        names = ("callbacks", "callbacks_", "listeners", "foreign_steps", "lr", "batch_size")
        return {name: vars(self)[name] for name in names}

    @contextmanager
    def unchanged_on_failure(self) -> Iterator[None]:
        """Weights, optimizer and history are put back if training on fails."""
        weights = ModuleState(self)
        optimizer_state = copy.deepcopy(self.optimizer_.state_dict())
        n_epochs, n_steps = len(self.history), self.steps_done_
        try:
            yield
        except BaseException:
            weights.restore()
            self.optimizer_.load_state_dict(optimizer_state)
            del self.history[n_epochs:]
            self._set(steps_done_=n_steps)
            self.release()
            raise

    def __getstate__(self) -> dict[str, Any]:
        """Plain attributes, tensors on the CPU, so that a model of a GPU loads anywhere.

        The optimizer's moments, twice the size of the weights, stay behind unless `keeps_optimizer`: a loaded model
        that trains on then starts new ones.
        """
        for module in (self.module_, self.criterion_):
            allow_pickling(module)
        state = self.__dict__.copy()
        pickled = None
        if self.keeps_optimizer:
            pickled = self.pickled_optimizer if self.optimizer_ is None else to_pickle(self.optimizer_)
        state.update(_OF_A_TRAINING, plan=_lasting(self.plan))  # a callback may pickle the net
        state.update(optimizer_=None, flat_parameters=None, pickled_optimizer=pickled)
        if torch.device(self.device).type != "cpu":
            state.update(device="cpu")
            state.update(module_=copy.deepcopy(self.module_).cpu(), criterion_=copy.deepcopy(self.criterion_).cpu())
        if self.module is self.module_:
            state["module"] = state["module_"]
        if self.criterion is self.criterion_:
            state["criterion"] = state["criterion_"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(**state)
