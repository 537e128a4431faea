"""Columns of every library and dtype become the same numbers and codes."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from .tables import FRAMES, MIXED_CODES, MIXED_NUMERIC, NAN, learn, mixed, parsed, read


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int16", "int64", "uint64", "float16", "float32", "float64", "longdouble"]
)
def test_numpy_numbers_of_any_dtype_become_float64(dtype):
    X = np.array([[0, 1], [1, 1], [1, 0]], dtype=dtype)
    numeric, codes = read(X)
    np.testing.assert_array_equal(numeric, X.astype(np.float64))
    assert codes.shape == (3, 0)


def test_masked_entries_are_missing():
    X = np.ma.masked_array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])
    np.testing.assert_array_equal(read(X)[0], [[1, NAN], [3, 4]])


def test_object_array_keeps_numbers_numeric_beside_strings():
    X = np.array([[1, "b", 2.5], [None, "a", 3], [4, None, NAN]], dtype=object)
    numeric, codes = read(X)
    np.testing.assert_array_equal(numeric, [[1, 2.5], [NAN, 3], [4, NAN]])
    assert codes.tolist() == [[2], [1], [3]]


def test_string_array_is_categorical_even_if_it_holds_digits():
    reader = learn(np.array([["1", "x"], ["2", "y"]]))
    assert [column.categories for column in reader.columns] == [("1", "2"), ("x", "y")]


def test_lists_of_lists_keep_numbers_beside_strings():
    numeric, codes = read([[1.5, "b"], [2.0, "a"]])
    assert numeric.tolist() == [[1.5], [2.0]]
    assert codes.tolist() == [[2], [1]]


def test_objects_with_array_protocol_are_read():
    class Wrapped:
        def __array__(self, dtype=None, copy=None):
            return np.array([[1.0, 2.0]])

    assert read(Wrapped())[0].tolist() == [[1.0, 2.0]]


def test_booleans_in_object_arrays_are_numbers_as_in_boolean_arrays():
    assert read(np.array([[True], [None], [False]], dtype=object))[0][::2].tolist() == [[1.0], [0.0]]


def test_numpy_dates_become_seconds():
    X = np.array([["1970-01-02"], ["NaT"]], dtype="datetime64[ns]")
    np.testing.assert_array_equal(read(X)[0], [[86400], [NAN]])
    X = np.array([[1500], ["NaT"]], dtype="timedelta64[ms]")
    np.testing.assert_array_equal(read(X)[0], [[1.5], [NAN]])


@pytest.mark.parametrize("kind", FRAMES)
def test_every_frame_gives_the_same_numbers_and_codes(kind):
    reader = learn(mixed(kind))
    numeric, codes = parsed(reader, mixed(kind)).read()
    np.testing.assert_array_equal(numeric, MIXED_NUMERIC)
    assert codes.tolist() == MIXED_CODES
    assert [column.name for column in reader.columns] == ["size", "count", "city", "member"]
    assert [column.categories for column in reader.columns] == [(), (), ("Bonn", "Rome"), (False, True)]
    assert reader.numeric == [0, 1]
    assert reader.categorical == [2, 3]
    assert reader.cardinalities == [4, 4]


@pytest.mark.parametrize("read_kind", [*FRAMES, "numpy object"])
@pytest.mark.parametrize("fit_kind", ["pandas object", "polars enum", "pandas arrow"])
def test_codes_do_not_depend_on_the_kind_of_table_at_read(fit_kind, read_kind):
    numeric, codes = read(mixed(read_kind), mixed(fit_kind))
    np.testing.assert_array_equal(numeric, MIXED_NUMERIC)
    assert codes.tolist() == MIXED_CODES


def test_dates_durations_and_decimals_are_numbers_in_every_frame():
    day, shift = datetime.datetime(1970, 1, 2), datetime.timedelta(seconds=90)
    berlin = datetime.datetime(1970, 1, 2, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    columns = {
        "date": [day.date(), None],
        "moment": [day, None],
        "duration": [shift, None],
        "price": [decimal.Decimal("2.50"), None],
        "zoned": [berlin, None],
        "time": [datetime.time(1, 30), None],
    }
    expected = [[86400, 86400, 90, 2.5, 86400, 5400], [NAN] * 6]
    arrow = pa.table(columns)
    tables = [
        pd.DataFrame(columns),
        pd.DataFrame(columns, dtype=object),
        pd.DataFrame(columns, dtype=object).to_numpy(),
        arrow.to_pandas(types_mapper=pd.ArrowDtype),
        pl.DataFrame(columns),
        arrow,
    ]
    for table in tables:
        np.testing.assert_array_equal(read(table)[0], expected, err_msg=str(type(table)))


def test_pandas_zones_periods_and_sparse_columns_are_numbers():
    moments = pd.Series(pd.to_datetime(["1970-01-02", None]))
    table = pd.DataFrame(
        {
            "zoned": moments.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
            "period": pd.PeriodIndex(["1970-01-02", None], freq="D"),
            "sparse": pd.Series([0.0, 3.0], dtype="Sparse[float]"),
        }
    )
    np.testing.assert_array_equal(read(table)[0], [[86400, 86400, 0], [NAN, NAN, 3]])


def test_duplicate_and_non_string_column_names():
    table = pd.DataFrame([[1, "x", 2.0], [3, "y", 4.0]], columns=["a", "a", 7])
    numeric, codes = read(table)
    assert numeric.tolist() == [[1, 2], [3, 4]]
    assert codes.tolist() == [[1], [2]]


def test_unused_declared_categories_get_no_code():
    table = pd.DataFrame({"a": pd.Categorical(["u", "v"], categories=["v", "w", "u"])})
    assert learn(table).columns[0].categories == ("u", "v")


def test_category_dtype_of_numbers_is_categorical():
    table = pd.DataFrame({"a": pd.Categorical([3, 1, None])})
    reader = learn(table)
    assert reader.columns[0].categories == (1, 3)
    assert parsed(reader, table).read()[1].ravel().tolist() == [2, 1, 3]


def test_categories_are_plain_python_scalars():
    X = np.array([[np.str_("a"), np.int64(3), np.float32(0.5)]], dtype=object)
    categories = [column.categories[0] for column in learn(X, [1, 2]).columns]
    assert [type(category) for category in categories] == [str, int, float]


def test_intervals_are_categories():
    table = pd.DataFrame({"a": pd.cut([1, 9, 1], [0, 5, 10])})
    assert read(table)[1].ravel().tolist() == [1, 2, 1]


def test_strings_among_numbers_do_not_break_sorting_and_stay_distinct():
    table = pd.DataFrame({"a": pd.Series([1, "1", "b", 2.5, None], dtype=object)})
    codes = read(table)[1].ravel().tolist()
    assert codes == [1, 2, 4, 3, 5]


def test_missing_values_of_all_kinds_share_the_last_code():
    table = pd.DataFrame({"a": pd.Series(["x", None, NAN, float("nan"), pd.NA, pd.NaT], dtype=object)})
    assert read(table)[1].ravel().tolist() == [1, 2, 2, 2, 2, 2]
    numbers = pd.DataFrame({"a": pd.Series([1, None, NAN, pd.NA, pd.NaT], dtype=object)})
    np.testing.assert_array_equal(read(numbers)[0].ravel(), [1, NAN, NAN, NAN, NAN])


def test_object_column_of_booleans_with_nan_is_categorical_in_a_frame():
    table = pd.DataFrame({"a": pd.Series([True, NAN, False], dtype=object)})
    assert read(table)[1].ravel().tolist() == [2, 3, 1]


def test_boolean_column_read_in_any_other_form_gives_the_same_codes():
    reader = learn(pd.DataFrame({"a": [True, False]}))
    forms = [
        np.array([[True], [False]]),
        np.array([[np.True_], [np.False_]], dtype=object),
        np.array([["True"], ["False"]]),
        pd.DataFrame({"a": pd.Series([True, False], dtype=object)}),
        pd.DataFrame({"a": pd.Series([True, False], dtype="boolean")}),
        pd.DataFrame({"a": [1, 0]}),
        pl.DataFrame({"a": [True, False]}),
    ]
    for form in forms:
        assert parsed(reader, form).read()[1].ravel().tolist() == [2, 1], form


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([None, None], dtype=object),
        pd.Series([NAN, NAN]),
        pd.Series([None, None], dtype="Int64"),
        pd.Series([None, None], dtype=pd.ArrowDtype(pa.null())),
        pl.Series([None, None]),
        pl.Series([None, None], dtype=pl.Int8),
    ],
)
def test_all_missing_column_is_numeric_and_all_nan(column):
    table = pl.DataFrame({"a": column}) if isinstance(column, pl.Series) else pd.DataFrame({"a": column})
    numeric, codes = read(table)
    np.testing.assert_array_equal(numeric, [[NAN], [NAN]])
    assert codes.shape == (2, 0)


def test_column_without_values_in_fit_reads_strings_as_missing():
    nothing = pd.DataFrame({"a": pd.Series([None, None], dtype=object)})
    np.testing.assert_array_equal(read(pd.DataFrame({"a": ["x"]}), nothing)[0], [[NAN]])


def test_all_missing_strings_know_no_category():
    table = pd.DataFrame({"a": pd.Series([None, None], dtype="string")})
    reader = learn(table)
    assert reader.cardinalities == [2]
    assert parsed(reader, table).read()[1].ravel().tolist() == [1, 1]
    assert parsed(reader, pd.DataFrame({"a": ["x"]})).read()[1].ravel().tolist() == [0]


def test_constant_and_one_category_columns():
    numeric, codes = read(pd.DataFrame({"a": [2, 2], "b": ["x", "x"]}))
    assert numeric.tolist() == [[2], [2]]
    assert codes.tolist() == [[1], [1]]
