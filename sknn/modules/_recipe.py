"""How a network is trained where the user leaves it to the estimators."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Recipe", "params_for_table", "recipe_of"]


@dataclass(frozen=True)
class Recipe:
    """How long and how fast a kind of network is trained, where the parameters of an estimator are "auto".

    A module class brings its own as the class attribute ``recipe``. The defaults are for any other module: what it
    needs is not known, so it gets a small learning rate and time. Measured in docs/quality.md.

    Attributes
    ----------
    n_networks : int
        What ``n_networks="auto"`` means.
    n_networks_up_to : tuple of (int, int)
        The same up to so many training rows, in ascending order: the fewer rows, the more the choice of the validation
        rows matters.
    lr : float
        What ``lr="auto"`` means.
    lr_of_many_rows : tuple of (int, float) or None
        More than so many training rows, or a stream, have this learning rate.
    decay_epochs : float or None
        Epochs at the full learning rate in which the weight decay of AdamW shrinks a weight without a gradient by a
        factor of e; None leaves the optimizer's default. A decay fixed in steps is too strong for many rows, or too
        weak for few (X. Wang, L. Aitchison, How to set AdamW's weight decay as you scale model and dataset size, ICML
        2025, arXiv:2405.13698).
    weight_decay : float or None
        Weight decay of AdamW where `decay_epochs` is None; None leaves the optimizer's default.
    eps : float or None
        ``eps`` of AdamW; None leaves the optimizer's default.
    warmup : float or None
        ``warmup`` of ``lr_schedule="cosine"``, the fraction of the steps in which the learning rate rises; None leaves
        the schedule's default.
    label_smoothing : float or None
        What ``label_smoothing="auto"`` of a loss given by name means; None leaves it to the loss.
    patience : int
        What ``n_iter_no_change="auto"`` means.
    min_steps : int
        Least number of steps in a schedule, in at most 200 epochs.
    epochs : int
        Least number of epochs in a schedule, up to 30,000 rows.
    max_numbers : float
        Largest number of numbers that all epochs read together, rows x numbers in a row x epochs; at least 3 epochs are
        planned. It bounds the time where rows are large, such as images.
    max_rows_shown : float
        Largest number of rows that all epochs of all networks read together, a bound likewise: where the time of a row
        does not grow with its numbers.
    min_rows_to_split : int or None
        Fewer rows are fitted whole, without validation rows; None for any number of rows.
    steps_per_epoch : int
        Number of batches that ``batch_size="auto"`` aims at.
    largest_batch : int
        Largest automatic batch size, up to 20,000 rows.
    ema_decay : float or None
        What ``ema_decay="auto"`` means.
    params_of_tables : callable or None
        The module's parameters for a table of so many columns and rows, ``(n_columns, is_sparse, n_rows) -> dict``,
        unless the user sets them; the rows of a stream are infinitely many.
    """

    n_networks: int = 1
    n_networks_up_to: tuple[tuple[int, int], ...] = ()
    lr: float = 0.001
    lr_of_many_rows: tuple[int, float] | None = None
    decay_epochs: float | None = None
    weight_decay: float | None = None
    eps: float | None = None
    warmup: float | None = None
    label_smoothing: float | None = None
    patience: int = 12
    min_steps: int = 0
    epochs: int = 100
    max_numbers: float = math.inf
    max_rows_shown: float = math.inf
    min_rows_to_split: int | None = 200
    steps_per_epoch: int = 40
    largest_batch: int = 256
    ema_decay: float | None = None
    params_of_tables: Callable[[int, bool, float], dict[str, Any]] | None = None


_ANY_MODULE = Recipe()


def recipe_of(module: Any) -> Recipe:
    """The recipe of a module class, callable or instance; that for any module where it brings none."""
    while isinstance(module, functools.partial):
        module = module.func
    recipe = getattr(module, "recipe", None)
    return recipe if isinstance(recipe, Recipe) else _ANY_MODULE


def params_for_table(
    module: Any, params: dict[str, Any], *, n_columns: int, is_sparse: bool, n_rows: float
) -> dict[str, Any]:
    """``module_params``, with those that the recipe adds for a table of so many columns and rows.

    Only a class that itself brings the recipe is known to accept them: a subclass may have another constructor.
    """
    if not (isinstance(module, type) and "recipe" in vars(module)):
        return params
    added = recipe_of(module).params_of_tables
    return params if added is None else {**added(n_columns, is_sparse, n_rows), **params}
