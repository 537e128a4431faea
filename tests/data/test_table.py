"""``TableReader``: what is read at predict, and bad tables whose message says what is wrong."""

import copy
import pickle
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from .tables import MIXED_CODES, MIXED_NUMERIC, NAN, learn, mixed, parsed, read


def test_numeric_column_that_arrives_as_strings_is_parsed():
    reader = learn(pd.DataFrame({"a": [1.0, 2.0]}))
    numeric, _ = parsed(reader, pd.DataFrame({"a": ["1e3", None, "-2"]})).read()
    np.testing.assert_array_equal(numeric.ravel(), [1000, NAN, -2])


def test_numeric_column_with_words_names_column_value_and_expectation():
    reader = learn(pd.DataFrame({"b": ["x"], "a": [1.0]}))
    with pytest.raises(ValueError, match=r"column 'a' \(position 1\) holds 'two', but numbers were expected"):
        parsed(reader, pd.DataFrame({"b": ["x"], "a": ["two"]})).read()


@pytest.mark.parametrize(
    ("table", "label"),
    [
        (np.array([[1, 2], [3, np.inf]]), "column 1"),
        (np.array([[1, 2], [3, -np.inf]], dtype=np.float32), "column 1"),
        (np.array([[1, np.nan], [3, np.inf]], dtype=np.float16), "column 1"),
        (np.array([["a", np.inf]], dtype=object), "column 1"),
        (pd.DataFrame({"b": ["x"], "a": [np.inf]}), r"column 'a' \(position 1\)"),
        (pd.DataFrame({"a": pd.Series([np.inf], dtype="double[pyarrow]")}), r"column 'a' \(position 0\)"),
        (pl.DataFrame({"b": ["x"], "a": [np.inf]}), r"column 'a' \(position 1\)"),
        (pd.DataFrame({"a": pd.Series(["x", np.inf], dtype=object)}), r"column 'a' \(position 0\)"),
    ],
)
def test_infinity_names_the_column_in_fit_and_in_read(table, label):
    with pytest.raises(ValueError, match=rf"{label} contains infinity \(-?inf\).*finite.*Replace"):
        learn(table)
    finite = table.copy() if isinstance(table, np.ndarray) else table.clone() if hasattr(table, "clone") else table
    if isinstance(finite, np.ndarray):
        finite[:, 1] = 0
        with pytest.raises(ValueError, match=rf"{label} contains infinity"):
            parsed(learn(finite), table).read()


def test_infinity_in_a_frame_is_named_at_read():
    reader = learn(pd.DataFrame({"b": ["x"], "a": [1.0]}))
    with pytest.raises(ValueError, match=r"column 'a' \(position 1\) contains infinity"):
        parsed(reader, pd.DataFrame({"b": ["x"], "a": [np.inf]})).read()
    with pytest.raises(ValueError, match=r"column 'a' \(position 1\) contains infinity"):
        parsed(reader, pd.DataFrame({"b": ["x"], "a": ["-inf"]})).read()
    with pytest.raises(ValueError, match=r"column 0 contains infinity"):
        learn(np.array([[np.inf]]), [0])
    with pytest.raises(ValueError, match=r"column 0 contains infinity"):
        parsed(learn(np.array([[1.0]]), [0]), np.array([[np.inf]])).read()


def test_huge_finite_numbers_are_accepted_without_a_warning():
    X = np.array([[1e308, 3e38], [1e308, -3e38], [-1e308, 0]])
    np.testing.assert_array_equal(read(X)[0], X)
    halves = np.full((3, 1), 60000, dtype=np.float16)  # their sum overflows
    np.testing.assert_array_equal(read(halves)[0], 60000)


def test_numbers_beyond_float64_are_reported_not_wrapped():
    with pytest.raises(ValueError, match="column 0 contains an integer that float64 turns into infinity"):
        learn(np.array([[10**400]], dtype=object))
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        X = np.array([[np.longdouble("1e400")]])
        with pytest.raises(ValueError, match="column 0 contains infinity"):
            parsed(learn(np.zeros((1, 1))), X).read()


@pytest.mark.parametrize(
    "table",
    [
        np.array([[1j]]),
        np.array([[1j, 2]], dtype=object),
        pd.DataFrame({"a": [1j]}),
    ],
)
def test_complex_numbers_are_refused(table):
    with pytest.raises(ValueError, match="Complex data not supported"):
        learn(table)


def nested_tables():
    objects = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=object)
    objects[0, 1] = {"foo": "bar"}
    yield objects
    yield pd.DataFrame({"a": [1, 2], "b": [[1], [2]]})
    yield pd.DataFrame({"a": [1, 2], "b": [(1,), (2,)]})
    yield pd.DataFrame({"a": [1], "b": pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))})
    yield pl.DataFrame({"a": [1], "b": [{"x": 1}]})
    yield pa.table({"a": [1], "b": [[1]]})


@pytest.mark.parametrize("forced", ["from_dtype", None, [1]])
def test_containers_are_a_type_error_in_the_words_of_scikit_learn(forced):
    for table in nested_tables():
        with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
            learn(table, forced)
        with pytest.raises(TypeError, match=r"column ('b' \(position 1\)|1) holds .*Expand the column"):
            learn(table, forced)


def test_records_are_refused():
    with pytest.raises(TypeError, match=r"column 0 has dtype .* but numbers, strings"):
        learn(np.zeros((2, 1), dtype=[("a", int)]))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda reader: pickle.loads(pickle.dumps(reader))])
def test_copies_read_the_same(duplicate):
    reader = learn(mixed("pandas default"))
    parsed(reader, mixed("polars")).read()  # fills the cached lookup
    numeric, codes = parsed(duplicate(reader), mixed("polars")).read()
    np.testing.assert_array_equal(numeric, MIXED_NUMERIC)
    assert codes.tolist() == MIXED_CODES


def test_input_is_never_changed():
    for kind in ["pandas object", "pandas category", "numpy object"]:
        X, before = mixed(kind), mixed(kind)
        parsed(learn(X), X).read()
        if isinstance(X, np.ndarray):
            assert list(map(str, X.ravel())) == list(map(str, before.ravel()))
        else:
            pd.testing.assert_frame_equal(X, before)


def test_arrays_are_read_without_pandas_polars_or_pyarrow(monkeypatch):
    for name in ("pandas", "polars", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    assert read([[1.0, "b"], [None, "a"]])[1].tolist() == [[2], [1]]
