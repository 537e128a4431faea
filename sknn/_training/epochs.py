"""The loop over epochs: train, validate, tell the callbacks, until one of them or the clock stops it."""

from __future__ import annotations

import math
import time
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning

from .._data.rows import Batches, Rows
from .._errors import level_of_caller
from .._network.table_network import committee_of
from ..callbacks._protocol import SknnCallback
from ..callbacks._repair import TrainAgain
from ..callbacks._state import ModuleState, StopTraining, UserStop
from ..callbacks.early_stopping import stoppers_of
from ..losses import Loss
from .linear_share import mix_linear_models
from .net import _Net
from .one_pass import one_pass, validation_score
from .state import KeptEpoch, TrainingState
from .steps import TrainingSteps

__all__ = ["Epochs"]

# After the last step: to find the best epoch, and to calibrate. Then all networks of a committee predict the rows, from
# which intervals are made.
_PASSES_OF_EACH_NETWORK = 2


class Epochs:
    """The epochs of one training run: one run of epochs, and further ones where a callback asks for them."""

    def __init__(self, net: _Net, run: TrainingState, rows: Rows, valid: Rows | None) -> None:
        self.net, self.run, self.rows, self.valid = net, run, rows, valid
        self.steps = TrainingSteps(net, run)
        committee = committee_of(net.module_)
        self.last_passes = _PASSES_OF_EACH_NETWORK + (1 if committee is None else len(committee.networks))

    def train(self) -> None:
        """Train for the planned epochs, or until a callback, the plan or the deadline ends it."""
        net, run = self.net, self.run
        net.verbose = 1  # no default callback prints, and those that the user passed shall
        try:
            if run.is_resumed:
                if run.plan.keeps_interrupted and run.kept_epoch is None and net.history:
                    self._keep_epoch()
            else:
                if run.lr_changed:  # initial_lr is what the schedulers of torch that continue start from
                    for group in net.optimizer_.param_groups:
                        group["lr"] = group["initial_lr"] = net.lr
                net.notify("on_train_begin", X=None, y=None)
            request = self._run_of_epochs(run.plan.epochs)
            while request is not None:
                request.change()
                if request.epochs == 0:
                    run.stopped_by = "max_epochs"  # the undone change was made after the last of them
                    break
                request = self._run_of_epochs(request.epochs)
            self._end()
        finally:
            net.verbose = 0

    def end_interrupted(self) -> int | None:
        """After Ctrl-C, end training with the weights of its best epoch, and return its number.

        None, and nothing is done, if there is none yet.
        """
        kept = self.run.kept_epoch
        if kept is None or kept.n_scalings != self.run.n_scalings:
            return None
        kept.weights.restore()
        self.run.average = None
        del self.net.history[self.run.n_complete :]  # the epoch that was not finished
        try:
            self._training_ended()
        except TrainAgain as request:
            request.end()
        self._end()
        return kept.number

    # ------------------------------------------------------------------ runs of epochs

    def _run_of_epochs(self, epochs: int) -> TrainAgain | None:
        """A run of epochs; what to train further, if a callback asks for it."""
        history = self.net.history
        try:
            try:
                self._scheduled_epochs(epochs)
            except (TrainAgain, UserStop):
                raise
            except StopTraining as stop:
                self.run.stopped_by = stop.stopped_by
            self._training_ended()
        except TrainAgain as request:
            return request
        except UserStop as stop:
            self.run.stopped_by = stop.stopped_by
            last = "train_loss" if self.valid is None else "valid_loss"
            if len(history) and last not in history[-1]:  # stopped within the epoch: there is no loss to record
                del history[-1:]
            try:
                self._training_ended()
            except TrainAgain as request:
                request.end()
        return None

    def _training_ended(self) -> None:
        for _, callback in self.net.callbacks_:
            if isinstance(callback, SknnCallback):
                callback.training_ended(self.net)

    def _end(self) -> None:
        net = self.net
        net.notify("on_train_end", X=None, y=None)
        if self.valid is not None:
            if stoppers_of(net):  # else the weights at the end are the caller's choice
                mix_linear_models(net, self.rows, self.valid)
            self._calibrate(self.valid)

    def _scheduled_epochs(self, epochs: int) -> None:
        """Epochs under a schedule of their own; or the rest of those that a checkpoint was taken in."""
        net, run = self.net, self.run
        run.stopped_by = "max_epochs"
        batches = net.get_iterator(self.rows, training=True)
        valid_batches = None if self.valid is None else net.get_iterator(self.valid, training=False)
        if run.is_resumed:
            batches.generator.set_state(run.shuffle_state)
            run.is_resumed = False
        else:
            run.begin_epochs(epochs, len(batches), net.optimizer_, net.steps_done_)
        # Held beside skorch's registry: a pickled net has the plain module only.
        run.compiled = torch.compile(net.module_) if run.plan.compile else None
        assert run.schedule is not None
        try:
            self._epochs(batches, valid_batches)
        finally:
            run.schedule.undo()

    def _epochs(self, batches: Batches, valid_batches: Batches | None) -> None:
        """Train, validate and report, until a callback or the clock stops it."""
        net, run, plan = self.net, self.run, self.run.plan
        datasets = {"dataset_train": self.rows, "dataset_valid": self.valid}
        deadline = math.inf if run.deadline is None else run.deadline
        validation_s = 0.0 if run.deadline is None else self._validation_seconds(valid_batches)
        if run.ended_by_clock and time.perf_counter() >= deadline - 2 * validation_s:  # over before it was resumed
            run.stopped_by = "max_time"
            self._warn_of_a_part_of_an_epoch(len(batches))
            return
        run.ended_by_clock = False
        n_before = run.epochs_of_run
        for _ in range(n_before, run.planned_epochs):
            if plan.before_epoch is not None:
                plan.before_epoch()
            net.notify("on_epoch_begin", **datasets)
            end = deadline - validation_s
            validation_s = self._one_epoch(batches, valid_batches, end)
            if plan.keeps_interrupted:
                self._keep_epoch()
            stop, request = False, None
            try:
                net.notify("on_epoch_end", **datasets)
            except TrainAgain as error:
                request = error
            finally:
                if plan.after_epoch is not None:
                    stop = plan.after_epoch()
            if request is not None and not stop:
                raise request
            if request is not None:
                request.end()
            if time.perf_counter() >= end - validation_s:
                run.ended_by_clock = True
                if plan.checkpoint is not None and not stop:
                    plan.checkpoint.write(net, net.training_state(batches.generator), finished=False)
            if stop or run.ended_by_clock:
                self._note_what_stopped(len(batches), is_callback=stop)
                break
            if plan.checkpoint is not None:
                plan.checkpoint.after_epoch(net, lambda: net.training_state(batches.generator))
        else:
            if plan.checkpoint is not None and plan.checkpoint.length is not None and run.epochs_of_run > n_before:
                # A fit of more epochs continues from here.
                plan.checkpoint.write(net, net.training_state(batches.generator), finished=False, is_last=True)

    def _note_what_stopped(self, n_batches: int, *, is_callback: bool) -> None:
        run, n_steps = self.run, self.net.history[-1, "train_batch_count"]
        if is_callback:
            run.stopped_by = "callback"
        elif n_steps < n_batches or run.epochs_of_run < run.planned_epochs:
            run.stopped_by = "max_time"
            self._warn_of_a_part_of_an_epoch(n_batches)

    def _warn_of_a_part_of_an_epoch(self, n_batches: int) -> None:
        n_steps = self.net.history[-1, "train_batch_count"]
        if len(self.net.history) == 1 and n_steps < n_batches:
            warnings.warn(
                f"max_time ended training within its first epoch, after {n_steps} of {n_batches} steps. The network "
                "has learned little; give it more time, or fewer rows.",
                ConvergenceWarning,
                stacklevel=level_of_caller(),
            )

    def _one_epoch(self, batches: Batches, valid_batches: Batches | None, end: float) -> float:
        """A pass over the training rows until the time `end`, and one over the validation rows; seconds for those."""
        net, run = self.net, self.run
        started = time.perf_counter()
        if run.average is not None:
            run.average.hide()
        net._set_training(True)
        self.steps.prepare()
        try:
            one_pass(net, run, batches, self.steps.take, training=True, end=end)
        finally:  # a callback may end training in the middle of an epoch
            if run.average is not None:
                run.average.show()
        before_validation = time.perf_counter()
        if valid_batches is not None:
            net._set_training(False)
            one_pass(net, run, valid_batches, self.steps.validate, training=False)
        validation_s = self.last_passes * (time.perf_counter() - before_validation)
        record = net.history[-1]
        assert run.schedule is not None
        run.schedule.after_epoch(record.get("valid_loss", record["train_loss"]))
        record["dur"] = time.perf_counter() - started
        net._set_training(False)  # callbacks may predict
        run.epochs_of_run += 1
        return validation_s

    def _keep_epoch(self) -> None:
        """Copy the weights of the epoch that has just ended, if it is the best one so far."""
        run, history = self.run, self.net.history
        kept, score = run.kept_epoch, validation_score(history[-1])
        score = float(len(history)) if score is None else score  # the last epoch, without validation rows
        if kept is None or score > kept.score or kept.n_scalings != run.n_scalings:
            weights = ModuleState(self.net) if kept is None else kept.weights
            weights.save()
            run.kept_epoch = KeptEpoch(score, len(history), weights, run.n_scalings)
        run.n_complete = len(history)

    # ------------------------------------------------------------------ validation rows

    @torch.no_grad()
    def _validation_seconds(self, batches: Batches | None) -> float:
        """About how long is needed after the last step, by one batch."""
        if batches is None:
            return 0.0
        self.net._set_training(False)
        self.steps.prepare()
        with self.net.own_rows(batches.rows):
            batch = next(iter(batches))
            for _ in range(2):  # the first call is slower than all others
                started = time.perf_counter()
                self.steps.validate(batch)
        return self.last_passes * len(batches) * (time.perf_counter() - started)

    @torch.no_grad()
    def _calibrate(self, valid: Rows) -> None:
        """Let the loss learn from the held-out rows how far to trust the trained network."""
        net = self.net
        if type(net.criterion_).calibrate is Loss.calibrate:  # it does nothing, for which no pass is needed
            return
        net._set_training(False)
        raw, targets, weights = [], [], []
        with net.own_rows(valid):
            for inputs, y in net.get_iterator(valid, training=False):
                raw.append(net.infer(inputs).float())
                targets.append(y)
                weights.append(inputs.get("sample_weight"))
        weight = None if weights[0] is None else torch.cat(weights)
        net.criterion_.calibrate(torch.cat(raw), torch.cat(targets), weight)
