"""Quantiles of many columns at once, with weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["center_and_half_spread", "quantiles"]

# Numbers that are sorted together, so that a table is not held twice for them.
_SORTED_AT_ONCE = 2**19

# Cumulative weights this close to q of their sum count as equal: 0.1 added up ten times is not 1.
TIE_TOLERANCE = 1e-11


def center_and_half_spread(
    numeric: np.ndarray, weight: np.ndarray | None, tail: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted median of each column (d,), and half the distance between its quantiles `tail` and 1 - `tail`.

    Where these coincide (a spike at one value, as in counts), it is half the median distance of the other values from
    the median. 0 for a column with one value, or none, whose median is NaN.
    """
    low, center, high = quantiles(numeric, weight, (tail, 0.5, 1 - tail))
    # Halves, since the difference of two finite numbers may be infinite. NaN: no value at all.
    half_spread = np.nan_to_num(high / 2 - low / 2)
    flat = np.flatnonzero(half_spread == 0)
    if flat.size:
        distance = np.abs(numeric[:, flat] / 2 - center[flat] / 2)
        distance[distance == 0] = np.nan
        half_spread[flat] = np.nan_to_num(quantiles(distance, weight, (0.5,))[0])
    return center, half_spread


def quantiles(numeric: np.ndarray, weight: np.ndarray | None, levels: Sequence[float]) -> np.ndarray:
    """Quantiles of each column, (n_levels, d); NaN for columns without values, of which NaN is none.

    They invert the weighted step function of the cumulative distribution, and are the mean of both neighbours where it
    is level, so that a weight of k counts exactly as k copies.
    """
    q = np.asarray(levels)
    if weight is None:
        return _plain(numeric, q)
    return _weighted(np.ascontiguousarray(numeric.T), np.asarray(weight, dtype=np.float64), q)


def _plain(numeric: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles (n_levels, d) of columns (n, d) without weights, by selection in O(n d)."""
    n_rows, n_columns = numeric.shape
    result = np.full((levels.size, n_columns), np.nan)
    n_values = n_rows - np.isnan(numeric).sum(axis=0)
    at_once = max(1, _SORTED_AT_ONCE // n_rows)
    for n in np.unique(n_values[n_values > 0]):  # equally many values: the same ranks
        alike = np.flatnonzero(n_values == n)
        ranks = levels * n
        lower = np.ceil(ranks).astype(np.intp) - 1
        upper = np.where(ranks == np.ceil(ranks), lower + 1, lower)
        lower, upper = np.clip(lower, 0, n - 1), np.clip(upper, 0, n - 1)
        for start in range(0, len(alike), at_once):
            members = alike[start : start + at_once]
            # Each column in one stretch of memory. Partition puts NaN last, as sort does.
            ordered = numeric[:, members].T.copy()
            ordered.partition(np.unique([lower, upper]), axis=1)
            result[:, members] = (ordered[:, lower] / 2 + ordered[:, upper] / 2).T
    return result


def _weighted(columns: np.ndarray, weight: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles (n_levels, d) of columns (d, n) with positive weights (n,), by a sort in O(n log(n) d)."""
    order = np.argsort(columns, axis=1)  # NaN last
    ordered = np.take_along_axis(columns, order, axis=1)
    cumulative = np.cumsum(np.where(np.isnan(ordered), 0.0, weight[order]), axis=1)
    total = cumulative[:, -1]
    rows = np.arange(len(columns))
    result = np.empty((levels.size, len(columns)))
    for i, q in enumerate(levels):
        target, tolerance = q * total, TIE_TOLERANCE * total
        lower = (cumulative < (target - tolerance)[:, None]).sum(axis=1)
        lower = np.minimum(lower, columns.shape[1] - 1)
        is_tie = cumulative[rows, lower] <= target + tolerance
        upper = np.minimum(np.where(is_tie, lower + 1, lower), columns.shape[1] - 1)
        result[i] = ordered[rows, lower] / 2 + ordered[rows, upper] / 2
    return result
