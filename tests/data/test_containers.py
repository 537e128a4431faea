"""Tables as callers pass them become arrays, sparse matrices or data frames, or the message says what to pass."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from sknn import NeuralClassifier
from sknn._data.containers import as_table, take_rows
from sknn.modules import MLP

TABLES = {
    "numpy": np.eye(3),
    "pandas": pd.DataFrame(np.eye(3)),
    "polars": pl.DataFrame(np.eye(3)),
    "pyarrow": pa.table({"a": [1.0, 2.0, 3.0]}),
    "sparse": scipy.sparse.csc_array(np.eye(3)),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_not_copied_and_their_rows_are_tables_of_the_same_kind(name):
    X = TABLES[name]
    assert as_table(X) is X
    for rows in (np.array([2, 0]), slice(0, 2)):
        some = take_rows(X, rows)
        assert some.shape == (2, X.shape[1])
        assert isinstance(some, type(X)) or name == "sparse"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pl.LazyFrame({"a": [1]}), r"^X is a polars LazyFrame.*collect\(\)"),
        (pd.DataFrame({"a": []}), r"^X: Found array with 0 sample\(s\) \(shape=\(0, 1\)\)"),
        (pl.DataFrame(), r"^X: Found array with 0 sample\(s\)"),
        (pd.DataFrame(index=[1]), r"^X: Found array with 0 feature\(s\) \(shape=\(1, 0\)\)"),
        (np.arange(3), "^X: Expected 2D array, got 1D ndarray of 3 values, such as 0"),
        (np.array([[1j]]), "Complex data not supported"),
    ],
)
def test_what_is_not_a_table_is_refused(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        as_table(X)


def test_lists_keep_numbers_beside_strings():
    assert as_table([[1.5, "b"], [2.0, "a"]]).tolist() == [[1.5, "b"], [2.0, "a"]]
    assert as_table([[1, 2], [3, 4]]).dtype.kind == "i"


def test_masked_entries_are_missing():
    X = np.ma.masked_array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])
    np.testing.assert_array_equal(as_table(X), [[1, np.nan], [3, 4]])
    assert as_table(X.astype(object)).tolist() == [[1, None], [3, 4]]
    assert as_table(X.astype(str)).tolist() == [["1", None], ["3", "4"]]
    rows = np.ma.masked_array(np.arange(20.0).reshape(10, 2), mask=np.arange(20).reshape(10, 2) % 3 == 0)
    fitted = NeuralClassifier(MLP, max_epochs=1, random_state=0).fit(rows, np.arange(10) % 2)
    np.testing.assert_array_equal(fitted.predict_proba(rows), fitted.predict_proba(rows.filled(np.nan)))
