"""scikit-learn's callback API (1.9, SLEP023): one task an epoch. Without it, nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """No callback API in this version of scikit-learn."""

    def with_callbacks(method: Any) -> Any:  # type: ignore[no-redef]
        """The method itself."""
        return method


__all__ = ["CallbackSupportMixin", "EpochContexts", "with_callbacks"]


class EpochContexts:
    """Tells scikit-learn's callbacks of fit and epochs.

    Parameters
    ----------
    estimator : estimator instance
    max_epochs : int
    X, y, sample_weight : as given to fit
    """

    def __init__(self, estimator: Any, max_epochs: int, X: Any, y: Any, sample_weight: Any) -> None:
        self.estimator = estimator
        self.data = {"X": X, "y": y, "metadata": {} if sample_weight is None else {"sample_weight": sample_weight}}
        self.root: Any = None
        self.epoch: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self.root = estimator._init_callback_context(max_subtasks=max_epochs)
            self.root.call_on_fit_task_begin(estimator=estimator, **self.data)

    @property
    def _listening(self) -> bool:
        return bool(getattr(self.estimator, "_skl_callbacks", None))

    def begin_epoch(self) -> None:
        """An epoch starts."""
        if self.root is not None and self._listening:
            self.epoch = self.root.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end_epoch(self, fitted_state: Callable[[], dict[str, Any]]) -> bool:
        """An epoch is over. Returns whether a callback asks to stop."""
        if self.epoch is None:
            return False
        epoch, self.epoch = self.epoch, None
        return epoch.call_on_fit_task_end(estimator=self.estimator, reconstruction_attributes=fitted_state, **self.data)

    def end(self, fitted_state: dict[str, Any]) -> None:
        """The fit is over."""
        if self.root is not None:
            self.root.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=fitted_state, **self.data
            )
