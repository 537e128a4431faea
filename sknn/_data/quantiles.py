"""Quartiles of many columns at once, with weights."""

import numpy as np

# Cumulative weights this close to q of their sum count as equal: 0.1 added up ten times is not 1.
TIE_TOLERANCE = 1e-11
QUANTILES = np.array([0.25, 0.5, 0.75])


def quartiles(numeric: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Quantiles 0.25, 0.5, 0.75 of each column, (3, d); NaN for columns without values, of which NaN is none.

    They invert the weighted step function of the cumulative distribution, and are the mean of both neighbours where it
    is level, so that a weight of k counts exactly as k copies.
    """
    columns = np.ascontiguousarray(numeric.T)  # (d, n): each column is sorted in one stretch of memory
    return _plain(columns) if weight is None else _weighted(columns, np.asarray(weight, dtype=np.float64))


def _plain(columns: np.ndarray) -> np.ndarray:
    """Quartiles (3, d) of columns (d, n) without weights, by selection in O(n d)."""
    result = np.full((QUANTILES.size, len(columns)), np.nan)
    n_values = np.full(len(columns), columns.shape[1])
    missing = np.isnan(columns)
    if missing.any():
        n_values -= missing.sum(axis=1)
    for n in np.unique(n_values[n_values > 0]):  # equally many values: the same ranks
        members = np.flatnonzero(n_values == n)
        ranks = QUANTILES * n
        lower = np.ceil(ranks).astype(np.intp) - 1
        upper = np.where(ranks == np.ceil(ranks), lower + 1, lower)
        lower, upper = np.clip(lower, 0, n - 1), np.clip(upper, 0, n - 1)
        # Partition puts NaN last, as sort does.
        ordered = np.partition(columns[members], np.unique([lower, upper]), axis=1)
        result[:, members] = (ordered[:, lower] / 2 + ordered[:, upper] / 2).T
    return result


def _weighted(columns: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Quartiles (3, d) of columns (d, n) with positive weights (n,), by a sort in O(n log(n) d)."""
    order = np.argsort(columns, axis=1)  # NaN last
    ordered = np.take_along_axis(columns, order, axis=1)
    cumulative = np.cumsum(np.where(np.isnan(ordered), 0.0, weight[order]), axis=1)
    total = cumulative[:, -1]
    rows = np.arange(len(columns))
    result = np.empty((QUANTILES.size, len(columns)))
    for i, q in enumerate(QUANTILES):
        target, tolerance = q * total, TIE_TOLERANCE * total
        lower = (cumulative < (target - tolerance)[:, None]).sum(axis=1)
        lower = np.minimum(lower, columns.shape[1] - 1)
        is_tie = cumulative[rows, lower] <= target + tolerance
        upper = np.minimum(np.where(is_tie, lower + 1, lower), columns.shape[1] - 1)
        result[i] = ordered[rows, lower] / 2 + ordered[rows, upper] / 2
    return result
