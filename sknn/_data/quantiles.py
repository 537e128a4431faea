"""Quartiles of many columns at once, with weights."""

import numpy as np

# More rows than this hardly move a quantile (standard error of a rank: 0.16 % of the rows), but cost time.
MAX_QUANTILE_ROWS = 100_000
# Cumulative weights this close to q of their sum count as equal: 0.1 added up ten times is not 1.
TIE_TOLERANCE = 1e-11


def spread_rows(numeric: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return at most ``MAX_QUANTILE_ROWS`` evenly spaced rows."""
    n = len(numeric)
    if n <= MAX_QUANTILE_ROWS:
        return numeric, weight
    rows = np.arange(MAX_QUANTILE_ROWS) * n // MAX_QUANTILE_ROWS
    return numeric[rows], None if weight is None else weight[rows]


def quartiles(numeric: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Return quantiles 0.25, 0.5, 0.75 of each column, (3, d); NaN for columns without values."""
    columns = np.ascontiguousarray(numeric.T)  # (d, n): each column is sorted in one stretch of memory
    quantiles = np.array([0.25, 0.5, 0.75])
    if weight is None:
        return _plain_quantiles(columns, quantiles)
    return _weighted_quantiles(columns, np.asarray(weight, dtype=np.float64), quantiles)


def _plain_quantiles(columns: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Return quantiles (q, d) of columns (d, n) without weights, by selection."""
    result = np.full((quantiles.size, len(columns)), np.nan)
    n_values = np.full(len(columns), columns.shape[1])
    missing = np.isnan(columns)
    if missing.any():
        n_values -= missing.sum(axis=1)
    for n in np.unique(n_values[n_values > 0]):  # equally many values: the same ranks
        members = np.flatnonzero(n_values == n)
        ranks = quantiles * n
        lower = np.ceil(ranks).astype(np.intp) - 1
        upper = np.where(ranks == np.ceil(ranks), lower + 1, lower)
        lower, upper = np.clip(lower, 0, n - 1), np.clip(upper, 0, n - 1)
        # Partition puts NaN last, as sort does.
        ordered = np.partition(columns[members], np.unique([lower, upper]), axis=1)
        result[:, members] = (ordered[:, lower] / 2 + ordered[:, upper] / 2).T
    return result


def _weighted_quantiles(columns: np.ndarray, weight: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Return quantiles (q, d) of columns (d, n) with positive weights (n,)."""
    order = np.argsort(columns, axis=1)  # NaN last
    ordered = np.take_along_axis(columns, order, axis=1)
    cumulative = np.cumsum(np.where(np.isnan(ordered), 0.0, weight[order]), axis=1)
    total = cumulative[:, -1]
    rows = np.arange(len(columns))
    result = np.empty((quantiles.size, len(columns)))
    for i, q in enumerate(quantiles):
        target, tolerance = q * total, TIE_TOLERANCE * total
        lower = (cumulative < (target - tolerance)[:, None]).sum(axis=1)
        lower = np.minimum(lower, columns.shape[1] - 1)
        is_tie = cumulative[rows, lower] <= target + tolerance
        upper = np.minimum(np.where(is_tie, lower + 1, lower), columns.shape[1] - 1)
        result[i] = ordered[rows, lower] / 2 + ordered[rows, upper] / 2
    return result
