"""What the estimators choose when the user does not."""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from .._data.labelled_rows import MERGE_LIMIT
from .._errors import shown
from ..callbacks import EarlyStopping, GradientClipping, GradientHealth
from ..modules import TabM

__all__ = ["Recipe", "training_callbacks"]


# Up to so many rows every epoch is worth its time; beyond, the passes over the rows grow with their square root.
_ROWS_OF_FULL_LENGTH = 20_000


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train, where the user leaves it to us.

    Measured in docs/quality.md: networks of members (``TabM``) take large steps and soon overfit; what a module of the
    user's needs is not known, so it gets a small learning rate and time.

    Attributes
    ----------
    n_networks : int
        What ``n_splits="auto"`` means.
    n_networks_of_few_rows : int
        The same up to `few_rows` training rows: which of them are held out then matters more than all else.
    few_rows : int
    lr : float
    decay_epochs : float or None
        In so many epochs at the full learning rate the weight decay of AdamW shrinks a weight that no gradient holds
        by a factor of e; None leaves the optimizer's default. A decay fixed in steps is too strong for many rows, or
        too weak for few (X. Wang, L. Aitchison, How to set AdamW's weight decay as you scale model and dataset size,
        ICML 2025, arXiv:2405.13698).
    patience : int
        What ``n_iter_no_change="auto"`` means.
    min_steps : int
        Steps that are planned at least, in at most 200 epochs.
    epochs : int
        Epochs that are planned at least, up to 20,000 rows.
    min_rows_to_split : int
        Smaller tables are fitted whole: a committee gains from stopping early as soon as rows are not merged, where a
        single network misses what it holds out.
    steps_an_epoch : int
        What batches aim at.
    largest_batch : int
        Up to 20,000 rows.
    ema_decay : float or None
    """

    n_networks: int
    n_networks_of_few_rows: int
    few_rows: int
    lr: float
    decay_epochs: float | None
    patience: int
    min_steps: int
    epochs: int
    min_rows_to_split: int
    steps_an_epoch: int
    largest_batch: int
    ema_decay: float | None

    @classmethod
    def of(cls, module: Any) -> Recipe:
        """The recipe for a module class, callable or instance."""
        while isinstance(module, functools.partial):
            module = module.func
        if isinstance(module, TabM) or (isinstance(module, type) and issubclass(module, TabM)):
            return _MEMBERS
        return _ANY_MODULE

    def n_networks_for(self, n_splits: int | str, n_samples: int) -> int:
        """``n_splits``, or for "auto" more networks for few rows."""
        if n_splits != "auto":
            return int(n_splits)
        return self.n_networks_of_few_rows if n_samples <= self.few_rows else self.n_networks

    def optimizer_params_for(
        self, params: dict[str, Any] | None, optimizer: Any, lr: float, n_samples: int, batch_size: int
    ) -> dict[str, Any]:
        """``optimizer_params``, with a ``weight_decay`` for AdamW where they have none."""
        if not self.chooses_weight_decay(params, optimizer):
            return dict(params or {})
        assert self.decay_epochs is not None
        n_steps = math.ceil(n_samples / batch_size)
        return {**(params or {}), "weight_decay": 1 / (lr * self.decay_epochs * n_steps)}

    def chooses_weight_decay(self, params: dict[str, Any] | None, optimizer: Any) -> bool:
        """Whether ``optimizer_params`` leave it to the recipe."""
        return self.decay_epochs is not None and optimizer is torch.optim.AdamW and "weight_decay" not in (params or {})

    def stops_early(self, early_stopping: bool | str, n_samples: int) -> bool:
        """Whether rows are held out to stop early; "auto" needs enough of them."""
        return n_samples >= self.min_rows_to_split if early_stopping == "auto" else bool(early_stopping)

    def epochs_for(self, max_epochs: int | str, n_samples: int, batch_size: int, *, stopped: bool) -> int:
        """``max_epochs``, or for "auto" the epochs of a schedule for so many training rows.

        A quarter of the steps where nothing stops a training that overfits.
        """
        if max_epochs != "auto":
            return int(max_epochs)
        n_steps = max(1, n_samples // batch_size)
        min_steps = self.min_steps if stopped else self.min_steps // 4
        few_rows = min(math.ceil(min_steps / n_steps), 200)
        many_rows = math.ceil(self.epochs * math.sqrt(min(1.0, _ROWS_OF_FULL_LENGTH / n_samples)))
        return max(few_rows, many_rows, 3)

    def batch_size_for(self, batch_size: int | str, n_samples: int, n_copies: float | None = None) -> int:
        """Rows a step; "auto" aims at `steps_an_epoch`, of 16 rows to `largest_batch`.

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
            largest = self.largest_batch * math.sqrt(max(1.0, n_samples / _ROWS_OF_FULL_LENGTH))
            size = int(
                np.clip(
                    2 ** round(np.log2(max(n_samples, 1) / self.steps_an_epoch)), smallest, 2 ** round(np.log2(largest))
                )
            )
        else:
            size = int(batch_size)
        if n_copies is None:
            return size
        n_steps = np.clip(np.ceil(n_copies / size), np.ceil(n_samples / size), max(1, MERGE_LIMIT // size))
        return max(1, int(np.ceil(n_samples / max(1, n_steps))))


_MEMBERS = Recipe(
    n_networks=2,
    n_networks_of_few_rows=4,
    few_rows=5000,
    lr=0.01,
    decay_epochs=12.0,
    patience=8,
    min_steps=800,
    epochs=25,
    min_rows_to_split=MERGE_LIMIT + 1,
    steps_an_epoch=8,
    largest_batch=128,
    ema_decay=0.99,
)
_ANY_MODULE = Recipe(
    n_networks=1,
    n_networks_of_few_rows=1,
    few_rows=0,
    lr=0.001,
    decay_epochs=None,
    patience=12,
    min_steps=0,
    epochs=100,
    min_rows_to_split=200,
    steps_an_epoch=40,
    largest_batch=256,
    ema_decay=None,
)


def training_callbacks(
    given: Any,
    *,
    gradient_clipping: float | str | None,
    gradient_health: str | None,
    stop_early: bool,
    by_loss: bool,
    patience: int,
    tol: float,
    partial: bool,
) -> list[Any]:
    """Copies of the user's callbacks, then the defaults; an instance of a default's class replaces it.

    In an event, callbacks are called in this order: those of the user, GradientHealth, which looks at gradients,
    GradientClipping, which is the last to change them, EarlyStopping, which may end the training before others are
    called. An instance that the user gave takes the place of its class.

    Parameters
    ----------
    given : sequence of skorch callbacks, or of (name, callback)
    gradient_clipping, gradient_health, patience, tol
        Of the estimators, resolved; `patience` is ``n_iter_no_change``.
    stop_early : bool
        Whether there are validation rows to stop by.
    by_loss : bool
        Whether to watch the validation loss, or a score.
    partial : bool
        Of ``partial_fit``: one epoch without validation rows, in which nothing can stop.
    """
    for callback in given or ():
        made = _instance(callback)
        is_pair = not isinstance(callback, tuple) or (len(callback) == 2 and isinstance(callback[0], str))
        if not is_pair or not (isinstance(made, Callback) or (isinstance(made, type) and issubclass(made, Callback))):
            raise TypeError(
                f"callbacks holds {shown(callback)}; expected skorch callbacks, or (name, callback) pairs. "
                "scikit-learn's own callbacks are registered by set_callbacks."
            )
    callbacks = [copy.deepcopy(callback) for callback in given or ()]
    if partial:
        callbacks = [callback for callback in callbacks if not _is_a(callback, EarlyStopping)]

    def missing(kind: type) -> bool:
        return not any(_is_a(callback, kind) for callback in callbacks)

    if gradient_clipping is not None and missing(GradientClipping):
        callbacks.append(GradientClipping(gradient_clipping))
    if gradient_health is not None and missing(GradientHealth):
        callbacks.append(GradientHealth(gradient_health))
    if stop_early and missing(EarlyStopping):
        monitor = "valid_loss" if by_loss else "valid_score"
        callbacks.append(EarlyStopping(monitor=monitor, lower_is_better=by_loss, patience=patience, min_delta=tol))
    return sorted(callbacks, key=_place)


_LAST = (GradientHealth, GradientClipping, EarlyStopping)


def _place(callback: Any) -> int:
    """0 for a callback of the user's own, then the order of `_LAST`."""
    return next((i for i, kind in enumerate(_LAST, start=1) if _is_a(callback, kind)), 0)


def _is_a(callback: Any, kind: type) -> bool:
    made = _instance(callback)
    return isinstance(made, kind) or (isinstance(made, type) and issubclass(made, kind))


def _instance(callback: Any) -> Any:
    return callback[-1] if isinstance(callback, tuple) and callback else callback
