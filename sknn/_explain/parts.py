"""What the pixels of images, the steps of sequences, the words of texts and the frames of sounds contribute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .._data.containers import take_rows
from .._data.inputs import Inputs
from .._data.sequence_inputs import ConvolutionInputs
from .._data.stores import Store
from .gradients import integrated_gradients
from .scores import Scores
from .windows import window_values

__all__ = ["part_contributions"]

# Numbers of rows that are encoded together, and of rows of several lengths that are filled up to the longest.
_ENCODED, _FILLED_UP = 2**22, 2**20


class _Found(NamedTuple):
    """Of some rows, at these positions."""

    positions: np.ndarray
    values: list[dict[str, np.ndarray]]  # as `Inputs.contributions` takes them
    start: Tensor  # (n, n_outputs)
    end: Tensor


def part_contributions(
    network: nn.Module,
    scores: Scores,
    inputs: Inputs,
    X: Any,
    background: Any = None,
    max_evals: int = 500,
    has_one_output: bool = False,
) -> tuple[Any, np.ndarray, np.ndarray]:
    """Contributions in a form that belongs to X, and scores float64 (n, n_outputs) of the baselines and of the rows.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    scores : Scores
        What is explained; contributions and scores are in its unit.
    inputs : Inputs
        Of a kind without columns, or an array of more than two axes.
    X : as returned by `inputs.prepare`
    background : rows as X, or None
        Contributions are the mean over these baselines; None is `Inputs.absent`.
    max_evals : int
        Evaluations of the network for each row, about, where it has no gradient.
    has_one_output : bool
        Whether contributions have no axis of outputs.

    Raises
    ------
    ValueError
        The background has rows of other lengths than X.
    NotDifferentiableError
        The network has no gradient by which it could be explained.
    """
    n_rows = X.shape[0]
    chunk = max(64, _ENCODED // max(inputs.row_size, 512))
    values: list[dict[str, np.ndarray]] = [{} for _ in range(n_rows)]
    start, end = np.zeros((n_rows, scores.n_outputs)), np.zeros((n_rows, scores.n_outputs))
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    find = _by_windows if isinstance(inputs, ConvolutionInputs) else _by_gradients
    for first in range(0, n_rows, chunk):
        rows = take_rows(X, slice(first, first + chunk))
        for found in find(network, scores, inputs, rows, background, max_evals, device):
            positions = first + found.positions
            for i, one in zip(positions, found.values, strict=True):
                values[i] = {name: v[..., 0] if has_one_output and name != "codes" else v for name, v in one.items()}
            start[positions], end[positions] = scores.in_units(found.start), scores.in_units(found.end)
    return inputs.contributions(X, values), start + scores.offset, end + scores.offset


def _by_gradients(
    network: nn.Module, scores: Scores, inputs: Inputs, X: Any, background: Any, max_evals: int, device: torch.device
) -> Iterator[_Found]:
    store = inputs.encode(X)
    others = None if background is None else inputs.encode(background)
    if others is not None and not _same_shape(store, others):
        raise ValueError(
            "background has rows of other lengths than X, or such rows are in X, so that their parts do not correspond."
            " Leave background out."
        )
    for positions in store.parts(_FILLED_UP):
        part = store[positions]
        batch = {name: tensor.to(device) for name, tensor in part.tensors().items()}
        baselines = [inputs.absent(batch)] if others is None else list(_single_rows(others, batch, device))
        found = integrated_gradients(network, scores, batch, baselines)
        codes = {name: tensor for name, tensor in batch.items() if name == "x" and not tensor.is_floating_point()}
        in_units = {name: scores.in_units(part) for name, part in found.inputs.items()}
        lengths = [None] * len(part) if part.lengths is None else part.lengths.tolist()
        values = [
            {
                **{name: of_rows[i][..., :length, :] for name, of_rows in in_units.items()},
                **{"codes": tensor[i, :length].cpu().numpy() for tensor in codes.values()},
            }
            for i, length in enumerate(lengths)
        ]
        yield _Found(positions.numpy(), values, found.start, found.end)


def _by_windows(
    network: nn.Module,
    scores: Scores,
    inputs: ConvolutionInputs,
    X: Any,
    background: Any,
    max_evals: int,
    device: torch.device,
) -> Iterator[_Found]:
    def score(tensors: dict[str, Tensor]) -> Tensor:
        return scores.of_output(network(*(tensor.to(device) for tensor in tensors.values()))).cpu()

    others = None if background is None else inputs.read(background)
    for positions, values, start, end in window_values(score, inputs, inputs.read(X), others, max_evals):
        rows = [{"x": scores.in_units(torch.from_numpy(one))} for one in values]
        yield _Found(positions, rows, start, end)


def _same_shape(store: Store, others: Store) -> bool:
    """Whether all rows of both have one shape."""
    if store.lengths is None or others.lengths is None:
        return True
    return len(torch.cat([store.lengths, others.lengths]).unique()) == 1


def _single_rows(others: Store, batch: dict[str, Tensor], device: torch.device) -> Iterator[dict[str, Tensor]]:
    """Each row of a background as a baseline of a batch."""
    for i in range(len(others)):
        one = others[slice(i, i + 1)].tensors()
        yield {name: one[name].to(device) if name == "x" else values for name, values in batch.items()}
