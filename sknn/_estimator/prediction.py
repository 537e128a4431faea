"""X -> raw predictions of a trained network, in chunks of rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .._backprop.chain import evaluated
from .._data.containers import take_rows
from .._data.inputs import Inputs, RawRows
from .._data.stores import Store, whole_tiles
from .._threads import limited_threads
from .._training.net import _Net

__all__ = ["prediction_of_rows", "raw_prediction"]

# Rows per chunk times the width of a row: large enough to make the overhead of a call small, small enough for caches.
_CHUNK_FLOATS = 2**22

# Rows of several lengths are filled up to so many numbers at most.
_FILLED_UP = 2**20

# Numbers of a row, for each output, that are in memory together: scores of all members, and intermediate results.
_SCORES_AT_ONCE = 8


def raw_prediction(net: _Net, inputs: Inputs, X: Any, *, beside: nn.Module | None = None) -> Tensor:
    """Raw prediction float32 (n_samples, out_features) on the CPU, for a prepared X.

    `beside` is called with ``x``, ``x_cat`` (or None) and the raw prediction of a batch; what it returns is appended.

    Runs under inference_mode. One thread computes up to 2^27 multiplications, so that the number of threads changes no
    bit; beyond, the last bits may depend on it.
    """
    n_scores = _SCORES_AT_ONCE * net.n_classes
    width = max(inputs.row_size, n_scores, 512)
    chunk = max(64, _CHUNK_FLOATS // width)
    n_rows = X.shape[0]
    with limited_threads(min(n_rows, chunk) * net.multiplications, repeatable=True):
        if n_rows <= chunk:
            return _one_chunk(net, inputs.encode(X), beside)
        chunks = (slice(start, start + chunk) for start in range(0, n_rows, chunk))
        return torch.cat([_one_chunk(net, inputs.encode(take_rows(X, rows)), beside) for rows in chunks])


def prediction_of_rows(net: _Net, inputs: Inputs, raw: RawRows) -> Tensor:
    """The same for a few rows that have been read."""
    with limited_threads(len(raw) * net.multiplications, repeatable=True):
        return _one_chunk(net, inputs.encode_rows(raw))


def _one_chunk(net: _Net, store: Store, beside: nn.Module | None = None) -> Tensor:
    """Raw prediction of rows; rows of several lengths in parts of about the same length, filled up only to it."""
    if store.lengths is None:
        return _one_batch(net, store, beside)
    parts = store.parts(_FILLED_UP)
    raw = torch.cat([_one_batch(net, store[part], beside) for part in parts])
    return raw[torch.cat(parts).argsort()]


def _one_batch(net: _Net, store: Store, beside: nn.Module | None) -> Tensor:
    batch = {name: whole_tiles(values) for name, values in store.tensors().items()}
    if net.device != "cpu":
        batch = {name: values.to(net.device) for name, values in batch.items()}
    raw = evaluated(net.module_, batch)
    raw = (net.infer(batch) if raw is None else raw).float()
    if beside is not None:
        raw = torch.cat([raw, beside.to(raw.device)(batch["x"], batch.get("x_cat"), raw)], dim=1)
    return raw.cpu()[: len(store)]
