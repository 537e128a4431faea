"""What the estimators choose when the user does not."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from ._sample_weight import MERGE_LIMIT
from .callbacks import EarlyStopping, GradientClipping, GradientHealth

__all__ = ["batch_size_for", "stops_early", "training_callbacks"]

# Smaller tables are fitted whole: what a split would hold out, training misses more than stopping early gains.
_MIN_ROWS_TO_SPLIT = 200


def batch_size_for(batch_size: int | str, n_samples: int, n_copies: float | None = None) -> int:
    """Rows a step; "auto" aims at 40 steps an epoch, between 16 and 256 rows each.

    Parameters
    ----------
    batch_size : int or "auto"
    n_samples : int
        Training rows.
    n_copies : float or None
        How many rows `n_samples` merged ones stand for: they take as many steps as these would.
    """
    if batch_size == "auto":
        smallest = 16 if n_samples < 400 else 32
        size = int(np.clip(2 ** round(np.log2(max(n_samples, 1) / 40)), smallest, 256))
    else:
        size = int(batch_size)
    if n_copies is None:
        return size
    n_steps = np.clip(np.ceil(n_copies / size), np.ceil(n_samples / size), max(1, MERGE_LIMIT // size))
    return max(1, int(np.ceil(n_samples / max(1, n_steps))))


def stops_early(early_stopping: bool | str, n_samples: int) -> bool:
    """Whether rows are held out to stop early; "auto" needs enough of them."""
    return n_samples >= _MIN_ROWS_TO_SPLIT if early_stopping == "auto" else bool(early_stopping)


def training_callbacks(
    given: Any,
    *,
    gradient_clipping: float | None,
    gradient_health: str | None,
    stop_early: bool,
    by_loss: bool,
    patience: int,
    tol: float,
    partial: bool,
) -> list[Any]:
    """Copies of the user's callbacks among the defaults; an instance of a default's class replaces it.

    Parameters
    ----------
    given : sequence of skorch callbacks, or of (name, callback)
    gradient_clipping, gradient_health, patience, tol
        Of the estimators; `patience` is ``n_iter_no_change``.
    stop_early : bool
        Whether there are validation rows to stop by.
    by_loss : bool
        Whether to watch the validation loss, or a score.
    partial : bool
        Of ``partial_fit``: one epoch without validation rows, in which nothing can stop.
    """
    for callback in given or ():
        made = _instance(callback)
        if not (isinstance(made, Callback) or (isinstance(made, type) and issubclass(made, Callback))):
            raise TypeError(
                f"callbacks holds {made!r}; expected skorch callbacks, or (name, callback) pairs. scikit-learn's own "
                "callbacks are registered by set_callbacks."
            )
    callbacks = [copy.deepcopy(callback) for callback in given or ()]
    if partial:
        callbacks = [callback for callback in callbacks if not isinstance(_instance(callback), EarlyStopping)]

    def missing(kind: type) -> bool:
        return not any(isinstance(_instance(cb), kind) or _instance(cb) is kind for cb in callbacks)

    first: list[Any] = []
    last: list[Any] = []
    if gradient_clipping is not None and missing(GradientClipping):
        first.append(GradientClipping(gradient_clipping))
    if gradient_health is not None and missing(GradientHealth):
        first.append(GradientHealth(gradient_health))
    if stop_early and missing(EarlyStopping):
        monitor = "valid_loss" if by_loss else "valid_score"
        last.append(EarlyStopping(monitor=monitor, lower_is_better=by_loss, patience=patience, min_delta=tol))
    return [*first, *callbacks, *last]


def _instance(callback: Any) -> Any:
    return callback[1] if isinstance(callback, tuple) else callback
