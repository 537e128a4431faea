"""Rows of a fitted estimator -> attributions of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .._data.inputs import Inputs
from .._data.stores import Store
from ..losses import Loss
from .codes import attributions_of_codes
from .gradients import Attributions, NotDifferentiableError, integrated_gradients
from .permutations import permutation_values
from .scores import Scores, explained_scores, raw_scores
from .secants import secant_attributions

__all__ = ["METHODS", "Explained", "Fitted", "differentiable", "explained"]

METHODS = ("auto", "gradients", "permutation")
# Numbers of the rows that are explained together, about.
_AT_ONCE = 2**22


class Fitted(NamedTuple):
    """What a fit has left behind."""

    network: nn.Module  # in evaluation mode
    loss: Loss
    inputs: Inputs
    targets: Any
    device: str
    n_columns: int  # of a table


class Explained(NamedTuple):
    """Attributions, and the scores that they start from."""

    values: np.ndarray  # float64 (n, n_columns, n_outputs), or (n, *shape, n_outputs) of rows without columns
    base_values: np.ndarray  # float64 (n_outputs,): the score of the baseline, or the mean of those of several
    has_one_output: bool  # whether y has one output, so that its axis is left out


def explained(
    fitted: Fitted, rows: Store, background: Store | None, method: str = "auto", max_evals: int = 500
) -> Explained:
    """Attributions of encoded rows, beside encoded rows of a background.

    Raises
    ------
    ValueError
        Gradients cannot explain the network, and are asked for, or there are no columns to permute.
    """
    first = _tensors(rows[:1], fitted.device)
    baselines = [{name: torch.zeros_like(values) for name, values in first.items()}]
    if background is not None:
        tensors = _tensors(background, fitted.device)
        baselines = [{name: values[i : i + 1] for name, values in tensors.items()} for i in range(len(background))]
    with torch.no_grad():
        n_raw = raw_scores(fitted.network, list(first.values())).shape[-1]
    scores = explained_scores(fitted.loss, fitted.targets, n_raw)
    parts = []
    for batch in _batches(rows, fitted.device):
        parts.append(_of_batch(fitted, scores, batch, baselines, method, max_evals))
    values = np.concatenate([scores.in_units(values) for values, _ in parts])
    base_values = scores.in_units(parts[0][1]) + scores.offset
    has_one = scores.n_outputs == 1 and fitted.targets.ndim == 1
    return Explained(values, base_values, has_one)


def _of_batch(
    fitted: Fitted,
    scores: Scores,
    rows: dict[str, Tensor],
    baselines: list[dict[str, Tensor]],
    method: str,
    max_evals: int,
) -> tuple[Tensor, Tensor]:
    """Attributions of columns (n, n_columns, n_outputs), or of inputs, and the baseline's score (n_outputs,)."""
    columns = fitted.inputs.columns_of_inputs()
    column_of = {name: torch.from_numpy(of).to(fitted.device) for name, of in (columns or {}).items()}
    if method != "permutation":
        try:
            with differentiable(fitted.device):
                found = _by_gradients(fitted, scores, rows, baselines)
            values = found.inputs["x"] if columns is None else _by_column(found.inputs, column_of, fitted.n_columns)
            return values, found.start[0]
        except (NotDifferentiableError, RuntimeError) as error:  # torch raises the latter
            if method == "gradients" or columns is None:
                advice = "Use method='permutation'." if columns else "Replace that part of the module."
                raise ValueError(
                    f"method={method!r}: gradients cannot explain {type(fitted.network).__name__}: {error}. {advice}"
                ) from error
    elif columns is None:
        raise ValueError(
            "method='permutation': X has no columns to permute, since each row is an array of more than one dimension. "
            "Use method='gradients'."
        )

    def score(batch: dict[str, Tensor]) -> Tensor:
        return scores.of_raw(raw_scores(fitted.network, list(batch.values()))).float()

    found = permutation_values(score, rows, baselines, column_of, fitted.n_columns, max_evals)
    return found.inputs["columns"], found.start[0]


def _by_gradients(
    fitted: Fitted, scores: Scores, rows: dict[str, Tensor], baselines: list[dict[str, Tensor]]
) -> Attributions:
    found = secant_attributions(fitted.network, scores, rows, baselines) if rows["x"].ndim == 2 else None
    if found is None:
        found = integrated_gradients(fitted.network, scores, rows, baselines)
        if "x_cat" in rows and "x_cat" not in found.inputs:
            found.inputs["x_cat"] = attributions_of_codes(fitted.network, found, rows, baselines)
    if "x" not in found.inputs:
        raise NotDifferentiableError("the embeddings of its codes cannot be told apart by position")
    return found


def _by_column(inputs: dict[str, Tensor], column_of: dict[str, Tensor], n_columns: int) -> Tensor:
    """Attributions of encoded numbers and codes summed by column."""
    x = inputs["x"]
    total = x.new_zeros(len(x), n_columns, x.shape[-1])
    for name, columns in column_of.items():
        total.index_add_(1, columns, inputs[name])
    return total


def _batches(rows: Store, device: str) -> Iterator[dict[str, Tensor]]:
    size = max(64, _AT_ONCE // max(1, rows.row_size))
    for first in range(0, len(rows), size):
        yield _tensors(rows[first : first + size], device)


def _tensors(rows: Store, device: str) -> dict[str, Tensor]:
    return {name: values.to(device) for name, values in rows.tensors().items()}


def differentiable(device: str) -> AbstractContextManager[Any]:
    """cuDNN differentiates recurrent layers only in training mode."""
    return nullcontext() if device == "cpu" else torch.backends.cudnn.flags(enabled=False)
