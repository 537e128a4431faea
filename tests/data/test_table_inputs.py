"""Tables of a fit and at predict: some of their rows, chunks, categories without gaps, other kinds of tables."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

from sknn._data import table_inputs
from sknn._data.categories import Column
from sknn._data.table import TableReader
from sknn._data.table_inputs import TableInputs, TableRows

from .tables import FRAMES, MIXED_CODES, MIXED_NUMERIC, NAN, learn, mixed, parsed

N = 600
FRAME = pd.DataFrame({"size": np.arange(N) % 17.0, "city": ["Rome", "Bonn", "Oslo"] * (N // 3)})


def fitted(X, rows=None, weight=None):
    raw = TableInputs.read_first(X, "from_dtype")
    return raw, raw.learn(rows, weight)


@pytest.mark.parametrize("rows", [None, np.arange(N)[::-1].copy()], ids=["all", "some"])
def test_chunks_change_nothing(rows, monkeypatch):
    raw, inputs = fitted(FRAME)
    store = inputs.encode_rows(raw, rows)
    monkeypatch.setattr(table_inputs, "_CHUNK_BYTES", 1)  # 256 rows a chunk
    again = inputs.encode_rows(raw, rows)
    assert torch.equal(again.x, store.x)
    assert torch.equal(again.x_cat, store.x_cat)


def test_scales_are_those_of_the_training_rows():
    raw, inputs = fitted(FRAME, np.arange(17))
    assert inputs.encoder.center.tolist() == [8.0]
    weight = np.zeros(N)
    weight[[3, 5]] = 1.0
    assert raw.learn(None, weight).encoder.center.tolist() == [4.0]


def test_a_gap_in_a_column_without_gaps_is_an_unknown_category():
    with_gap = FRAME.assign(city=[None, *FRAME["city"][1:]])
    assert fitted(FRAME)[1].encode(with_gap).x_cat[0].tolist() == [0]
    assert fitted(with_gap)[1].encode(with_gap).x_cat[0].tolist() == [4]
    # Training rows decide, not all rows.
    assert fitted(with_gap, np.arange(1, N))[1].encode(with_gap).x_cat[0].tolist() == [0]


def test_tables_of_another_kind_are_refused_or_read():
    _, inputs = fitted(FRAME)
    sparse = scipy.sparse.csr_array(np.ones((3, 2)))
    with pytest.raises(ValueError, match="X is sparse, but was a table with categories, dates or texts in fit"):
        inputs.encode(sparse)
    with pytest.raises(ValueError, match="Found array with dim 3, expected 2 as in fit"):
        inputs.encode(np.ones((3, 2, 2)))
    numbers = fitted(np.arange(12.0).reshape(6, 2))[1]
    assert torch.equal(numbers.encode(sparse).x, numbers.encode(np.ones((3, 2))).x)


# ------------------------------------------------------------------ rows of a table


def test_numbers_of_some_rows_are_those_numbers():
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    tables = X, pd.DataFrame(X), pl.DataFrame(X), scipy.sparse.csc_array(X)
    for table in (parsed(learn(X), table) for table in tables):
        for rows in (slice(5, 9), np.array([19, 0, 7])):
            np.testing.assert_array_equal(table.read(rows)[0], X[rows].astype(np.float64))
            np.testing.assert_array_equal(table.take(np.arange(20)[rows]).read()[0], X[rows].astype(np.float64))
        assert len(table) == 20


@pytest.mark.parametrize("kind", [*FRAMES, "numpy object"])
@pytest.mark.parametrize("rows", [slice(1, 2), slice(1, None), slice(3, 3), np.array([2, 0])], ids=str)
def test_reading_rows_is_reading_all_and_slicing(kind, rows):
    table = parsed(learn(mixed("polars")), mixed(kind))
    numeric, codes = table.read(rows)
    np.testing.assert_array_equal(numeric, np.array(MIXED_NUMERIC)[rows])
    np.testing.assert_array_equal(codes, np.array(MIXED_CODES)[rows])
    numeric, codes = table.take(np.arange(3)[rows]).read()
    np.testing.assert_array_equal(numeric, np.array(MIXED_NUMERIC)[rows])
    np.testing.assert_array_equal(codes, np.array(MIXED_CODES)[rows])


def test_numbers_stay_in_the_memory_of_the_caller():
    X = np.random.default_rng(0).normal(size=(20, 3))
    assert np.shares_memory(parsed(learn(X), X).read()[0], X)
    frame = pd.DataFrame({"a": np.arange(20.0), "city": ["Rome", "Bonn"] * 10})
    assert np.shares_memory(parsed(learn(frame), frame).contents[0], frame["a"].to_numpy())


def test_codes_need_one_byte_where_there_are_few_categories():
    frame = pd.DataFrame({"few": ["a", "b"] * 200, "many": [f"k{i % 300}" for i in range(400)]})
    assert [content.dtype for content in parsed(learn(frame), frame).contents] == [np.uint8, np.uint16]


def test_infinity_names_the_column_among_the_numeric_ones():
    columns = [Column("city", "categorical", ("a",)), Column("size", "numeric")]
    table = TableRows(TableReader(columns), [np.array([1, 1]), np.array([NAN, np.inf])])
    with pytest.raises(ValueError, match=r"column 'size' \(position 1\) contains infinity"):
        table.read()
    assert table.read(slice(0, 1))[1].tolist() == [[1]]
