"""What the steps of sequences contribute to a network that reads features of whole sequences.

Such features, as those of random convolutions, have no gradient. So windows of time of each channel are switched from a
baseline to the sequence, and the features are computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from .._data.sequence_inputs import ConvolutionInputs
from .._data.sequences import SequenceRows
from .permutations import permutation_values

__all__ = ["window_values"]

# Windows of a sequence, of all channels together, and of a channel.
_MOST_WINDOWS, _MOST_OF_CHANNEL = 32, 16
_ROWS_AT_ONCE = 2**12


def window_values(
    score: Callable[[dict[str, Tensor]], Tensor],
    inputs: ConvolutionInputs,
    raw: SequenceRows,
    background: SequenceRows | None,
    max_evals: int,
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Of sequences of one length at a time: positions, values (n, n_channels, length, n_outputs), scores of baselines.

    `score` is that of tensors as a network is given them. The baseline is the centre of each channel in training, or
    rows of a background. All steps of a window have the same value.
    """
    center = inputs.features.scale.center
    for positions, x in raw.by_length(_ROWS_AT_ONCE):
        n, n_channels, length = x.shape
        n_windows = max(1, min(length, _MOST_OF_CHANNEL, _MOST_WINDOWS // n_channels))
        window_of = np.arange(n_channels)[:, None] * n_windows + np.arange(length) * n_windows // length
        if background is None:
            starts = [np.repeat(center[:, None], length, axis=1)]
        else:
            starts = [_stretched(background, i, length) for i in range(len(background))]
        column_of = torch.from_numpy(window_of.reshape(-1))
        found = permutation_values(
            lambda batch, shape=(n_channels, length): score(_tensors(inputs, raw, batch["x"].view(-1, *shape).numpy())),
            {"x": torch.from_numpy(np.ascontiguousarray(x).reshape(n, -1))},
            [{"x": torch.from_numpy(start.astype(x.dtype).reshape(1, -1))} for start in starts],
            {"x": column_of},
            n_channels * n_windows,
            max_evals,
        )
        sizes = torch.bincount(column_of).view(-1, 1)
        values = (found.inputs["columns"] / sizes)[:, column_of].unflatten(1, (n_channels, length))
        yield positions, values, found.start


def _tensors(inputs: ConvolutionInputs, raw: SequenceRows, x: np.ndarray) -> dict[str, Tensor]:
    """What the network is given for sequences (n, n_channels, length)."""
    n, n_channels, length = x.shape
    lengths = np.full(n, length, np.int64)
    values = np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(-1, n_channels)
    rows = SequenceRows(values, np.arange(n, dtype=np.int64) * length, lengths, raw.inputs)
    return inputs.encode_rows(rows).tensors()


def _stretched(rows: SequenceRows, i: int, length: int) -> np.ndarray:
    """Row i (n_channels, length), its steps repeated or left out where it has another length."""
    steps = np.arange(length) * int(rows.lengths[i]) // length
    return rows.values[rows.starts[i] + steps].T
