"""How well scores rank the rows of queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._data.queries import Queries
from .._data.ranking_targets import checked_relevance, query_codes
from .._errors import refused_as, shown

__all__ = ["mean_average_precision", "mean_reciprocal_rank", "ndcg_by_query", "weighted_mean"]

_GAINS = ("exponential", "linear")


def ndcg_by_query(y_true: Any, y_score: Any, qid: Any, *, k: int | None = 10, gains: str = "exponential") -> np.ndarray:
    """Normalized discounted cumulative gain of the first k rows of each query.

    ``DCG = sum over ranks r <= k of gain / log2(1 + r)``, divided by that of the best ranking [1]_. Rows of equal
    scores share their discounts, as in :func:`sklearn.metrics.ndcg_score`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Relevances >= 0.
    y_score : array-like of shape (n_samples,)
        Scores; larger ones come first.
    qid : array-like of shape (n_samples,)
        Query of each row: whole numbers or strings, in any order.
    k : int or None, default=10
        How many rows at the top count; None: all.
    gains : {"exponential", "linear"}, default="exponential"
        Gain of a row: ``2^relevance - 1``, or the relevance itself, as in scikit-learn.

    Returns
    -------
    ndcg : ndarray float64 of shape (n_queries,)
        In the order of ``numpy.unique(qid)``, from 0 to 1; NaN for queries without a relevant row.
        ``numpy.nanmean(ndcg)`` is the usual measure.

    Raises
    ------
    ValueError, TypeError
        Shapes differ, a relevance is negative, or `k` or `gains` is not allowed.

    References
    ----------
    .. [1] K. Järvelin, J. Kekäläinen. Cumulated Gain-Based Evaluation of IR Techniques. ACM TOIS 20(4), 2002.

    Examples
    --------
    >>> from sknn.metrics import ndcg_by_query
    >>> ndcg_by_query([1, 0, 0, 2], [0.9, 0.1, 0.8, 0.3], qid=[7, 7, 8, 8]).round(3)
    array([1.   , 0.631])
    """
    if k is not None and (isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1):
        raise ValueError(f"k={shown(k)} is invalid; expected a whole number >= 1, or None for all rows.")
    if gains not in _GAINS:
        raise ValueError(f"gains={shown(gains)} is unknown; expected one of {list(_GAINS)}.")
    found = []
    for relevance, score in _of_queries(y_true, y_score, qid):
        # In units of the largest gain, so that none overflows.
        gain = relevance if gains == "linear" else np.exp2(relevance - relevance.max()) - np.exp2(-relevance.max())
        discount = 1.0 / np.log2(np.arange(len(gain)) + 2.0)
        discount[len(gain) if k is None else k :] = 0.0
        best = np.sort(gain)[::-1] @ discount
        found.append(_shared_by_ties(score, discount) @ gain / best if best > 0 else np.nan)
    return np.array(found)


def mean_reciprocal_rank(y_true: Any, y_score: Any, qid: Any) -> float:
    """Mean over queries of 1 / rank of the first relevant row.

    Rows of equal scores count as the worst order of them.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Relevances >= 0; every row above 0 is relevant.
    y_score : array-like of shape (n_samples,)
        Scores; larger ones come first.
    qid : array-like of shape (n_samples,)
        Query of each row.

    Returns
    -------
    mrr : float
        From 0 to 1; NaN without any relevant row. Queries without one do not count.

    Examples
    --------
    >>> from sknn.metrics import mean_reciprocal_rank
    >>> mean_reciprocal_rank([1, 0, 0, 1], [0.9, 0.1, 0.8, 0.3], qid=[7, 7, 8, 8])
    0.75
    """
    found = []
    for relevance, score in _of_queries(y_true, y_score, qid):
        if (relevance > 0).any():
            best = score[relevance > 0].max()
            found.append(1.0 / (1 + (score[relevance == 0] >= best).sum()))
    return float(np.mean(found)) if found else np.nan


def mean_average_precision(y_true: Any, y_score: Any, qid: Any) -> float:
    """Mean over queries of the average precision: the mean of the precision at the rank of each relevant row.

    Rows of equal scores share the worst of their ranks, as in :func:`sklearn.metrics.average_precision_score`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Relevances >= 0; every row above 0 is relevant.
    y_score : array-like of shape (n_samples,)
        Scores; larger ones come first.
    qid : array-like of shape (n_samples,)
        Query of each row.

    Returns
    -------
    map : float
        From 0 to 1; NaN without any relevant row. Queries without one do not count.

    Examples
    --------
    >>> from sknn.metrics import mean_average_precision
    >>> mean_average_precision([1, 0, 0, 1], [0.9, 0.1, 0.8, 0.3], qid=[7, 7, 8, 8])
    0.75
    """
    found = []
    for relevance, score in _of_queries(y_true, y_score, qid):
        relevant = score[relevance > 0]
        if len(relevant):
            above = len(score) - np.searchsorted(np.sort(score), relevant)  # rows of at least this score
            hits = len(relevant) - np.searchsorted(np.sort(relevant), relevant)
            found.append(np.mean(hits / above))
    return float(np.mean(found)) if found else np.nan


def weighted_mean(values: np.ndarray, qid: np.ndarray, sample_weight: np.ndarray | None) -> float:
    """Mean over queries (n_queries,) that are not NaN, weighted by the mean weight of their rows."""
    weight = np.ones(len(values))
    if sample_weight is not None:
        codes = np.unique(qid, return_inverse=True)[1]
        weight = np.bincount(codes, weights=sample_weight) / np.bincount(codes)
    counts = ~np.isnan(values) & (weight > 0)
    return float(np.average(values[counts], weights=weight[counts])) if counts.any() else np.nan


def _of_queries(y_true: Any, y_score: Any, qid: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Relevances and scores of each query."""
    relevance = checked_relevance(y_true, "y_true")
    with refused_as("y_score", "one score for each row"):
        score = np.asarray(y_score, dtype=np.float64)
    if score.shape != relevance.shape:
        raise ValueError(f"y_score has the shape {score.shape}, but y_true {relevance.shape}: one score for each row.")
    if np.isnan(score).any():
        raise ValueError("y_score holds NaN; every row needs a score.")
    queries = Queries(query_codes(qid, len(relevance)))
    for i in range(len(queries)):
        rows = queries.order[queries.bounds[i] : queries.bounds[i + 1]]
        yield relevance[rows], score[rows]


def _shared_by_ties(score: np.ndarray, discount: np.ndarray) -> np.ndarray:
    """Discount of each row, (n,): the mean of those of the ranks of all rows of its score."""
    _, tie, counts = np.unique(-score, return_inverse=True, return_counts=True)
    sums = np.add.reduceat(discount, np.append(0, np.cumsum(counts)[:-1]))
    return (sums / counts)[tie]
