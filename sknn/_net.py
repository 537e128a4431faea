"""The epoch loop: the only file that knows skorch's NeuralNet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from ._batches import Batch, Batches, Rows, network_by_network
from ._between_fits import BetweenFits
from ._build import committee_of, first_output, network_inputs
from ._plan import TrainingPlan
from ._resuming import Resuming
from ._scoring_face import ScoringFace
from ._steps import TrainingSteps, by_member
from .callbacks._state import StopTraining, TrainAgain, UserStop, raised_on_purpose
from .losses import Loss
from .optim import LRSchedule, WeightAverage, build_optimizer

_EVENTS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end",
    "on_batch_begin", "on_batch_end", "on_grad_computed",
)  # fmt: skip


# After the last step: to find the best epoch, and to calibrate.
_PASSES_OVER_VALIDATION_ROWS = 2


class _Net(TrainingSteps, BetweenFits, Resuming, ScoringFace, NeuralNet):
    """skorch's net around resident tensors, with a lean loop.

    Data are :class:`~sknn._batches.Rows`. `module`, `criterion` are instances, `optimizer` a class. Batches are
    ``({"x_num", "x_cat", "sample_weight"}, y)``; targets of a regressor are in standardised units.
    """

    def _set(self, **attributes: Any) -> None:
        """Set plain attributes, past skorch's registry of modules."""
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def prepare(self, plan: TrainingPlan, optimizer_params: dict[str, Any], target_kind: str) -> _Net:
        """Attach what skorch's constructor does not know, and initialise."""
        self._set(plan=plan, optimizer_params=optimizer_params, target_kind=target_kind)
        self._set(
            flat_parameters=None,
            by_hand=None,
            paced_threads=None,
            compiled=None,
            average=None,
            steps_done_=0,
            step_losses=None,
            gradient_norm=None,
            quiet=None,
            lr_changed=False,
            kept_epoch=None,
            is_resumed=False,
        )
        self.initialize()
        return self

    @property
    def work(self) -> int:
        """Multiplications of a forward pass of one batch, about."""
        return self.batch_size * self.n_weights

    @property
    def n_weights(self) -> int:
        """Numbers in the parameters of the network; counted once, since a prediction of one row has no time for it."""
        if "_n_weights" not in vars(self):
            self._set(_n_weights=sum(p.numel() for p in self.module_.parameters()))
        return vars(self)["_n_weights"]

    # ------------------------------------------------------------------ skorch's hooks

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> _Net:
        """Parameter groups in flat buffers."""
        modules: list[nn.Module] = [self.module_, self.criterion_]
        self.optimizer_, flat = build_optimizer(self.optimizer, self.optimizer_params, self.lr, modules)
        self._set(flat_parameters=flat)
        return self

    def get_default_callbacks(self) -> list[Any]:
        """None: the estimators say which."""
        return []

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """Rows are a dataset already."""
        return X if isinstance(X, Rows) else super().get_dataset(X, y)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Slices of resident tensors instead of a DataLoader."""
        if not isinstance(dataset, Rows):
            return super().get_iterator(dataset, training=training)
        if not training:  # no gradients are kept, so batches may be larger
            return Batches(dataset, max(self.batch_size, 1024), None)
        generator = torch.Generator().manual_seed(self.plan.shuffle_seed)
        return Batches(dataset, self.batch_size, generator)

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Raw prediction (batch, out_features)."""
        network = self.module_ if self.compiled is None or not self.module_.training else self.compiled
        output = first_output(network(*network_inputs(x)))
        if output.ndim == 3 and not self.module_.training:
            return self.criterion_.combine(output)
        return output if output.ndim > 1 else output.unsqueeze(1)

    def get_loss(self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False) -> Tensor:
        """Mean loss over the batch, weighted; of members, each by itself."""
        return self.criterion_(*by_member(y_pred, y_true, X.get("sample_weight")))

    # ------------------------------------------------------------------ callbacks

    def initialize_callbacks(self) -> _Net:
        """As skorch, and note which events anybody listens to."""
        super().initialize_callbacks()
        listeners = {
            event: [cb for _, cb in self.callbacks_ if getattr(type(cb), event, None) is not getattr(Callback, event)]
            for event in _EVENTS
        }
        per_step = ("on_batch_begin", "on_batch_end", "on_grad_computed")
        heard = [callback for event in per_step for callback in listeners[event]]
        foreign = any(not type(callback).__module__.startswith("sknn.") for callback in heard)
        self._set(listeners=listeners, foreign_steps=foreign)
        return self

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call those callbacks that override the event. A deliberate KeyboardInterrupt of theirs means: stop."""
        getattr(self, method_name)(self, **cb_kwargs)
        stop: StopTraining | None = None
        again: TrainAgain | None = None
        for callback in self.listeners[method_name]:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except TrainAgain as error:
                again = error
            except StopTraining as error:  # once all have been told
                stop = stop or error
            except KeyboardInterrupt as error:
                if not raised_on_purpose(error):
                    raise
                stop = UserStop()
        if again is not None and not isinstance(stop, UserStop):
            raise again
        if again is not None:
            again.end()
        if stop is not None:
            raise stop

    # ------------------------------------------------------------------ the loop

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
                again = self._run(rows, valid, epochs if again.epochs is None else again.epochs)
            self.notify("on_train_end", X=None, y=None)
            if valid is not None:
                self._calibrate(valid)
            if self.plan.checkpoint is not None:
                self.plan.checkpoint.write(self, self.training_state(), finished=True)
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
            if hasattr(callback, "training_ended"):
                callback.training_ended(self)

    def weights_were_put_back(self) -> None:
        """A callback has replaced weights that were not finite: their average begins anew."""
        if self.average is not None:
            self._set(average=WeightAverage(self._trained_tensors(), self.average.decay))

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, *, valid: Any = None, **kwargs: Any) -> _Net:
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
            if stop or (end is not None and time.perf_counter() >= end - validation_s):
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

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        """A row in the history for each batch, kept only where a callback looks at batches."""
        self.history.new_batch()

    def _progress(self) -> float:
        """Share of the planned training that is over, in steps or in seconds, whichever is further."""
        progress = (self.steps_done_ - self.first_step) / max(1, self.planned_steps)
        plan = self.plan
        if plan.deadline is not None:
            progress = max(progress, (time.perf_counter() - plan.started) / (plan.deadline - plan.started))
        return progress
