"""How a network is trained where the user leaves it to the estimators."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
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
    decay_epochs : float or None
        Epochs at the full learning rate in which the weight decay of AdamW shrinks a weight without a gradient by a
        factor of e; None leaves the optimizer's default. A decay fixed in steps is too strong for many rows, or too
        weak for few (X. Wang, L. Aitchison, How to set AdamW's weight decay as you scale model and dataset size, ICML
        2025, arXiv:2405.13698).
    patience : int
        What ``n_iter_no_change="auto"`` means.
    min_steps : int
        Least number of steps in a schedule, in at most 200 epochs.
    epochs : int
        Least number of epochs in a schedule, up to `rows_of_full_length` rows.
    rows_of_full_length : int
        Up to so many rows every epoch is worth its time; beyond, the passes over the rows grow with their square root.
    min_rows_to_split : int
        Smaller tables are fitted whole, without validation rows.
    steps_per_epoch : int
        Number of batches that ``batch_size="auto"`` aims at.
    largest_batch : int
        Largest automatic batch size, up to 20,000 rows.
    ema_decay : float or None
        What ``ema_decay="auto"`` means.
    max_columns, params_of_wide_tables : int, dict
        Wider tables and sparse ones get these parameters of the module, unless the user sets them.
    """

    n_networks: int = 1
    n_networks_up_to: tuple[tuple[int, int], ...] = ()
    lr: float = 0.001
    decay_epochs: float | None = None
    patience: int = 12
    min_steps: int = 0
    epochs: int = 100
    rows_of_full_length: int = 20_000
    min_rows_to_split: int = 200
    steps_per_epoch: int = 40
    largest_batch: int = 256
    ema_decay: float | None = None
    max_columns: int = 1000
    params_of_wide_tables: dict[str, Any] = field(default_factory=dict)


_ANY_MODULE = Recipe()


def recipe_of(module: Any) -> Recipe:
    """The recipe of a module class, callable or instance; that for any module where it brings none."""
    while isinstance(module, functools.partial):
        module = module.func
    recipe = getattr(module, "recipe", None)
    return recipe if isinstance(recipe, Recipe) else _ANY_MODULE


def params_for_table(module: Any, params: dict[str, Any], *, n_columns: int, is_sparse: bool) -> dict[str, Any]:
    """``module_params``, with those that the recipe adds for a wide or sparse table.

    Only a class that itself brings the recipe is known to accept them: a subclass may have another constructor.
    """
    if not (isinstance(module, type) and "recipe" in vars(module)):
        return params
    recipe = recipe_of(module)
    return {**recipe.params_of_wide_tables, **params} if is_sparse or n_columns > recipe.max_columns else params
