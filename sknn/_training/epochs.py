"""The loop over epochs: train, validate, tell the callbacks, until somebody says stop."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .._data.rows import Batch, Rows, network_by_network
from .._network.table_network import committee_of
from ..callbacks._protocol import SknnCallback
from ..callbacks._repair import TrainAgain
from ..callbacks._state import StopTraining, UserStop
from ..losses import Loss
from ..optim import LRSchedule, WeightAverage

__all__ = ["Epochs"]

# After the last step: to find the best epoch, and to calibrate.
_PASSES_OVER_VALIDATION_ROWS = 2


class Epochs:
    """Runs of epochs, one after another where a callback asks for it; a part of `_Net`."""

    if TYPE_CHECKING:  # what the net has

        def __getattr__(self, name: str) -> Any: ...

    def train(self, rows: Rows, valid: Rows | None, epochs: int) -> None:
        """Train for `epochs` more epochs, or until a callback, the plan or the deadline ends it."""
        self.verbose = 1  # no default callback prints, and those that the user passed shall
        try:
            if not self.is_resumed:
                if self.lr_changed:  # initial_lr is what the schedulers of torch that go on start from
                    for group in self.optimizer_.param_groups:
                        group["lr"] = group["initial_lr"] = self.lr
                self.notify("on_train_begin", X=None, y=None)
            again = self._run(rows, valid, epochs)
            while again is not None:
                again.change()
                if again.epochs == 0:
                    break
                again = self._run(rows, valid, again.epochs)
            self.notify("on_train_end", X=None, y=None)
            if valid is not None:
                self._calibrate(valid)
        finally:
            self.verbose = 0

    def _run(self, rows: Rows, valid: Rows | None, epochs: int) -> TrainAgain | None:
        """A run of epochs; how to train again, if a callback asks for it."""
        try:
            try:
                self.fit_loop(rows, epochs=epochs, valid=valid)
            except (TrainAgain, UserStop):
                raise
            except StopTraining:
                pass
            self._training_ended()
        except TrainAgain as again:
            return again
        except UserStop:
            last = "train_loss" if valid is None else "valid_loss"
            if len(self.history) and last not in self.history[-1]:  # broken off: there is no loss to tell of
                del self.history[-1:]
            try:
                self._training_ended()
            except TrainAgain as again:
                again.end()
        return None

    def _training_ended(self) -> None:
        for _, callback in self.callbacks_:
            if isinstance(callback, SknnCallback):
                callback.training_ended(self)

    def weights_were_put_back(self) -> None:
        """A callback has replaced weights that were not finite: their average begins anew."""
        if self.average is not None:
            self._set(average=WeightAverage(self._trained_tensors(), self.average.decay))

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, *, valid: Any = None, **kwargs: Any) -> Any:
        """Epochs over `X`, scored on `valid`."""
        batches = self.get_iterator(X, training=True)
        valid_batches = None if valid is None else self.get_iterator(valid, training=False)
        if self.is_resumed:
            batches.generator.set_state(self.shuffle_state)
            self._set(is_resumed=False, shuffle_state=None)
        else:
            self._begin_run(self.max_epochs if epochs is None else epochs, len(batches))
        # Held beside skorch's registry: a pickled net has the plain module only.
        self._set(compiled=torch.compile(self.module_) if self.plan.compile else None)
        try:
            self._epochs(X, valid, batches, valid_batches)
        finally:
            self.schedule.undo()
        return self

    def _begin_run(self, epochs: int, n_batches: int) -> None:
        """Schedule, average and counts of a run of epochs."""
        plan, n_steps = self.plan, epochs * n_batches
        self._set(schedule=LRSchedule(plan.lr_schedule, plan.lr_schedule_params or {}, self.optimizer_, n_steps))
        self._set(planned_steps=n_steps, planned_epochs=epochs, first_step=self.steps_done_, epochs_of_run=0)
        self._set(average=None if plan.ema_decay is None else WeightAverage(self._trained_tensors(), plan.ema_decay))

    def _trained_tensors(self) -> list[Tensor]:
        """What the optimizer changes: the flat buffer, or every parameter."""
        groups = self.optimizer_.param_groups
        return [parameter for group in groups for parameter in group["params"]]

    def _epochs(self, rows: Rows, valid: Rows | None, batches: Any, valid_batches: Any) -> None:
        """Train, validate and report, until somebody says stop."""
        plan = self.plan
        validation_s = 0.0 if plan.deadline is None else self._validation_seconds(valid_batches)
        end = math.inf if plan.deadline is None else plan.deadline - 2 * validation_s
        if self.ended_by_clock and time.perf_counter() >= end:  # it was over before it was taken up again
            return
        self._set(ended_by_clock=False)
        for _ in range(self.epochs_of_run, self.planned_epochs):
            started = time.perf_counter()
            if plan.before_epoch is not None:
                plan.before_epoch()
            self.notify("on_epoch_begin", dataset_train=rows, dataset_valid=valid)
            end = None if plan.deadline is None else plan.deadline - validation_s
            if self.average is not None:
                self.average.hide()
            self.run_single_epoch(batches, training=True, prefix="train", step_fn=self.train_step, end=end)
            if self.average is not None:
                self.average.show()
            before_validation = time.perf_counter()
            self.run_single_epoch(valid_batches, training=False, prefix="valid", step_fn=self.validation_step)
            validation_s = _PASSES_OVER_VALIDATION_ROWS * (time.perf_counter() - before_validation)
            record = self.history[-1]
            self.schedule.after_epoch(record.get("valid_loss", record["train_loss"]))
            record["dur"] = time.perf_counter() - started
            self._set_training(False)  # callbacks may predict
            self._set(epochs_of_run=self.epochs_of_run + 1)
            if plan.keeps_interrupted:
                self.keep_epoch()
            stop, again = False, None
            try:
                self.notify("on_epoch_end", dataset_train=rows, dataset_valid=valid)
            except TrainAgain as error:
                again = error
            finally:
                if plan.after_epoch is not None:
                    stop = plan.after_epoch()
            if again is not None and not stop:
                raise again
            if again is not None:
                again.end()
            if end is not None and time.perf_counter() >= end - validation_s:
                self._set(ended_by_clock=True)
                if plan.checkpoint is not None and not stop:
                    plan.checkpoint.write(self, self.training_state(batches.generator), finished=False)
            if stop or self.ended_by_clock:
                break
            if plan.checkpoint is not None:
                plan.checkpoint.after_epoch(self, lambda: self.training_state(batches.generator))

    @torch.no_grad()
    def _validation_seconds(self, batches: Any) -> float:
        """About how long is needed after the last step, by one batch."""
        if batches is None:
            return 0.0
        self._set_training(False)
        with self._own_rows(batches.rows):
            batch = next(iter(batches))
            for _ in range(2):  # the first call is slower than all others
                started = time.perf_counter()
                self.validation_step(batch)
        return _PASSES_OVER_VALIDATION_ROWS * len(batches) * (time.perf_counter() - started)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, end: float | None = None, **fit_params: Any
    ) -> None:
        """One pass over the batches; the loss is summed on the device and read once."""
        if iterator is None:
            return
        self._set_training(training)
        per_batch = self.listeners["on_batch_begin"] or self.listeners["on_batch_end"]
        score = None if training else self.plan.validation_score
        # What is calibrated in the end is judged as a whole; other losses batch by batch.
        judged = not training and type(self.criterion_).validation_loss is not Loss.validation_loss
        raw: list[Tensor] = []
        targets: list[tuple[Tensor, Tensor | None]] = []
        losses: list[Tensor] = []
        sizes: list[int] = []
        if training:
            self._prepare_steps()
        with self._own_rows(iterator.rows):
            for batch in self._observed(iterator, training) if per_batch else iterator:
                step = step_fn(batch)
                n_batch = batch[1].shape[0]
                losses.append(step["loss"].detach())
                sizes.append(n_batch)
                if score is not None or judged:
                    raw.append(step["y_pred"])
                if judged:
                    targets.append((batch[1], batch[0].get("sample_weight")))
                if per_batch:
                    if step["y_pred"].ndim == 3:  # scorers know one prediction a row
                        step["y_pred"] = self.criterion_.combine(step["y_pred"].detach())
                    self.history.record_batch(f"{prefix}_loss", step["loss"].item())
                    self.history.record_batch(f"{prefix}_batch_size", n_batch)
                    self.notify("on_batch_end", batch=batch, training=training, **step)
                if end is not None and time.perf_counter() >= end:
                    break
        if training:
            self._set(step_losses=torch.stack(losses))
            if self.quiet is not None:
                self.quiet.deliver()
        total = torch.stack(losses) @ torch.tensor(sizes, dtype=losses[0].dtype).to(losses[0].device)
        if judged:
            y, weights = (list(values) for values in zip(*targets, strict=True))
            weight = None if weights[0] is None else torch.cat(weights)
            total = sum(sizes) * self.criterion_.validation_loss(torch.cat(raw).float(), torch.cat(y), weight)
        self.history.record(f"{prefix}_loss", total.item() / sum(sizes))  # synchronises
        self.history.record(f"{prefix}_batch_count", len(sizes))
        if training:
            self.history.record("lr", self.optimizer_.param_groups[0]["lr"])
        if score is not None:
            if iterator.rows.shares is not None:
                raw = [network_by_network(raw, len(iterator.rows.shares))]
            values = self.criterion_.inverse_link(torch.cat(raw).float())
            self.history.record("valid_score", score(values.cpu().numpy()))

    def _own_rows(self, rows: Any) -> Any:
        """A context in which each network of a committee sees the rows that are its own."""
        committee = committee_of(self.module_)
        return nullcontext() if committee is None or rows.shares is None else committee.own_rows()

    @torch.no_grad()
    def _calibrate(self, valid: Rows) -> None:
        """Let the loss learn from the held-out rows how far to trust the trained network."""
        self._set_training(False)
        raw, targets, weights = [], [], []
        with self._own_rows(valid):
            for inputs, y in self.get_iterator(valid, training=False):
                raw.append(self.infer(inputs).float())
                targets.append(y)
                weights.append(inputs.get("sample_weight"))
        weight = None if weights[0] is None else torch.cat(weights)
        self.criterion_.calibrate(torch.cat(raw), torch.cat(targets), weight)

    def _observed(self, iterator: Any, training: bool) -> Iterator[Batch]:
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            yield batch

    def _progress(self) -> float:
        """Share of the planned training that is over, in steps or in seconds, whichever is further."""
        progress = (self.steps_done_ - self.first_step) / max(1, self.planned_steps)
        plan = self.plan
        if plan.deadline is not None:
            planned_s = max(plan.deadline - plan.started, 1e-9)  # a clock cannot tell less
            progress = max(progress, (time.perf_counter() - plan.started) / planned_s)
        return progress
