"""Rows of a parsed table are those rows of the whole table, whatever holds its cells."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

from sknn._data.categories import Column
from sknn._data.parsed_table import ParsedTable

from .tables import FRAMES, MIXED_CODES, MIXED_NUMERIC, NAN, learn, mixed


def parsed(X):
    return learn(X).parse(X)


def test_numbers_of_some_rows_are_those_numbers():
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    tables = X, pd.DataFrame(X), pl.DataFrame(X), scipy.sparse.csc_array(X)
    for table in map(learn(X).parse, tables):
        for rows in (slice(5, 9), np.array([19, 0, 7])):
            np.testing.assert_array_equal(table.read(rows)[0], X[rows].astype(np.float64))
            np.testing.assert_array_equal(table.take(np.arange(20)[rows]).read()[0], X[rows].astype(np.float64))
        assert len(table) == 20


@pytest.mark.parametrize("kind", [*FRAMES, "numpy object"])
@pytest.mark.parametrize("rows", [slice(1, 2), slice(1, None), slice(3, 3), np.array([2, 0])], ids=str)
def test_reading_rows_is_reading_all_and_slicing(kind, rows):
    table = learn(mixed("polars")).parse(mixed(kind))
    numeric, codes = table.read(rows)
    np.testing.assert_array_equal(numeric, np.array(MIXED_NUMERIC)[rows])
    np.testing.assert_array_equal(codes, np.array(MIXED_CODES)[rows])
    numeric, codes = table.take(np.arange(3)[rows]).read()
    np.testing.assert_array_equal(numeric, np.array(MIXED_NUMERIC)[rows])
    np.testing.assert_array_equal(codes, np.array(MIXED_CODES)[rows])


def test_numbers_stay_in_the_memory_of_the_caller():
    X = np.random.default_rng(0).normal(size=(20, 3))
    assert np.shares_memory(parsed(X).read()[0], X)
    frame = pd.DataFrame({"a": np.arange(20.0), "city": ["Rome", "Bonn"] * 10})
    assert np.shares_memory(parsed(frame).contents[0], frame["a"].to_numpy())


def test_codes_need_one_byte_where_there_are_few_categories():
    contents = parsed(pd.DataFrame({"few": ["a", "b"] * 200, "many": [f"{i % 300}" for i in range(400)]})).contents
    assert [content.dtype for content in contents] == [np.uint8, np.uint16]


def test_infinity_names_the_column_among_the_numeric_ones():
    columns = [Column("city", "categorical", ("a",)), Column("size", "numeric")]
    table = ParsedTable(columns, [np.array([1, 1]), np.array([NAN, np.inf])])
    with pytest.raises(ValueError, match=r"column 'size' \(position 1\) contains infinity"):
        table.read()
    assert table.read(slice(0, 1))[1].tolist() == [[1]]


def test_dense_reader_reads_rows_of_a_sparse_matrix_unless_it_has_categories():
    X = scipy.sparse.csc_array([[0.0, 1.0], [2.0, 0.0]])
    assert learn(X.toarray()).parse(X).read(slice(1, 2))[0].tolist() == [[2, 0]]
    with pytest.raises(TypeError, match="a table with categories was fitted"):
        learn(X.toarray(), [0]).parse(X)
