"""What "auto" means, and the plan of a training run."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from .._data.labelled_rows import MERGE_LIMIT
from .._data.training_data import EncodedData
from .._training.plan import TrainingPlan
from ..modules._recipe import Recipe, recipe_of
from ..optim import Muon
from .default_callbacks import training_callbacks

__all__ = ["n_networks_for", "optimizer_params_for", "stops_early", "training_plan"]

# Up to so many rows every epoch is worth its time; beyond, the passes over the rows fall with the square root of their
# number. A stream of unknown length is treated as if it had so many.
_ROWS_OF_FULL_LENGTH = 30_000
# From so many rows on, the largest batch grows with the fourth root of their number.
_ROWS_OF_LARGEST_BATCH = 20_000
# Of queries, a batch holds about so many rows, but not fewer queries; a long query counts as one of so many rows.
_ROWS_OF_QUERIES, _FEWEST_QUERIES, _ROWS_OF_QUERY = 1024, 4, 256


def training_plan(
    params: Mapping[str, Any],
    data: EncodedData,
    names: Iterable[str],
    *,
    partial: bool,
    started: float,
    **of_this_fit: Any,
) -> TrainingPlan:
    """The complete plan of a fit; `names` are those of all columns, `of_this_fit` has further fields of the plan."""
    recipe = recipe_of(params["module"])
    if data.targets.kind == "ranking":  # a query is many rows, so fewer steps are enough
        recipe = dataclasses.replace(recipe, min_steps=recipe.min_steps // 4)
    n_rows, has_validation = data.train.n_per_epoch, data.valid is not None
    batch_size = batch_size_for(recipe, params["batch_size"], n_rows, data.n_copies)
    row_size = data.train.store.row_size
    if data.train.queries is not None:  # which are counted in place of rows
        rows_of_query = data.train.queries.mean_rows(_ROWS_OF_QUERY)
        row_size = round(row_size * rows_of_query)
        if params["batch_size"] == "auto":
            batch_size = max(_FEWEST_QUERIES, min(batch_size, int(_ROWS_OF_QUERIES / rows_of_query)))
    can_be_scaled = data.inputs.can_be_scaled
    has_decay_by_recipe = recipe.decay_epochs is not None and _decay_is_free(params)
    patience = recipe.patience if params["n_iter_no_change"] == "auto" else params["n_iter_no_change"]
    max_time = None if partial else params["max_time"]
    epochs = epochs_for(
        recipe, params["max_epochs"], n_rows, batch_size,
        n_networks=1 if data.train.shares is None else len(data.train.shares),
        row_size=row_size, stopped=has_validation,
    )  # fmt: skip
    return TrainingPlan(
        # Of a target that never varies there is nothing to learn: predictions are exact already.
        epochs=1 if partial or data.targets.is_constant else epochs,
        batch_size=batch_size,
        lr=lr_for(recipe, params["lr"], math.inf if partial else len(data.train)),
        lr_schedule="constant" if partial else params["lr_schedule"],
        lr_schedule_params={} if partial else _schedule_params_for(params, recipe),
        callbacks=training_callbacks(params, patience=patience, has_validation=has_validation, partial=partial),
        started=started,
        deadline=None if max_time is None else started + max_time,
        precision=params["precision"],
        compile=bool(params["compile"]),
        ema_decay=recipe.ema_decay if params["ema_decay"] == "auto" else params["ema_decay"],
        weight_decay_follows_lr=has_decay_by_recipe,
        validation_score=data.validation_score,
        columns=(list(names) or None) if can_be_scaled else None,
        scale_inputs=functools.partial(data.inputs.scale_from_now_on, data.resident) if can_be_scaled else None,
        keeps_interrupted=params["on_interrupt"] == "keep",
        **of_this_fit,
    )


def n_networks_for(module: Any, n_networks: int | str, n_samples: int | None) -> int:
    """``n_networks``, or for "auto" the fewer networks the more rows; `n_samples` is None for a stream."""
    if n_networks != "auto":
        return int(n_networks)
    recipe = recipe_of(module)
    n_samples = _ROWS_OF_FULL_LENGTH if n_samples is None else n_samples
    return next((size for n_rows, size in recipe.n_networks_up_to if n_samples <= n_rows), recipe.n_networks)


def stops_early(module: Any, early_stopping: bool | str, n_samples: int) -> bool:
    """Whether rows are held out for early stopping; "auto" needs enough of them."""
    if early_stopping != "auto":
        return bool(early_stopping)
    min_rows = recipe_of(module).min_rows_to_split
    return min_rows is not None and n_samples >= min_rows


def _schedule_params_for(params: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """``lr_schedule_params``, with the warm-up of the recipe."""
    given = dict(params["lr_schedule_params"] or {})
    follows_recipe = params["lr_schedule"] == "cosine" and recipe.warmup is not None
    return {"warmup": recipe.warmup, **given} if follows_recipe else given


def optimizer_params_for(params: Mapping[str, Any], plan: TrainingPlan, n_rows: int) -> dict[str, Any]:
    """``optimizer_params``, with ``weight_decay`` and ``eps`` for AdamW where the recipe chooses them."""
    given = dict(params["optimizer_params"] or {})
    recipe = recipe_of(params["module"])
    if recipe.eps is not None and _is_adamw(params["optimizer"]):
        given = {"eps": recipe.eps, **given}
    if plan.weight_decay_follows_lr and recipe.decay_epochs is not None:
        n_steps = math.ceil(n_rows / plan.batch_size)
        return {**given, "weight_decay": 1 / (plan.lr * recipe.decay_epochs * n_steps)}
    if recipe.weight_decay is not None and _decay_is_free(params):
        return {**given, "weight_decay": recipe.weight_decay}
    return given


def _decay_is_free(params: Mapping[str, Any]) -> bool:
    """Whether the recipe may choose the weight decay: the optimizer is AdamW, and the user has chosen none."""
    return _is_adamw(params["optimizer"]) and "weight_decay" not in (params["optimizer_params"] or {})


def _is_adamw(optimizer: Any) -> bool:
    """Whether it decays weights as AdamW does."""
    return optimizer == "auto" or optimizer in (torch.optim.AdamW, Muon)


def lr_for(recipe: Recipe, lr: float | str, n_samples: float) -> float:
    """``lr``, or for "auto" that of the recipe for so many training rows."""
    if lr != "auto":
        return float(lr)
    most, lower = recipe.lr_of_many_rows or (math.inf, recipe.lr)
    return lower if n_samples > most else recipe.lr


def epochs_for(
    recipe: Recipe,
    max_epochs: int | str,
    n_samples: int,
    batch_size: int,
    *,
    n_networks: int = 1,
    row_size: int,
    stopped: bool,
) -> int:
    """``max_epochs``, or for "auto" the epochs of a schedule for so many training rows of `row_size` numbers.

    Each of `n_networks` is trained on so many rows.

    A quarter of the steps where nothing stops a network that overfits.
    """
    if max_epochs != "auto":
        return int(max_epochs)
    n_steps = max(1, n_samples // batch_size)
    min_steps = recipe.min_steps if stopped else recipe.min_steps // 4
    few_rows = min(math.ceil(min_steps / n_steps), 200)
    many_rows = math.ceil(recipe.epochs * math.sqrt(min(1.0, _ROWS_OF_FULL_LENGTH / n_samples)))
    affordable = min(recipe.max_numbers / row_size, recipe.max_rows_shown / n_networks) / max(n_samples, 1)
    return max(3, int(min(max(few_rows, many_rows), affordable)))


def batch_size_for(recipe: Recipe, batch_size: int | str, n_samples: int, n_copies: float | None = None) -> int:
    """Rows per step; "auto" aims at `steps_per_epoch` batches, of 16 rows to `largest_batch`.

    Merged rows that stand for `n_copies` rows take as many steps as these would.
    """
    if batch_size == "auto":
        smallest = 16 if n_samples < 400 else 32
        largest = recipe.largest_batch * max(1.0, n_samples / _ROWS_OF_LARGEST_BATCH) ** 0.25
        aim = 2 ** round(np.log2(max(n_samples, 1) / recipe.steps_per_epoch))
        size = int(np.clip(aim, smallest, 2 ** round(np.log2(largest))))
    else:
        size = int(batch_size)
    if n_copies is None:
        return size
    n_steps = np.clip(np.ceil(n_copies / size), np.ceil(n_samples / size), max(1, MERGE_LIMIT // size))
    return max(1, int(np.ceil(n_samples / max(1, n_steps))))
