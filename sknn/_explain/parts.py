"""Rows of a fitted estimator -> attributions of pixels, steps of sequences, words of texts, frames of sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._data.containers import take_rows
from .._data.sequence_inputs import ConvolutionInputs
from .._data.stores import Store
from .._network.table_network import users_network
from .explain import Fitted, differentiable
from .gradients import NotDifferentiableError, integrated_gradients
from .scores import Scores, explained_scores, raw_scores
from .windows import window_values

__all__ = ["ExplainedParts", "explained_parts"]

# Numbers of rows that are encoded together, and of rows of several lengths that are filled up to the longest.
_ENCODED, _FILLED_UP = 2**22, 2**20


class ExplainedParts(NamedTuple):
    """Attributions, and the scores that they start from."""

    values: Any  # in a form that belongs to X, see `Inputs.contributions`
    base_values: np.ndarray  # float64 (n, n_outputs): the score of the baseline of each row


class _Found(NamedTuple):
    """Of some rows, at these positions."""

    positions: np.ndarray
    values: list[dict[str, np.ndarray]]  # as `Inputs.contributions` takes them, with an axis of outputs
    start: np.ndarray  # (n, n_outputs)


_Find = Callable[[Fitted, Scores, Any, Any, int], Iterator[_Found]]


def explained_parts(fitted: Fitted, X: Any, background: Any, method: str, max_evals: int) -> ExplainedParts:
    """Attributions of rows of a kind without columns, X as returned by `prepare` of its inputs.

    `background` are rows as X, whose attributions are averaged; None is `Inputs.absent`. Where the network reads
    features of whole sequences, windows are switched with about `max_evals` evaluations for each row.

    Raises
    ------
    ValueError
        The method is not possible for this network, or rows of the background have other lengths than those of X.
    """
    inputs = fitted.inputs
    find = _finder(fitted, method)
    with torch.no_grad():
        first = _tensors(inputs.encode(take_rows(X, slice(0, 1))), fitted.device)
        n_raw = raw_scores(fitted.network, list(first.values())).shape[-1]
    scores = explained_scores(fitted.loss, fitted.targets, n_raw)
    has_one_output = scores.n_outputs == 1 and fitted.targets.ndim == 1
    n_rows = X.shape[0]
    chunk = max(64, _ENCODED // max(inputs.row_size, 512))
    values: list[dict[str, np.ndarray]] = [{} for _ in range(n_rows)]
    base_values = np.zeros((n_rows, scores.n_outputs))
    for start in range(0, n_rows, chunk):
        rows = take_rows(X, slice(start, start + chunk))
        for found in find(fitted, scores, rows, background, max_evals):
            base_values[start + found.positions] = found.start
            for i, row in zip(start + found.positions, found.values, strict=True):
                values[i] = {
                    name: part[..., 0] if has_one_output and name != "codes" else part for name, part in row.items()
                }
    return ExplainedParts(inputs.contributions(X, values), base_values)


def _finder(fitted: Fitted, method: str) -> _Find:
    """How attributions are found."""
    name = _name(fitted)
    if isinstance(fitted.inputs, ConvolutionInputs):
        if method == "gradients":
            raise ValueError(
                "method='gradients': the network reads features of whole sequences, such as shares of steps above a "
                "threshold, which have no gradient. Use method='permutation', or module=SequenceTransformer."
            )
        return _by_windows
    if method == "permutation":
        raise ValueError(
            f"method='permutation' is for columns of tables and for SequenceNet; {fitted.inputs.what} of {name} are "
            "explained by method='gradients'."
        )
    return _by_gradients


def _by_gradients(fitted: Fitted, scores: Scores, X: Any, background: Any, max_evals: int) -> Iterator[_Found]:
    store = fitted.inputs.encode(X)
    others = None if background is None else fitted.inputs.encode(background)
    if others is not None and not _correspond(store, others):
        raise ValueError(
            f"background: the parts of {fitted.inputs.what} correspond only if all have one length, and words of texts "
            "never do. Leave background out."
        )
    for positions in store.parts(_FILLED_UP):
        part = store[positions]
        batch = _tensors(part, fitted.device)
        baselines = [fitted.inputs.absent(batch)]
        if others is not None:
            baselines = [_tensors(others[slice(i, i + 1)], fitted.device) for i in range(len(others))]
        try:
            with differentiable(fitted.device):
                found = integrated_gradients(fitted.network, scores, batch, baselines)
        except (NotDifferentiableError, RuntimeError) as error:  # torch raises the latter
            raise ValueError(
                f"gradients cannot explain {_name(fitted)}: {error}. Replace that part of the module."
            ) from error
        in_units = {name: scores.in_units(values) for name, values in found.inputs.items()}
        values = _by_row(in_units, batch["x"], part.lengths)
        yield _Found(positions.numpy(), values, scores.in_units(found.start) + scores.offset)


def _by_row(found: dict[str, np.ndarray], x: Tensor, lengths: Tensor | None) -> list[dict[str, np.ndarray]]:
    """Attributions (n, ..., steps, n_outputs) row by row, each of its own length, and its codes."""
    ends = [None] * len(x) if lengths is None else lengths.tolist()
    rows = [
        {name: values[i] if end is None else values[i][..., :end, :] for name, values in found.items()}
        for i, end in enumerate(ends)
    ]
    if not x.is_floating_point():
        for row, codes, end in zip(rows, x.cpu().numpy(), ends, strict=True):
            row["codes"] = codes[:end]
    return rows


def _by_windows(fitted: Fitted, scores: Scores, X: Any, background: Any, max_evals: int) -> Iterator[_Found]:
    inputs = fitted.inputs
    assert isinstance(inputs, ConvolutionInputs)

    def score(tensors: dict[str, Tensor]) -> Tensor:
        batch = [values.to(fitted.device) for values in tensors.values()]
        return scores.of_raw(raw_scores(fitted.network, batch)).float().cpu()

    others = None if background is None else inputs.read(background)
    for positions, values, start in window_values(score, inputs, inputs.read(X), others, max_evals):
        rows = [{"x": one} for one in scores.in_units(values)]
        yield _Found(positions, rows, scores.in_units(start) + scores.offset)


def _name(fitted: Fitted) -> str:
    return type(users_network(fitted.network)).__name__


def _correspond(store: Store, others: Store) -> bool:
    """Whether part i of a row stands for the same as part i of another one."""
    if store.lengths is None or others.lengths is None:
        return True
    has_numbers = store[slice(0, 1)].tensors()["x"].is_floating_point()
    return has_numbers and len(torch.cat([store.lengths, others.lengths]).unique()) == 1


def _tensors(rows: Store, device: str) -> dict[str, Tensor]:
    return {name: values.to(device) for name, values in rows.tensors().items()}
