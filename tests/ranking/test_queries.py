"""Rows of queries: batches of whole queries, and numbers relative to the query."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import rankdata

from sknn._data.queries import Queries, whole_queries
from sknn._data.query_batches import QueryBatches
from sknn._data.ranking_inputs import relative_to_query
from sknn._data.ranking_targets import query_codes
from sknn._data.rows import Rows
from sknn._data.stores import Dense

CODES = np.array([2, 0, 2, 1, 0, 2, 4])


def rows_of(codes: np.ndarray, shares: np.ndarray | None = None) -> Rows:
    """Rows whose number is their position."""
    x = torch.arange(len(codes), dtype=torch.float32)[:, None]
    y = torch.from_numpy(np.column_stack([codes % 2, codes, codes]).astype(np.float32))
    rows = Rows(Dense(x), y, None, torch.device("cpu"), queries=Queries(codes))
    return rows if shares is None else rows.shared_out(shares)


def test_rows_of_queries():
    queries = Queries(CODES)
    assert len(queries) == 4
    assert queries.rows(np.array([2, 0])).tolist() == [0, 2, 5, 1, 4]
    assert set(queries.some(3)) <= set(range(7))
    long = Queries(np.repeat([0, 1], [100_000, 3]))
    assert 200 < len(long.some(2000)) < 300
    assert set(long.codes) == {0, 1}


@pytest.mark.parametrize("most", [1, 3, 5, 100])
def test_parts_are_whole_queries(most):
    codes = np.random.default_rng(0).integers(0, 20, 100)
    parts = whole_queries(codes, most)
    assert sorted(np.concatenate(parts)) == list(range(100))
    owners = [set(codes[part]) for part in parts]
    assert sum(map(len, owners)) == len(np.unique(codes))
    assert all(len(part) <= most or len(owner) == 1 for part, owner in zip(parts, owners, strict=True))


@pytest.mark.parametrize("batch_size", [1, 2, 50])
def test_batches_are_whole_queries_in_another_order_each_epoch(batch_size):
    codes = np.repeat(np.arange(9), [1, 4, 2, 2, 3, 1, 5, 2, 1])
    batches = QueryBatches(rows_of(codes), batch_size, torch.Generator().manual_seed(0), 100)
    epochs = [list(batches) for _ in range(2)]
    for epoch in epochs:
        assert len(epoch) == len(batches) == -(-9 // batch_size)
        seen = torch.cat([inputs["x"][:, 0] for inputs, _ in epoch]).long()
        assert sorted(seen.tolist()) == list(range(len(codes)))
        assert sum(len(y[:, 1].unique()) for _, y in epoch) == 9
        for inputs, y in epoch:  # rows of a query follow one another
            assert len(y[:, 1].unique_consecutive()) == len(y[:, 1].unique())
            assert (torch.from_numpy(codes)[inputs["x"][:, 0].long()] == y[:, 1]).all()
    if batch_size < 50:
        assert not all(torch.equal(a[1], b[1]) for a, b in zip(*epochs, strict=True))


@pytest.mark.parametrize("seed", [0, None], ids=["training", "held out"])
def test_of_a_long_query_the_relevant_rows_and_some_others(seed):
    codes = np.repeat([0, 1], [1000, 3])
    rows = rows_of(codes)
    rows.targets[:, 0] = torch.where(torch.arange(1003) % 100 == 7, 2.0, 0.0)  # 10 rows of the long one
    batches = QueryBatches(rows, 2, None if seed is None else torch.Generator().manual_seed(seed), 40)
    drawn = []
    for _ in range(2):
        ((inputs, y),) = batches
        positions = inputs["x"][:, 0].long()
        assert len(positions) == len(positions.unique()) == 43
        assert int((y[:, 0] > 0).sum()) == 10
        drawn.append(set(positions.tolist()))
    assert (drawn[0] == drawn[1]) == (seed is None)


def test_networks_have_equal_parts_of_their_own_queries():
    codes = np.repeat(np.arange(6), [5, 1, 3, 2, 4, 1])
    shares = np.stack([np.resize(np.flatnonzero(codes != out), 15) for out in (0, 4)])
    seen: list[set[int]] = [set(), set()]
    batches = QueryBatches(rows_of(codes, shares), 2, torch.Generator().manual_seed(1), 100)
    for inputs, y in batches:
        assert len(y) % 2 == 0
        for i, part in enumerate(y[:, 1].split(len(y) // 2)):
            assert part[-1] == -1  # so that the parts are told apart
            seen[i] |= set(part[part >= 0].long().tolist())
        real = y[:, 1] >= 0
        assert (torch.from_numpy(codes)[inputs["x"][real, 0].long()] == y[real, 1]).all()
    assert seen == [{1, 2, 3, 4, 5}, {0, 1, 2, 3, 5}]


def test_numbers_relative_to_the_query():
    random = np.random.default_rng(0)
    codes = random.integers(0, 8, 60)
    x = np.column_stack([random.normal(size=60), random.integers(0, 3, 60), np.full(60, 7.0)]).astype(np.float32)
    found = relative_to_query(x, codes).numpy()
    for code in range(8):
        rows = x[codes == code].astype(np.float64)
        spread = np.where(rows.std(0) > 0, rows.std(0), 1.0)
        ranks = 2 * (rankdata(rows, axis=0) - 1) / (len(rows) - 1) - 1
        expected = np.hstack([rows, (rows - rows.mean(0)) / spread, ranks])
        np.testing.assert_allclose(found[codes == code], expected, atol=1e-5)


def test_a_query_of_one_row_is_neither_above_nor_below():
    found = relative_to_query(np.array([[3.0], [1.0], [5.0]], dtype=np.float32), np.array([0, 1, 1])).numpy()
    np.testing.assert_allclose(found, [[3, 0, 0], [1, -1, -1], [5, 1, 1]])


@pytest.mark.parametrize(
    "qid",
    [
        ["b", "a", "b"],
        pd.Series(["b", "a", "b"]),
        np.array([5.0, 2.0, 5.0]),
        [[5], [2], [5]],
        [True, False, True],
        np.array(["2024-02-01", "2024-01-01", "2024-02-01"], dtype="datetime64[D]"),
    ],
)
def test_queries_of_any_names(qid):
    assert query_codes(qid, 3).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("qid", "error", "message"),
    [
        (None, ValueError, "qid is missing"),
        ([1.5, 2.0, 2.0], ValueError, "qid holds 1.5"),
        ([1.0, np.nan, 2.0], ValueError, "NaN"),
        (["a", None, "b"], ValueError, "missing values"),
        (pd.Series(["a", None, "b"], dtype="string"), ValueError, "missing values"),
        (np.array(["2024-02-01", "NaT", "2024-02-01"], dtype="datetime64[D]"), ValueError, "missing values"),
        ([1, 2], ValueError, "shape .2,., but X has 3 rows.*np.repeat"),
        ([1j, 2j, 3j], TypeError, "complex"),
        (np.array([1, "a", 2], dtype=object), TypeError, "cannot be ordered"),
    ],
)
def test_bad_queries_are_refused(qid, error, message):
    with pytest.raises(error, match=message):
        query_codes(qid, 3)
