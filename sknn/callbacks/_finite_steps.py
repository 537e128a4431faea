"""Skip steps without a finite gradient, and restore weights that became non-finite."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from skorch.dataset import unpack_data
from torch import Tensor

from .._health.careful import careful
from .._health.origin import LARGEST, Origin, bad_parameters, has_overflown, origin_of
from .._health.recorder import first_tensor
from ._gradients import parameter_norms, total_norm, trained_gradients
from ._protocol import run_of
from ._state import ModuleState

__all__ = ["FiniteSteps", "Incident", "columns_of", "zero_gradients"]

# Consecutive steps without a finite gradient after which training stops.
_MOST_SKIPPED = 10
_UNKNOWN = Origin("unknown", None, "a gradient is not finite")


class Incident(NamedTuple):
    """A non-finite value."""

    step: int  # number of the step in the training run, from 1
    origin: Origin
    was_skipped: bool = True  # whether the optimizer step was skipped


class FiniteSteps:
    """Guards the steps of a training run."""

    def __init__(self, net: Any, *, most_restored: int) -> None:
        self.last_good = ModuleState(net)  # saved by the owner after good epochs
        self.most_restored = most_restored
        self.n_steps = 0
        self._device_flags: list[Tensor] = []
        self.start_again()

    def start_again(self) -> None:
        """Count skipped steps and restored weights from 0."""
        self.n_skipped = self.n_restored = 0
        self.is_over = False  # else all steps are skipped, and training is to stop at the end of the epoch

    def check(self, net: Any, named_parameters: Any, batch: Any) -> Incident | None:
        """Between the backward pass and the step; gradients are set to zero if the step must be skipped."""
        self.n_steps += 1
        incident, run = None, run_of(net)
        # In a plain net, and in other callbacks, other code than the optimizer may change batches and weights.
        is_exposed = run is None or run.foreign_steps
        if not self._has_finite_gradient(net, named_parameters) or (is_exposed and _is_poisoned(net, batch)):
            incident = self._skip(net, batch)
        else:
            self.n_skipped = 0
        if self.is_over:
            zero_gradients(net)
        return incident

    def _has_finite_gradient(self, net: Any, named_parameters: Any) -> bool:
        run = run_of(net)
        if run is not None and run.gradient_norm is not None:
            return run.gradient_norm <= LARGEST
        gradients = trained_gradients(net, named_parameters)
        if not gradients:
            return True
        if all(gradient.is_cpu for gradient in gradients):
            norm = total_norm(gradients)
            if run is not None:
                run.gradient_norm = norm
            return norm <= LARGEST
        # No synchronisation in a step: bad gradients become zero on the device, and are reported after the epoch.
        norm = torch.linalg.vector_norm(parameter_norms(gradients))
        bad = (norm <= LARGEST).logical_not_()
        for gradient in gradients:
            gradient.masked_fill_(bad.to(gradient.device), 0.0)
        self._device_flags.append(bad)
        return True

    def _skip(self, net: Any, batch: Any) -> Incident | None:
        """Skip the step, and in the first of several such steps find out why."""
        self.n_skipped += 1
        incident = None
        if self.n_skipped == 1:
            gradients = bad_parameters(net.module_, of_gradient=True)
            incident = Incident(
                self.n_steps, careful(origin_of, net, batch, columns_of(net), gradients, otherwise=_UNKNOWN)
            )
        zero_gradients(net)
        run = run_of(net)
        if run is not None:  # clipping counts the step as skipped
            run.gradient_norm = math.nan
        self.restore_overflown(net)
        self.is_over = self.is_over or self.n_skipped >= _MOST_SKIPPED
        return incident

    def restore_overflown(self, net: Any) -> bool:
        """Restore non-finite weights and buffers from the last good epoch; return whether there were any."""
        if self.last_good.is_finite() or not self.last_good.restore_overflown():
            return False
        self.n_restored += 1
        run = run_of(net)
        if run is not None:
            run.weights_were_restored()
        self.is_over = self.is_over or self.n_restored >= self.most_restored
        return True

    def end_epoch(self, net: Any, n_steps: int) -> Incident | None:
        """After so many steps, check the flags that were left on a device, and the weights."""
        first = self.n_steps - n_steps + 1
        incident = None
        if self._device_flags:
            bad = torch.stack(self._device_flags).tolist()
            self._device_flags = []
            if any(bad):
                incident = Incident(first + bad.index(True), careful(origin_of, net, None, otherwise=_UNKNOWN))
                self.is_over = self.is_over or sum(bad) >= _MOST_SKIPPED
        if not self.is_over and self.restore_overflown(net):
            incident = incident or Incident(self.n_steps, Origin("weight", None, "weights became NaN or infinite"))
        return incident


def _is_poisoned(net: Any, batch: Any) -> bool:
    """Whether batch or weights contain numbers such as 1e30, which norms and bounded functions may hide.

    NaN and infinity in a batch are allowed if the gradient is finite: the module handles them.
    """
    if batch is not None and careful(_is_huge, batch, otherwise=False, draws=False):
        return True
    return any(has_overflown(parameter) for parameter in net.module_.parameters() if parameter.requires_grad)


def _is_huge(batch: Any) -> bool:
    x = first_tensor(unpack_data(batch)[0])
    return has_overflown(x) and bool(torch.isfinite(x).all())


def zero_gradients(net: Any) -> None:
    """Only momentum and weight decay change the weights in the next step."""
    for group in net.optimizer_.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                parameter.grad.zero_()


def columns_of(net: Any) -> Any:
    """Names of the columns of the input, if they are known."""
    run = run_of(net)
    return None if run is None else run.columns
