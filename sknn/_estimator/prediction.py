"""X -> raw predictions and hidden units of a trained network, in chunks of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._backprop.chain import evaluated
from .._data.containers import take_rows
from .._data.inputs import Inputs, RawRows
from .._data.stores import Store, whole_tiles
from .._network.hidden import hidden_units
from .._threads import limited_threads
from .._training.net import _Net

__all__ = ["hidden_layer", "prediction_of_rows", "raw_prediction", "raw_prediction_and"]

# Rows per chunk times the width of a row: large enough to make the overhead of a call small, small enough for caches.
_CHUNK_FLOATS = 2**22

# Rows of several lengths are filled up to so many numbers at most.
_FILLED_UP = 2**20

# Numbers of a row, for each output, that are in memory together: scores of all members, and intermediate results.
_SCORES_AT_ONCE = 8


def raw_prediction(net: _Net, inputs: Inputs, X: Any) -> Tensor:
    """Raw prediction float32 (n_samples, out_features) on the CPU, for a prepared X.

    Runs under inference_mode. One thread computes up to 2^27 multiplications, so that the number of threads changes no
    bit; beyond, the last bits may depend on it.
    """
    return _in_chunks(net, inputs, X, _raw)


def hidden_layer(net: _Net, inputs: Inputs, X: Any) -> Tensor:
    """Units of the last hidden layer, float32 (n_samples, width), on the CPU; otherwise as `raw_prediction`."""
    return _in_chunks(net, inputs, X, _hidden)


def raw_prediction_and(net: _Net, inputs: Inputs, X: Any, beside: nn.Module) -> Tensor:
    """The same, followed by the columns that `beside` returns for ``x``, ``x_cat`` (or None) and the raw prediction."""

    def answer(net: _Net, batch: dict[str, Tensor]) -> Tensor:
        raw = _raw(net, batch).float()
        return torch.cat([raw, beside.to(raw.device)(batch["x"], batch.get("x_cat"), raw)], dim=1)

    return _in_chunks(net, inputs, X, answer)


def prediction_of_rows(net: _Net, inputs: Inputs, raw: RawRows) -> Tensor:
    """The raw prediction for a few rows that have been read."""
    with limited_threads(len(raw) * net.multiplications, repeatable=True):
        return _one_chunk(net, inputs.encode_rows(raw), _raw)


# What is computed for a batch of tensors, (batch, width).
_Answer = Callable[[_Net, dict[str, Tensor]], Tensor]


def _raw(net: _Net, batch: dict[str, Tensor]) -> Tensor:
    raw = evaluated(net.module_, batch)
    return net.infer(batch) if raw is None else raw


def _hidden(net: _Net, batch: dict[str, Tensor]) -> Tensor:
    return hidden_units(net.module_, batch)


def _in_chunks(net: _Net, inputs: Inputs, X: Any, answer: _Answer) -> Tensor:
    n_scores = _SCORES_AT_ONCE * net.n_classes
    width = max(inputs.row_size, n_scores, 512)
    chunk = max(64, _CHUNK_FLOATS // width)
    n_rows = X.shape[0]
    with limited_threads(min(n_rows, chunk) * net.multiplications, repeatable=True):
        if n_rows <= chunk:
            return _one_chunk(net, inputs.encode(X), answer)
        chunks = inputs.chunks(X, chunk)
        answers = torch.cat([_one_chunk(net, inputs.encode(take_rows(X, rows)), answer) for rows in chunks])
        if isinstance(chunks[0], slice):
            return answers
        return answers[torch.from_numpy(np.concatenate(chunks)).argsort()]


def _one_chunk(net: _Net, store: Store, answer: _Answer) -> Tensor:
    """The answer for rows; rows of several lengths in parts of about the same length, filled up only to it."""
    if store.lengths is None:
        return _one_batch(net, store, answer)
    parts = store.parts(_FILLED_UP)
    answers = torch.cat([_one_batch(net, store[part], answer) for part in parts])
    return answers[torch.cat(parts).argsort()]


def _one_batch(net: _Net, store: Store, answer: _Answer) -> Tensor:
    batch = {name: whole_tiles(values) for name, values in store.tensors().items()}
    if net.device != "cpu":
        batch = {name: values.to(net.device) for name, values in batch.items()}
    return answer(net, batch).float().cpu()[: len(store)]
