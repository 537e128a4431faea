"""One training step: forward, loss, backward, clipping, update."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from skorch.utils import TeeGenerator
from torch import Tensor

from .._backprop.by_hand import gradient_by_hand
from .._backprop.chain import Chain
from .._backprop.stack import Stack
from .._data.rows import Batch
from .._threads import PacedThreads, product_threads, threads
from ..optim import step_of
from .quiet_steps import QuietSteps

__all__ = ["TrainingSteps", "by_member"]

_SHARED_SUM = 2**15  # torch's grain size


class TrainingSteps:
    """The quickest way through a step that the network, the optimizer and the listeners allow; a part of `_Net`."""

    if TYPE_CHECKING:  # what the net has
        module_: Any
        criterion_: Any
        optimizer_: Any
        schedule: Any
        plan: Any
        flat_parameters: Any
        average: Any
        by_hand: Any
        paced_threads: Any
        step: Any
        frozen: Any
        listeners: dict[str, list[Any]]
        foreign_steps: bool
        quiet: QuietSteps | None
        batch_size: int
        steps_done_: int
        infer: Any
        get_loss: Any
        notify: Any
        get_all_learnable_params: Any
        _set: Any
        _progress: Any

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Tensor]:
        """Forward, loss, backward, callbacks (clipping), step, schedule."""
        self.schedule.before_step(self._progress())
        if self.foreign_steps:
            self._look_again()
        if self.by_hand is not None and batch[0]["x_num"].ndim == 2:
            with torch.no_grad(), self.paced_threads or nullcontext():
                step = self._gradient_by_hand(batch)
                self._step()
        elif isinstance(self.optimizer_, torch.optim.LBFGS):
            step = self._closure_step(batch)
        else:
            step = self._gradient(batch)
            self._step()
        if self.average is not None:
            self.average.update()
        self.schedule.after_step()
        self._set(steps_done_=self.steps_done_ + 1)
        return step

    def _gradient(self, batch: Batch) -> dict[str, Tensor]:
        inputs, y = batch
        if self.flat_parameters is None:
            self.optimizer_.zero_grad()
        else:
            self.flat_parameters.attach()
            self.flat_parameters.gradient.zero_()
            for group in self.optimizer_.param_groups[len(self.flat_parameters.groups) :]:  # added by a callback
                for parameter in group["params"]:
                    parameter.grad = None
        if self.plan.precision == "bfloat16":
            with torch.autocast(inputs["x_num"].device.type, torch.bfloat16):
                y_pred = self.infer(inputs).float()
        else:
            y_pred = self.infer(inputs)
        loss = self.get_loss(y_pred, y, X=inputs, training=True)
        loss.backward()
        self._notify_of_gradient(batch)
        return {"loss": loss, "y_pred": y_pred}

    def _gradient_by_hand(self, batch: Batch) -> dict[str, Tensor]:
        """As `_gradient`, without automatic differentiation."""
        inputs, y = batch
        by_hand = self.by_hand
        if not by_hand.covers_all:
            self.flat_parameters.gradient.zero_()
        y_pred = by_hand.forward(inputs)
        with _one_thread_for(y_pred):
            loss, gradient = self.criterion_.value_and_gradient(*by_member(y_pred, y, inputs.get("sample_weight")))
        by_hand.backward(gradient.view(y_pred.shape))
        self._notify_of_gradient(batch)
        return {"loss": loss, "y_pred": y_pred}

    def _notify_of_gradient(self, batch: Batch) -> None:
        quiet = self.quiet
        if self.listeners["on_grad_computed"] and (quiet is None or not quiet.passes(self)):
            if quiet is not None:
                quiet.deliver()
            self._set(gradient_norm=None)
            named = TeeGenerator(self.get_all_learnable_params())
            with torch.set_grad_enabled(self.foreign_steps or torch.is_grad_enabled()):
                self.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
        # Somebody may have put other tensors into the place of the views that the optimizer reads.
        if self.flat_parameters is not None and (self.foreign_steps or self.by_hand is None):
            self.flat_parameters.attach()

    def _by_hand(self) -> Chain | Stack | None:
        """The network as a chain of known layers, or a stack of known networks, if its gradients have their place."""
        flat = self.flat_parameters
        if flat is None or self.plan.compile:
            return None
        return gradient_by_hand(self.module_, flat, self.plan.precision, self.batch_size)

    def _look_again(self) -> None:
        """Find the way anew: whoever looks at steps may have changed anything since the last one.

        The way itself does not depend on who looks. A stack is the same as automatic differentiation up to rounding
        only, and a callback that changes nothing must change no bit.
        """
        if self.flat_parameters is not None:
            self.flat_parameters.attach()
        before, by_hand = self.by_hand, self._by_hand()
        if isinstance(before, Stack) and isinstance(by_hand, Stack):
            by_hand.buffers = before.buffers
        self._set(by_hand=by_hand)

    def _prepare_steps(self) -> None:
        """Find the quickest way through the steps of this epoch."""
        flat = self.flat_parameters
        if flat is not None:
            flat.attach()
        step = self.optimizer_.step if self.foreign_steps else step_of(self.optimizer_)
        by_hand = self._by_hand()
        if isinstance(by_hand, Stack) and self.paced_threads is None:
            # A product for each thread at most: of one that threads share, the bits may depend on their number.
            n_threads = 1 if self.foreign_steps else min(product_threads(), len(by_hand.networks))
            self._set(paced_threads=PacedThreads(n_threads))
            torch.set_num_threads(1)  # for all else; who called the training restores it
        self._set(by_hand=by_hand, step=step, frozen=[] if flat is None else flat.frozen(), quiet=self._quiet_steps())

    def _quiet_steps(self) -> QuietSteps | None:
        """Where all gradients lie in one buffer of the CPU, and only callbacks of sknn look at steps."""
        flat, listeners = self.flat_parameters, self.listeners["on_grad_computed"]
        if flat is None or len(self.optimizer_.param_groups) != len(flat.groups):
            return None
        is_usual = flat.gradient.is_cpu and flat.gradient.dtype is torch.float32
        return QuietSteps(flat.gradient, listeners) if is_usual and QuietSteps.can_serve(listeners) else None

    def _step(self) -> None:
        """Optimizer step that leaves frozen parameters as they are, weight decay and momentum notwithstanding."""
        flat = self.flat_parameters
        frozen = flat.frozen() if self.foreign_steps and flat is not None else self.frozen
        self.step()
        for parameter, value in frozen:
            parameter.detach().copy_(value)

    def _closure_step(self, batch: Batch) -> dict[str, Tensor]:
        """For optimizers that evaluate the loss several times a step; the first evaluation is recorded."""
        first: dict[str, Tensor] = {}

        def closure() -> Tensor:
            step = self._gradient(batch)
            first.update({} if first else step)
            return step["loss"]

        self.optimizer_.step(closure)  # pyright: ignore[reportCallIssue, reportArgumentType]
        return first

    def validation_step(self, batch: Batch, **fit_params: Any) -> dict[str, Tensor]:
        """Forward and loss, in evaluation mode, without gradients."""
        inputs, y = batch
        with torch.no_grad():
            y_pred = self.infer(inputs)
            return {"loss": self.get_loss(y_pred, y, X=inputs), "y_pred": y_pred}


def _one_thread_for(y_pred: Tensor) -> Any:
    """A context for the sum of a loss, which from so many numbers on threads would share, and round otherwise."""
    return threads(1) if y_pred.numel() >= _SHARED_SUM and torch.get_num_threads() > 1 else nullcontext()


def by_member(y_pred: Tensor, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Raw prediction (batch, out_features), y and weight; of members a row for each member, as losses know them."""
    if y_pred.ndim < 3:
        return y_pred, y, weight
    n_members = y_pred.shape[1]
    weight = None if weight is None else weight.repeat_interleave(n_members)
    return y_pred.flatten(0, 1), y.repeat_interleave(n_members, 0), weight
