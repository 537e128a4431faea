"""Stop when a score has not improved for some epochs, and restore the best weights."""

from __future__ import annotations

import copy
import math
from typing import Any

import skorch.callbacks

from ._protocol import SknnCallback
from ._state import ModuleState, StopTraining

__all__ = ["EarlyStopping", "restored_epoch", "stoppers_of"]


class EarlyStopping(SknnCallback):
    """Stop when a score has not improved for some epochs, and restore the best weights.

    Works in sknn's estimators and in any ``skorch.NeuralNet``.

    Parameters
    ----------
    monitor : str, default="valid_loss"
        The entry of the history to watch.
    patience : int, default=10
        Epochs without improvement after which training stops.
    min_delta : float, default=0.0
        Smallest absolute change that counts as an improvement, in the unit of the score.
    min_relative_delta : float, default=0.0
        Smallest change that counts, as a share of the absolute value of the best score.
    lower_is_better : bool, default=True
    restore_best : bool, default=True
        Whether weights and buffers of every module, the criterion included, are those of the best epoch after
        training, for whatever reason it ends.

    Attributes
    ----------
    best_epoch_ : int
        Number of the best epoch, from 1; 0 before the first.
    best_score_ : float
        The score of that epoch.

    Notes
    -----
    A score s improves on the best b when ``b - s > max(min_delta, min_relative_delta * |b|)`` (lower is better), or
    ``s - b > ...`` otherwise. The best *weights* are those of the best score, however small the difference; only the
    patience counts improvements that are large enough. NaN never improves.

    References
    ----------
    L. Prechelt, "Early stopping - but when?", Neural Networks: Tricks of the Trade, 1998.

    Examples
    --------
    >>> from sknn.callbacks import EarlyStopping
    >>> EarlyStopping(patience=5, min_relative_delta=0.001).patience
    5
    """

    _of_run = ("_state",)

    def __init__(
        self,
        monitor: str = "valid_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        min_relative_delta: float = 0.0,
        lower_is_better: bool = True,
        restore_best: bool = True,
    ) -> None:
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.min_relative_delta = min_relative_delta
        self.lower_is_better = lower_is_better
        self.restore_best = restore_best

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Forget an earlier training run."""
        self.best_epoch_ = 0
        self.best_score_ = self._worst_score()
        self._state: ModuleState | None = None
        self.start_again()

    def start_again(self) -> None:
        """Start counting patience anew after a repair; the best score and weights stay."""
        self._reference = self._worst_score()
        self._waited = 0

    def best_so_far(self) -> tuple[int, float, ModuleState | None]:
        """The best epoch, its score, and a copy of its weights, for `go_back_to`."""
        return self.best_epoch_, self.best_score_, copy.copy(self._state)

    def go_back_to(self, best: tuple[int, float, ModuleState | None]) -> None:
        """Restore the result of `best_so_far`."""
        self.best_epoch_, self.best_score_, self._state = best

    def forget_best(self) -> None:
        """Forget all epochs so far."""
        self.go_back_to((0, self._worst_score(), None))

    def _worst_score(self) -> float:
        return math.inf if self.lower_is_better else -math.inf

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Compare the score, save the best weights, stop after `patience` epochs without improvement."""
        record = net.history[-1]
        if self.monitor not in record:
            raise ValueError(
                f"EarlyStopping: monitor={self.monitor!r} is not in the history. Recorded are "
                f"{sorted(k for k in record if k != 'batches')}; 'valid_loss' needs validation rows: "
                'set early_stopping=True ("auto" keeps small tables whole), or pass X_val and y_val to fit.'
            )
        score = float(record[self.monitor])
        sign = 1.0 if self.lower_is_better else -1.0
        if sign * (self.best_score_ - score) > 0:
            self.best_score_ = score
            self.best_epoch_ = len(net.history)
            if self.restore_best:
                if self._state is None:
                    self._state = ModuleState(net)
                self._state.save()
        needed = 0.0
        if math.isfinite(self._reference):
            needed = max(self.min_delta, self.min_relative_delta * abs(self._reference))
        if sign * (self._reference - score) > needed:
            self._reference = score
            self._waited = 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            raise StopTraining("early_stopping")

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Restore the best weights."""
        if self._state is not None:
            self._state.restore()
        self.release()


def stoppers_of(net: Any) -> list[EarlyStopping]:
    """The callbacks of a net that stop it early."""
    return [callback for _, callback in net.callbacks_ if isinstance(callback, EarlyStopping)]


def restored_epoch(net: Any) -> int:
    """The epoch whose weights early stopping restores at the end of training, from 1; 0 if there is none yet.

    Of several callbacks, skorch's included, the last one that restores weights decides.
    """
    epochs = [
        callback.best_epoch_
        for _, callback in net.callbacks_
        if (isinstance(callback, EarlyStopping) and callback.restore_best)
        or (isinstance(callback, skorch.callbacks.EarlyStopping) and callback.load_best)
    ]
    return next(filter(None, reversed(epochs)), 0)
