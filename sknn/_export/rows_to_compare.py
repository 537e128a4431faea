"""Artificial rows for which a recording is compared with the module, drawn from what the fit has learned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._data.inputs import Inputs
from .._data.table_inputs import TableInputs

__all__ = ["Rows", "rows_to_compare"]

Rows = dict[str, np.ndarray]

_SHARE_MISSING = 0.1
_SHARE_OF_ZEROS = 0.9  # in the rows of a sparse matrix


def rows_to_compare(inputs: Inputs, row_shape: list[int], n_rows: int) -> Iterator[list[Rows]]:
    """Groups of sets of rows, under the names of the inputs of the graph: ``numeric`` float64, ``codes`` int64.

    The next group is for networks that accept no set of the groups before it.
    """
    random = np.random.default_rng(0)
    normal = random.standard_normal((n_rows, *row_shape)).astype(np.float32).astype(np.float64)
    if isinstance(inputs, TableInputs):
        encoder = inputs.encoder
        center, scale = (buffer[: encoder.in_features].cpu().numpy() for buffer in (encoder.center, encoder.scale))
        numeric = center + normal / np.where(scale > 0, scale, 1.0)
        numeric[random.random(numeric.shape) < _SHARE_MISSING] = np.nan
        cardinalities = np.array(inputs.cardinalities, dtype=np.int64)
        codes = random.integers(0, cardinalities, (n_rows, len(cardinalities)))  # unknown and missing among them
        yield [{"numeric": numeric, "codes": codes}]
        return
    if inputs.kind == "sparse":
        yield [_without_codes(np.where(random.random(normal.shape) < _SHARE_OF_ZEROS, 0.0, normal))]
        return
    if inputs.rescaling is not None:
        center, spread = (values.cpu().numpy() for values in inputs.rescaling)
        normal = center + normal * np.where(np.isinf(spread), 0.0, spread)
    # Sequences end with zeros where they are shorter than the longest one, and masks are made of these.
    steps = np.arange(row_shape[0]).reshape(-1, *[1] * (len(row_shape) - 1))
    lengths = random.integers(1, row_shape[0] + 1, n_rows)
    lengths[:4] = [row_shape[0]] * 3 + [1]  # so that the first rows are whole, by themselves and beside a short one
    is_step = steps < lengths.reshape(-1, *[1] * len(row_shape))
    yield [_without_codes(normal), _without_codes(np.where(is_step, normal, 0.0))]
    for n_words in (100, 10, 3, 2):  # a network with a vocabulary accepts small whole numbers only
        words = random.integers(1, n_words, normal.shape).astype(np.float64)
        yield [_without_codes(words), _without_codes(words * is_step)]


def _without_codes(numeric: np.ndarray) -> Rows:
    return {"numeric": numeric, "codes": np.empty((len(numeric), 0), dtype=np.int64)}
