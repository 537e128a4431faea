"""scikit-learn's callback API (1.9, SLEP023): one task per epoch. Older versions have no callbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    _HAS_CALLBACKS = True
except ImportError:  # scikit-learn < 1.9
    _HAS_CALLBACKS = False

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
    arguments : mapping
        X, y and sample_weight as given to fit.
    """

    def __init__(self, estimator: Any, arguments: Mapping[str, Any]) -> None:
        self.estimator = estimator
        metadata = {name: arguments[name] for name in ("sample_weight",) if arguments[name] is not None}
        self.data = {"X": arguments["X"], "y": arguments["y"], "metadata": metadata}
        self.root: Any = None
        self.epoch: Any = None

    def begin(self, max_epochs: int) -> None:
        """The fit starts."""
        if _HAS_CALLBACKS:
            self.root = self.estimator._init_callback_context(max_subtasks=max_epochs)
            self.root.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def begin_epoch(self) -> None:
        """An epoch starts."""
        if self.root is not None and vars(self.estimator).get("_skl_callbacks"):
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
