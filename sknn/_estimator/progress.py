"""Reports of a running fit: a progress bar, a line per epoch, or nothing; and scikit-learn's callbacks.

Its callback API (1.9, SLEP023) has one task per epoch. Older versions have no callbacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .._training.one_pass import validation_score

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    HAS_CALLBACKS = True
except ImportError:  # scikit-learn < 1.9
    HAS_CALLBACKS = False

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """No callback API in this version of scikit-learn."""

    def with_callbacks(method: Any) -> Any:  # type: ignore[no-redef]
        """The method itself."""
        return method


__all__ = ["CallbackSupportMixin", "EpochListeners", "EpochReport", "with_callbacks"]


class EpochListeners:
    """Reports a fit and its epochs to the user, and to scikit-learn's callbacks as tasks."""

    def __init__(self, estimator: Any, arguments: Mapping[str, Any], verbose: int) -> None:
        metadata = {name: arguments[name] for name in ("sample_weight",) if arguments[name] is not None}
        self.about = {"estimator": estimator, "X": arguments["X"], "y": arguments["y"], "metadata": metadata}
        self.estimator, self.verbose = estimator, verbose
        self.max_epochs = 0
        self.fitted: dict[str, Any] = {}  # fitted attributes, net_ among them; known when training begins
        self.report: EpochReport | None = None
        self.fit_task: Any = None
        self.epoch_task: Any = None

    def begin(self, max_epochs: int) -> None:
        """The fit is planned."""
        self.max_epochs = max_epochs
        if HAS_CALLBACKS:
            self.fit_task = self.estimator._init_callback_context(max_subtasks=max_epochs)
            self.fit_task.call_on_fit_task_begin(**self.about)

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Show progress while the network is trained; a bar that an earlier error left would stay on the screen."""
        self.report = EpochReport(self.verbose, self.max_epochs, n_before=len(self.fitted["net_"].history))
        try:
            yield
        finally:
            self.report.close()

    def after_resume(self, path: str, is_finished: bool) -> None:
        """A checkpoint was used."""
        assert self.report is not None
        n_epochs = len(self.fitted["net_"].history)
        what = (
            f"finished after epoch {n_epochs}, so nothing is trained"
            if is_finished
            else f"resumes after epoch {n_epochs}"
        )
        self.report.say(f"checkpoint={path!r}: the fit {what}.")

    def before_epoch(self) -> None:
        """An epoch starts."""
        if self.fit_task is not None and vars(self.estimator).get("_skl_callbacks"):
            self.epoch_task = self.fit_task.subcontext(task_name="epoch")
            self.epoch_task.call_on_fit_task_begin(**self.about)

    def after_epoch(self) -> bool:
        """An epoch is over; returns whether a callback of scikit-learn asks to stop."""
        assert self.report is not None
        record = self.fitted["net_"].history[-1]
        self.report.epoch(record, validation_score(record))
        if self.epoch_task is None:
            return False
        task, self.epoch_task = self.epoch_task, None
        return task.call_on_fit_task_end(reconstruction_attributes=lambda: self.fitted, **self.about)

    def end(self) -> None:
        """The fit is over."""
        if self.fit_task is not None:
            self.fit_task.call_on_fit_task_end(reconstruction_attributes=self.fitted, **self.about)


class EpochReport:
    """Progress of one fit: silent, a bar with loss, best validation score and remaining time, or a line per epoch.

    `n_before` epochs were trained by earlier fits of the same network.
    """

    def __init__(self, verbose: int, max_epochs: int, n_before: int = 0) -> None:
        self.verbose = verbose
        self.n_before, self.last_epoch = n_before, n_before + max_epochs
        self.best: float | None = None
        self.bar: Any = None
        if verbose == 1:
            from tqdm.auto import tqdm  # picks the notebook's widget or the terminal

            self.bar = tqdm(total=max_epochs, unit="epoch", desc="fit")

    def epoch(self, record: dict[str, Any], validation_score: float | None) -> None:
        """Report one epoch's history record."""
        if not self.verbose:
            return
        if validation_score is not None and (self.best is None or validation_score > self.best):
            self.best = validation_score
        if self.bar is not None:
            shown = {"loss": f"{record['train_loss']:.4g}"}
            if self.best is not None:
                shown["best_valid"] = f"{self.best:.4g}"
            self.bar.set_postfix(shown, refresh=False)
            self.bar.update(record["epoch"] - self.n_before - self.bar.n)  # more than 1 after a checkpoint
            return
        parts = [f"epoch {record['epoch']}/{self.last_epoch}", f"train_loss {record['train_loss']:.5g}"]
        parts += [f"{name} {record[name]:.5g}" for name in ("valid_loss", "valid_score") if name in record]
        print("  ".join([*parts, f"lr {record['lr']:.3g}", f"{record['dur']:.2f} s"]), flush=True)

    def say(self, text: str) -> None:
        """Print a line above the bar, or between those of the epochs."""
        if self.bar is not None:
            self.bar.write(text)
        elif self.verbose:
            print(text, flush=True)

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()
