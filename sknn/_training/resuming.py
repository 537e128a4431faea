"""What a net is in the middle of a training, for going on elsewhere; and what is left of one that was interrupted."""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import TYPE_CHECKING, Any

import torch

from .._random import generator_states, restore_generators
from ..callbacks._state import ModuleState, TrainAgain

__all__ = ["Resuming"]

# Of parameters, which torch does not pickle.
_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")

# Made anew by every fit or epoch, or not of the net.
_NOT_OF_THE_TRAINING = frozenset(
    ["plan", "by_hand", "paced_threads", "compiled", "step", "frozen", "quiet", "virtual_params_", "n_scalings"]
)


class Resuming:
    """Training states that can be stored and taken up again; a part of `_Net`."""

    if TYPE_CHECKING:  # what the net has
        plan: Any
        n_scalings: int
        module_: Any
        optimizer_: Any
        schedule: Any
        device: Any
        history: Any
        callbacks_: Any
        kept_epoch: tuple[float, int, ModuleState, int] | None  # score, number, weights, scalings of the inputs
        n_complete: int
        notify: Any
        _set: Any
        _calibrate: Any
        _training_ended: Any

    def training_state(self, shuffle: torch.Generator | None = None) -> dict[str, Any]:
        """Everything that decides how training goes on from the end of an epoch.

        Parameters
        ----------
        shuffle : torch.Generator or None
            That shuffles the rows.
        """
        net = {name: value for name, value in vars(self).items() if name not in _NOT_OF_THE_TRAINING}
        plan = self.plan
        return {
            "net": net,
            "shuffle": None if shuffle is None else shuffle.get_state(),
            "global generators": generator_states(torch.device(self.device)),
            "schedule": (plan.lr_schedule, plan.lr_schedule_params),
            "n_scalings": self.n_scalings,
            "elapsed_s": time.perf_counter() - plan.started,
        }

    def continue_from(self, state: dict[str, Any]) -> None:
        """Be the net that `training_state` was asked of; also the global generators of random numbers."""
        hooks = {name: [getattr(p, kind) for kind in _HOOKS] for name, p in self.module_.named_parameters()}
        self._set(**state["net"])
        for name, parameter in self.module_.named_parameters():
            for kind, value in zip(_HOOKS, hooks.get(name, ()), strict=False):
                if value is not None:
                    setattr(parameter, kind, value)
        if self.schedule is not None and self.schedule.scheduler is not None:
            _count_steps(self.optimizer_)
        restore_generators(state["global generators"], torch.device(self.device))
        plan = self.plan
        schedule, params = state["schedule"]
        for _ in range(state["n_scalings"]):
            plan.scale_inputs()
        started, deadline = plan.started, plan.deadline
        if deadline is not None:  # the time that was used before counts
            shift = time.perf_counter() - state["elapsed_s"] - started
            started, deadline = started + shift, deadline + shift
        plan = dataclasses.replace(
            plan, lr_schedule=schedule, lr_schedule_params=params, started=started, deadline=deadline
        )
        self._set(plan=plan)
        self._set(shuffle_state=state["shuffle"], is_resumed=True)
        if plan.keeps_interrupted and self.kept_epoch is None and self.history:
            self.keep_epoch()

    def keep_epoch(self) -> None:
        """Copy the weights of the epoch that has just ended, if it is the best one so far, for `end_interrupted`."""
        record = self.history[-1]
        score = -record["valid_loss"] if "valid_loss" in record else float(len(self.history))
        score = record.get("valid_score", score)
        kept = self.kept_epoch
        # Weights of before fit no inputs that were scaled since.
        if kept is None or score > kept[0] or kept[3] != self.n_scalings:
            weights = ModuleState(self) if kept is None else kept[2]
            weights.save()
            self._set(kept_epoch=(score, len(self.history), weights, self.n_scalings))
        self._set(n_complete=len(self.history))

    def end_interrupted(self, valid: Any) -> int | None:
        """End a training that somebody broke off with the weights of its best epoch, and return its number.

        None, and nothing is done, if there is none yet.
        """
        if self.kept_epoch is None or self.kept_epoch[3] != self.n_scalings:
            return None
        _, best_epoch, weights, _ = self.kept_epoch
        weights.restore()
        self._set(average=None)
        del self.history[self.n_complete :]  # the epoch that was not finished
        try:
            self._training_ended()
        except TrainAgain as again:
            again.end()
        self.notify("on_train_end", X=None, y=None)
        if valid is not None:
            self._calibrate(valid)
        return best_epoch


def _count_steps(optimizer: torch.optim.Optimizer) -> None:
    """As torch's schedulers do when they are made: they warn if they are stepped before the optimizer is."""
    step = optimizer.step

    @functools.wraps(step)
    def counted(*args: Any, **kwargs: Any) -> Any:
        setattr(optimizer, "_opt_called", True)  # noqa: B010
        return step(*args, **kwargs)

    setattr(counted, "_wrapped_by_lr_sched", True)  # noqa: B010
    setattr(optimizer, "step", counted)  # noqa: B010
