"""Weights: checked, zeros dropped, equal rows merged."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from .._errors import refused_as

__all__ = ["MERGE_LIMIT", "check_weights", "merge_equal_rows", "within_range"]

# Tables that are fitted whole. On larger ones a validation split of distinct rows would take whole groups of equal rows
# from the training side, and exact equality to the bit is of no use there.
MERGE_LIMIT = 64


def check_weights(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Weights as float64 (n_samples,), or None where all are equal.

    Raises
    ------
    ValueError
        Wrong shape, NaN, infinity, a negative weight, or no positive weight.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, np.ma.MaskedArray):
        sample_weight = sample_weight.filled(0)
    with refused_as("sample_weight", "numbers >= 0, one for each row of X"), np.errstate(all="ignore"):
        rows = np.empty(n_samples)
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    if not weights.any():
        raise ValueError("sample_weight: all weights are zero; at least one row needs a positive weight.")
    if (weights == weights[0]).all():
        return None
    return within_range(weights)


def within_range(weights: np.ndarray) -> np.ndarray:
    """The weights (n,), divided by the largest where their sums or products would not fit float64."""
    largest = weights.max(initial=0.0)
    return weights if 1e-100 < largest < 1e100 or largest == 0 else weights / largest


def merge_equal_rows(rows: list[np.ndarray], weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows that are equal in every array become one row with the summed weight, in a canonical order.

    A weight of k and k copies then lead to the same bits. Float32 sums over other numbers of rows differ in the last
    bit, and training amplifies it.

    Parameters
    ----------
    rows : list of ndarray, each (n_samples, ...)
        Everything that makes a row: numbers, category codes, targets, group.
    weight : ndarray (n_samples,) or None
        Weights; None stands for ones.

    Returns
    -------
    (first, weight) : ndarray int64 (n_distinct,), float64 (n_distinct,) or None
        Position of the first of each set of equal rows, and their summed weight; None where there is nothing to merge.
    """
    n_samples = len(rows[0])
    if n_samples > MERGE_LIMIT:
        return None
    blocks = [_ordered_bytes(block.reshape(n_samples, -1)) for block in rows if block.size]
    keys = np.ascontiguousarray(np.concatenate(blocks, axis=1))
    keys = keys.view(np.dtype((np.void, keys.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) == n_samples and weight is None:
        return None
    return first, np.bincount(inverse, weights=weight, minlength=len(first)).astype(np.float64)


def _ordered_bytes(block: np.ndarray) -> np.ndarray:
    """Numbers (n, d) -> bytes (n, d * itemsize) whose lexicographic order is that of the numbers.

    So the order of rows, and with it the training, is the same whatever the unit of a column.
    """
    if block.dtype.kind == "f":
        block = block + 0.0  # -0.0 becomes 0.0
    bits = np.ascontiguousarray(block).view(f"u{block.dtype.itemsize}")
    sign = bits.dtype.type(1 << (8 * bits.dtype.itemsize - 1))
    if block.dtype.kind == "f":  # sign and magnitude: negative numbers count downwards
        bits = np.where(bits & sign, ~bits, bits | sign)
    elif block.dtype.kind == "i":
        bits = bits ^ sign
    return bits.astype(bits.dtype.newbyteorder(">")).view(np.uint8)
