"""Measures of rankings against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from sknn.metrics import mean_average_precision, mean_reciprocal_rank, ndcg_by_query

RANDOM = np.random.default_rng(0)
QID = np.repeat(np.arange(30), RANDOM.integers(2, 40, 30))
RELEVANCE = RANDOM.integers(0, 5, len(QID))
SCORES = RANDOM.integers(0, 12, len(QID)) / 3  # with ties
QUERIES = [i == QID for i in range(30)]


@pytest.mark.parametrize("k", [1, 3, 10, None])
def test_ndcg_equals_scikit_learn(k):
    expected = [ndcg_score([RELEVANCE[rows]], [SCORES[rows]], k=k) for rows in QUERIES]
    np.testing.assert_allclose(ndcg_by_query(RELEVANCE, SCORES, QID, k=k, gains="linear"), expected)
    expected = [ndcg_score([2.0 ** RELEVANCE[rows] - 1], [SCORES[rows]], k=k) for rows in QUERIES]
    np.testing.assert_allclose(ndcg_by_query(RELEVANCE, SCORES, QID, k=k), expected)


def test_average_precision_equals_scikit_learn():
    relevant = RELEVANCE > 2
    expected = [average_precision_score(relevant[rows], SCORES[rows]) for rows in QUERIES if relevant[rows].any()]
    assert mean_average_precision(relevant.astype(int), SCORES, QID) == pytest.approx(np.mean(expected))


def test_reciprocal_rank_by_hand():
    #                              rank 2      none     rank 3: two rows of the same score are before it
    assert mean_reciprocal_rank([0, 1, 0, 0, 0, 0, 0, 2], [3, 2, 1, 1, 2, 5, 5, 5], [1, 1, 1, 2, 2, 3, 3, 3]) == (
        pytest.approx((1 / 2 + 1 / 3) / 2)
    )


def test_rows_may_stand_in_any_order_and_queries_have_any_names():
    order = RANDOM.permutation(len(QID))
    names = np.array([f"q{code:02d}" for code in QID])
    np.testing.assert_allclose(
        ndcg_by_query(RELEVANCE, SCORES, QID), ndcg_by_query(RELEVANCE[order], SCORES[order], names[order])
    )


def test_queries_without_a_relevant_row_do_not_count():
    assert np.isnan(ndcg_by_query([0, 0, 1], [1, 2, 3], [0, 0, 1])).tolist() == [True, False]
    assert np.isnan(mean_reciprocal_rank([0, 0], [1, 2], [0, 0]))
    assert np.isnan(mean_average_precision([0, 0], [1, 2], [0, 0]))


def test_very_large_relevances():
    np.testing.assert_allclose(ndcg_by_query([3000.0, 0.0, 2999.0], [3, 1, 2], [0, 0, 0]), [1.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(y_true=[1, -1], y_score=[0, 1], qid=[0, 0]), "y_true holds -1"),
        (dict(y_true=[1, 0], y_score=[0], qid=[0, 0]), "y_score has the shape"),
        (dict(y_true=[1, 0], y_score=[0, np.nan], qid=[0, 0]), "y_score holds NaN"),
        (dict(y_true=[1, 0], y_score=[0, 1], qid=[0]), "qid has the shape"),
        (dict(y_true=[1, 0], y_score=[0, 1], qid=[0, 0], k=0), "k=0"),
        (dict(y_true=[1, 0], y_score=[0, 1], qid=[0, 0], gains="log"), "gains='log'"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ndcg_by_query(**arguments)
