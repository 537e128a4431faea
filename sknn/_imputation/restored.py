"""What a masked autoencoder puts into the gaps of rows: the most likely cells, or draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._data.cell_inputs import CellInputs
from ..modules import MaskedAutoencoder

__all__ = ["Cells", "drawn", "expected"]

_AT_ONCE = 4096  # rows
_MOST_PASSES = 32


class Cells(NamedTuple):
    """Numbers and categories of rows."""

    numbers: np.ndarray  # float64 (n_rows, n_numbers)
    codes: np.ndarray  # int64 (n_rows, n_categorical)
    probabilities: list[np.ndarray]  # of each categorical column, float64 (n_rows, n_codes)


@torch.no_grad()
def expected(network: MaskedAutoencoder, inputs: CellInputs, cells: Cells, device: str) -> Cells:
    """Means of numbers and most probable categories, for all cells of the rows, in the light of those present."""
    parts = []
    for x, x_cat in _batches(inputs, cells, device):
        scores, _, present = x.chunk(3, dim=1)
        found = network.restore(scores, present > 0, x_cat)
        parts.append((found.means.cpu().numpy(), [logits.softmax(1).cpu().double().numpy() for logits in found.codes]))
    numbers = np.concatenate([means for means, _ in parts]).astype(np.float64) * inputs.spread + inputs.mean
    numbers[:, np.isnan(inputs.grid.grid[0])] = np.nan
    probabilities = [np.concatenate(of) for of in zip(*(found for _, found in parts), strict=True)]
    codes = np.stack([of.argmax(1) for of in probabilities], axis=1) if probabilities else cells.codes
    return Cells(np.clip(numbers, inputs.grid.grid[0], inputs.grid.grid[-1]), codes, probabilities)


@torch.no_grad()
def drawn(
    network: MaskedAutoencoder, inputs: CellInputs, cells: Cells, device: str, random: np.random.RandomState
) -> Cells:
    """Cells drawn one after the other, in random order, each in the light of those that are there already."""
    numbers, codes = cells.numbers.copy(), cells.codes.copy()
    missing = np.array(inputs.n_codes, dtype=np.int64) - 1
    is_gap = np.hstack([np.isnan(numbers), codes == missing])
    d = numbers.shape[1]
    order = np.where(is_gap, random.random_sample(is_gap.shape), 2.0).argsort(axis=1).argsort(axis=1)
    n_passes = min(_MOST_PASSES, int(is_gap.sum(axis=1).max(initial=0)))
    turn = np.where(is_gap, order * n_passes // np.maximum(1, is_gap.sum(axis=1, keepdims=True)), -1)
    for i in range(n_passes):
        rows = np.flatnonzero((turn == i).any(axis=1))
        now = turn[rows] == i
        some = _drawn_once(network, inputs, Cells(numbers[rows], codes[rows], []), device, random)
        numbers[rows] = np.where(now[:, :d], some.numbers, numbers[rows])
        codes[rows] = np.where(now[:, d:], some.codes, codes[rows])
    return Cells(numbers, codes, [])


def _drawn_once(
    network: MaskedAutoencoder, inputs: CellInputs, cells: Cells, device: str, random: np.random.RandomState
) -> Cells:
    positions, codes = [], []
    for x, x_cat in _batches(inputs, cells, device):
        scores, _, present = x.chunk(3, dim=1)
        found = network.restore(scores, present > 0, x_cat)
        bins = _drawn(found.bins.flatten(0, 1), random).reshape(found.means.shape)
        positions.append((bins + random.random_sample(bins.shape)) / network.n_bins)
        drawn_codes = [_drawn(logits, random) for logits in found.codes]
        codes.append(np.array(drawn_codes, dtype=np.int64).reshape(-1, len(x)).T)
    return Cells(inputs.grid.numbers(np.concatenate(positions)), np.concatenate(codes), [])


def _drawn(logits: Tensor, random: np.random.RandomState) -> np.ndarray:
    """One of the classes for each row, int64 (n_rows,)."""
    shares = logits.double().softmax(dim=1).cumsum(dim=1).cpu().numpy()
    draws = random.random_sample((len(shares), 1))
    return np.minimum((shares <= draws).sum(axis=1), shares.shape[1] - 1 if shares.size else 0)


def _batches(inputs: CellInputs, cells: Cells, device: str) -> Iterator[tuple[Tensor, Tensor | None]]:
    for first in range(0, len(cells.numbers), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        batch = inputs.encoded(cells.numbers[part], cells.codes[part]).tensors()
        x_cat = batch.get("x_cat")
        yield batch["x"].to(device), None if x_cat is None else x_cat.to(device)
