"""One training step: forward, loss, backward, clipping, update."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._backprop.by_hand import Stack, gradient_by_hand
from .._backprop.chain import Chain
from .._data.rows import Batch
from .._threads import PacedThreads, product_threads, threads
from ..optim import step_of
from ..optim._norms import pieces, sum_of_squares
from .net import _Net
from .state import TrainingState

__all__ = ["TrainingSteps"]

_SHARED_SUM = 2**15  # torch's grain size


class TrainingSteps:
    """Training steps, computed in the quickest way that the network, the optimizer and the callbacks allow."""

    def __init__(self, net: _Net, run: TrainingState) -> None:
        self.net, self.run = net, run
        self.by_hand: Chain | Stack | None = None  # the network, if its gradients need no automatic differentiation
        self.paced_threads: PacedThreads | None = None  # of a stack
        self._update: Any = None
        self._frozen: list[tuple[nn.Parameter, Tensor]] = []
        # Of an epoch, where only callbacks of sknn listen to steps.
        self._named_parameters: list[tuple[str, nn.Parameter]] = []
        self._gradient_pieces: list[np.ndarray] = []

    def prepare(self) -> None:
        """Find the quickest way through the steps of an epoch: callbacks may have changed the network."""
        net, run, flat = self.net, self.run, self.net.flat_parameters
        if flat is not None:
            flat.attach()
        self._update = net.optimizer_.step if run.foreign_steps else step_of(net.optimizer_)
        self._frozen = [] if flat is None else flat.frozen()
        self._named_parameters = list(net.get_all_learnable_params())
        self._gradient_pieces = []
        has_all = not run.foreign_steps and flat is not None and len(net.optimizer_.param_groups) == len(flat.groups)
        if flat is not None and has_all and flat.gradient.is_cpu and flat.gradient.dtype is torch.float32:
            self._gradient_pieces = pieces(flat.gradient.numpy())
        self.by_hand = self._by_hand()
        if isinstance(self.by_hand, Stack) and self.paced_threads is None:
            # A product for each thread at most: of one that threads share, the bits may depend on their number.
            n_threads = 1 if run.foreign_steps else min(product_threads(), len(self.by_hand.networks))
            self.paced_threads = PacedThreads(n_threads)
            torch.set_num_threads(1)  # for all else; the caller of the training restores it

    def take(self, batch: Batch) -> dict[str, Tensor]:
        """Forward, loss, backward, callbacks (clipping), update, schedule; the loss and the raw prediction."""
        net, run = self.net, self.run
        assert run.schedule is not None
        run.schedule.before_step(run.progress(net.steps_done_))
        if run.foreign_steps:
            self._adapt_to_changes()
        # A callback of the user's may have called eval().
        if self.by_hand is not None and net.module_.training and batch[0]["x"].ndim == 2:
            with torch.no_grad(), self.paced_threads or nullcontext():
                step = self._gradient_by_hand(self.by_hand, batch)
                self._update_weights()
        elif isinstance(net.optimizer_, torch.optim.LBFGS):
            step = self._closure_step(batch)
        else:
            step = self._gradient(batch)
            self._update_weights()
        if run.average is not None:
            run.average.update()
        run.schedule.after_step()
        net.steps_done_ += 1
        return step

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Loss and raw prediction, without gradients; the net is in evaluation mode."""
        net, (inputs, y) = self.net, batch
        if self.run.foreign_steps:
            self._adapt_to_changes()
        with torch.no_grad():
            if isinstance(self.by_hand, Stack) and inputs["x"].ndim == 2:
                y_pred = net.criterion_.combine(self.by_hand.forward(inputs))
            else:
                y_pred = net.infer(inputs)
            return {"loss": net.get_loss(y_pred, y, X=inputs), "y_pred": y_pred}

    # ------------------------------------------------------------------ gradients

    def _gradient(self, batch: Batch) -> dict[str, Tensor]:
        net, flat = self.net, self.net.flat_parameters
        inputs, y = batch
        if flat is None:
            net.optimizer_.zero_grad()
        else:
            flat.attach()
            flat.gradient.zero_()
            for group in net.optimizer_.param_groups[len(flat.groups) :]:  # added by a callback
                for parameter in group["params"]:
                    parameter.grad = None
        if self.run.plan.precision == "bfloat16":
            with torch.autocast(inputs["x"].device.type, torch.bfloat16):
                y_pred = net.infer(inputs).float()
        else:
            y_pred = net.infer(inputs)
        loss = net.get_loss(y_pred, y, X=inputs, training=True)
        loss.backward()
        self._notify_of_gradient(batch)
        return {"loss": loss, "y_pred": y_pred}

    def _gradient_by_hand(self, by_hand: Chain | Stack, batch: Batch) -> dict[str, Tensor]:
        """As `_gradient`, without automatic differentiation."""
        inputs, y = batch
        assert self.net.flat_parameters is not None
        if not by_hand.covers_all:
            self.net.flat_parameters.gradient.zero_()
        y_pred = by_hand.forward(inputs)
        with _one_thread_for(y_pred):
            weight = inputs.get("sample_weight")
            criterion = self.net.criterion_
            loss, gradient = criterion.value_and_gradient(*criterion.by_member(y_pred, y, weight))
        by_hand.backward(gradient.view(y_pred.shape))
        self._notify_of_gradient(batch)
        return {"loss": loss, "y_pred": y_pred}

    def _notify_of_gradient(self, batch: Batch) -> None:
        net, run = self.net, self.run
        if run.listeners["on_grad_computed"]:
            norm = math.sqrt(sum_of_squares(self._gradient_pieces)) if self._gradient_pieces else math.inf
            run.gradient_norm = norm if norm < math.inf else None
            named = list(net.get_all_learnable_params()) if run.foreign_steps else self._named_parameters
            with torch.enable_grad() if run.foreign_steps else nullcontext():
                net.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
        # A callback may have replaced the views that the optimizer reads by other tensors.
        if net.flat_parameters is not None and (run.foreign_steps or self.by_hand is None):
            net.flat_parameters.attach()

    def _by_hand(self) -> Chain | Stack | None:
        """The network as a chain of known layers, or a stack of known networks, if its gradients are in the buffer."""
        net, plan, flat = self.net, self.run.plan, self.net.flat_parameters
        if flat is None or plan.compile:
            return None
        return gradient_by_hand(net.module_, flat, plan.precision, net.batch_size)

    def _adapt_to_changes(self) -> None:
        """Choose the way anew between two steps, since a foreign callback may have changed anything.

        The way itself does not depend on the callbacks. A stack is the same as automatic differentiation up to rounding
        only, and a callback that changes nothing must change no bit.
        """
        if self.net.flat_parameters is not None:
            self.net.flat_parameters.attach()
        before, self.by_hand = self.by_hand, self._by_hand()
        if isinstance(before, Stack) and isinstance(self.by_hand, Stack):
            self.by_hand.reuse_buffers(before)

    # ------------------------------------------------------------------ updates

    def _update_weights(self) -> None:
        """Optimizer step that leaves frozen parameters as they are, weight decay and momentum notwithstanding."""
        flat = self.net.flat_parameters
        frozen = flat.frozen() if self.run.foreign_steps and flat is not None else self._frozen
        self._update()
        for parameter, value in frozen:
            parameter.detach().copy_(value)

    def _closure_step(self, batch: Batch) -> dict[str, Tensor]:
        """For optimizers that evaluate the loss several times a step; the first evaluation is recorded."""
        first: dict[str, Tensor] = {}

        def closure() -> Tensor:
            step = self._gradient(batch)
            first.update({} if first else step)
            return step["loss"]

        self.net.optimizer_.step(closure)  # pyright: ignore[reportCallIssue, reportArgumentType]
        return first


def _one_thread_for(y_pred: Tensor) -> AbstractContextManager[None]:
    """A context for the sum of a loss: threads would share a sum of so many numbers, and round it otherwise."""
    return threads(1) if y_pred.numel() >= _SHARED_SUM and torch.get_num_threads() > 1 else nullcontext()
