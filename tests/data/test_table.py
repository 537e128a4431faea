"""``TableReader``: every kind of table becomes the same numbers and codes, and bad ones say what is wrong."""

import copy
import datetime
import decimal
import pickle
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from sknn._data.table import TableReader

NAN = np.nan


def read(X, X_fit=None, **params):
    """Numbers and codes as lists, of a reader fitted on X_fit, else on X."""
    numeric, codes = TableReader(**params).fit(X if X_fit is None else X_fit).read(X)
    assert numeric.dtype == np.float64
    assert codes.dtype == np.int64
    assert numeric.shape[0] == codes.shape[0]
    return numeric, codes


def kinds(X, **params):
    return [column.kind for column in TableReader(**params).fit(X).columns_]


# --- numpy ----------------------------------------------------------------------------------------


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


def test_numpy_matrix_is_read_by_columns():
    with pytest.warns(PendingDeprecationWarning):
        X = np.matrix([[1, "x"], [3, "y"]], dtype=object)
    numeric, codes = read(X)
    assert numeric.tolist() == [[1], [3]]
    assert codes.tolist() == [[1], [2]]


def test_object_array_keeps_numbers_numeric_beside_strings():
    X = np.array([[1, "b", 2.5], [None, "a", 3], [4, None, NAN]], dtype=object)
    numeric, codes = read(X)
    np.testing.assert_array_equal(numeric, [[1, 2.5], [NAN, 3], [4, NAN]])
    assert codes.tolist() == [[2], [1], [3]]


def test_string_array_is_categorical_even_if_it_holds_digits():
    reader = TableReader().fit(np.array([["1", "x"], ["2", "y"]]))
    assert [column.categories for column in reader.columns_] == [("1", "2"), ("x", "y")]


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


def test_float32_read_is_exact_and_read_of_a_slice_is_that_slice():
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    reader = TableReader().fit(X)
    np.testing.assert_array_equal(reader.read(X, slice(5, 9))[0], X[5:9].astype(np.float64))
    np.testing.assert_array_equal(reader.read(X, slice(1, 20, 7))[0], X[1:20:7].astype(np.float64))


# --- data frames ----------------------------------------------------------------------------------


def mixed(kind):
    """The same table, in several libraries and dtypes: two numbers, a string, a boolean."""
    size, count, city, member = [1.5, None, 3.0], [7, 8, None], ["Rome", None, "Bonn"], [True, False, None]
    columns = {"size": size, "count": count, "city": city, "member": member}
    if kind == "polars":
        return pl.DataFrame(columns)
    if kind == "polars categorical":
        return pl.DataFrame(columns).with_columns(pl.col("city").cast(pl.Categorical))
    if kind == "polars enum":
        return pl.DataFrame(columns).with_columns(pl.col("city").cast(pl.Enum(["Rome", "Oslo", "Bonn"])))
    if kind == "pyarrow":
        return pa.table(columns)
    if kind == "pyarrow dictionary":
        table = pa.table(columns)
        return table.set_column(2, "city", table["city"].dictionary_encode())
    if kind == "pandas default":
        return pd.DataFrame(columns)
    if kind == "numpy object":
        return pd.DataFrame(columns, dtype=object).to_numpy()
    dtypes = {
        "pandas object": {"size": object, "count": object, "city": object, "member": object},
        "pandas nullable": {"size": "Float64", "count": "Int64", "city": "string", "member": "boolean"},
        "pandas category": {"size": float, "count": float, "city": "category", "member": "boolean"},
        "pandas arrow": {
            "size": "double[pyarrow]",
            "count": "int64[pyarrow]",
            "city": "string[pyarrow]",
            "member": "bool[pyarrow]",
        },
    }[kind]
    return pd.DataFrame(columns).astype(dtypes)


FRAMES = [
    "pandas default",
    "pandas object",
    "pandas nullable",
    "pandas category",
    "pandas arrow",
    "polars",
    "polars categorical",
    "polars enum",
    "pyarrow",
    "pyarrow dictionary",
]
MIXED_NUMERIC = [[1.5, 7], [NAN, 8], [3, NAN]]
MIXED_CODES = [[2, 2], [3, 1], [1, 3]]


@pytest.mark.parametrize("kind", FRAMES)
def test_every_frame_gives_the_same_numbers_and_codes(kind):
    reader = TableReader().fit(mixed(kind))
    numeric, codes = reader.read(mixed(kind))
    np.testing.assert_array_equal(numeric, MIXED_NUMERIC)
    assert codes.tolist() == MIXED_CODES
    assert [column.name for column in reader.columns_] == ["size", "count", "city", "member"]
    assert [column.categories for column in reader.columns_] == [(), (), ("Bonn", "Rome"), (False, True)]
    assert reader.numeric_ == [0, 1]
    assert reader.categorical_ == [2, 3]
    assert reader.cardinalities_ == [4, 4]


@pytest.mark.parametrize("read_kind", [*FRAMES, "numpy object"])
@pytest.mark.parametrize("fit_kind", ["pandas object", "polars enum", "pandas arrow"])
def test_codes_do_not_depend_on_the_kind_of_table_at_read(fit_kind, read_kind):
    numeric, codes = read(mixed(read_kind), mixed(fit_kind))
    np.testing.assert_array_equal(numeric, MIXED_NUMERIC)
    assert codes.tolist() == MIXED_CODES


@pytest.mark.parametrize("kind", [*FRAMES, "numpy object"])
@pytest.mark.parametrize("rows", [slice(1, 2), slice(0, 3, 2), slice(-2, None), slice(3, 3)])
def test_reading_rows_is_reading_all_and_slicing(kind, rows):
    reader = TableReader().fit(mixed("polars"))
    numeric, codes = reader.read(mixed(kind), rows)
    np.testing.assert_array_equal(numeric, np.array(MIXED_NUMERIC)[rows])
    np.testing.assert_array_equal(codes, np.array(MIXED_CODES)[rows])


def test_rows_outside_the_slice_are_not_converted():
    X = np.array([[1.0], ["not a number"]], dtype=object)
    assert TableReader().fit(X[:1]).read(X, slice(0, 1))[0].tolist() == [[1.0]]


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
    assert TableReader().fit(table).columns_[0].categories == ("u", "v")


def test_category_dtype_of_numbers_is_categorical():
    table = pd.DataFrame({"a": pd.Categorical([3, 1, None])})
    reader = TableReader().fit(table)
    assert reader.columns_[0].categories == (1, 3)
    assert reader.read(table)[1].ravel().tolist() == [2, 1, 3]


def test_categories_are_plain_python_scalars():
    X = np.array([[np.str_("a"), np.int64(3), np.float32(0.5)]], dtype=object)
    categories = [column.categories[0] for column in TableReader([1, 2]).fit(X).columns_]
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
    reader = TableReader().fit(pd.DataFrame({"a": [True, False]}))
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
        assert reader.read(form)[1].ravel().tolist() == [2, 1], form


def test_lazy_frame_is_a_type_error_that_says_collect():
    with pytest.raises(TypeError, match=r"X is lazy .*collect\(\)"):
        TableReader().fit(pl.LazyFrame({"a": [1]}))


# --- categorical_features -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec", [["b"], [1], np.array([1]), [False, True, False], np.array([False, True, False]), ("b",), {"b"}]
)
def test_categorical_features_force_a_numeric_column_beside_those_of_the_dtype(spec):
    table = pd.DataFrame({"a": [1, 2, 3], "b": [20, 10, 20], "c": ["x", "y", "x"]})
    reader = TableReader(spec).fit(table)
    assert reader.categorical_ == [1, 2]
    assert reader.columns_[1].categories == (10, 20)
    assert reader.read(table)[1].tolist() == [[2, 1], [1, 2], [2, 1]]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (["z"], r"categorical_features=\['z'\] names \['z'\], but the columns of X are \['a', 'b'\]"),
        (
            [2],
            r"categorical_features=\[2\] names the positions \[2\], but X has 2 columns, at the .* 0 to 1",
        ),
        ([-1], r"categorical_features=\[-1\] names the positions \[-1\]"),
        ([True], r"categorical_features is a mask of length 1 \(\[True\]\), but X has 2 columns"),
        ("a", r"categorical_features='a', but 'from_dtype'.* was expected. For one column: \['a'\]"),
        (3, r"categorical_features=3, but 'from_dtype'"),
        (["a", 0], r"categorical_features=\['a', 0\], but .* Do not mix"),
        ([0.5], r"categorical_features=\[0.5\], but 'from_dtype'"),
    ],
)
def test_wrong_categorical_features_say_what_exists(spec, message):
    with pytest.raises(ValueError, match=message):
        TableReader(spec).fit(pd.DataFrame({"a": [1], "b": [2]}))


def test_names_for_an_array_without_names_are_an_error():
    with pytest.raises(ValueError, match=r"names \['a'\].*arrays without column names need positions"):
        TableReader(["a"]).fit(np.zeros((2, 2)))


def test_categorical_features_none_reads_as_numbers_what_can_be():
    table = pd.DataFrame(
        {
            "flag": [True, False],
            "digits": ["1", "2.5"],
            "codes": pd.Categorical([3, 4]),
            "words": ["1", "x"],
            "odd": ["1_0", "2_0"],
        }
    )
    assert kinds(table) == ["categorical"] * 5
    assert kinds(table, categorical_features=None) == ["numeric"] * 3 + ["categorical"] * 2
    assert read(table, categorical_features=None)[0].tolist() == [[1, 1, 3], [0, 2.5, 4]]


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float16", "float32", "float64", "Int64", "Float64", object])
def test_forced_numbers_have_the_same_codes_in_every_dtype(dtype):
    reader = TableReader([0]).fit(np.array([[1], [2]]))
    table = pd.DataFrame({"a": pd.Series([2, 1, 3], dtype=dtype)})
    assert reader.read(table)[1].ravel().tolist() == [2, 1, 0]
    assert reader.read(np.array([["2"], ["1.0"], ["x"]]))[1].ravel().tolist() == [2, 1, 0]


def test_string_categories_are_found_when_numbers_arrive():
    reader = TableReader().fit(np.array([["90210"], ["2.5"]]))
    assert reader.read(np.array([[90210.0], [2.5], [1.0]]))[1].ravel().tolist() == [2, 1, 0]


def test_forced_integers_above_two_to_the_53_stay_distinct():
    big = 2**53
    for table in [
        np.array([[big], [big + 1]]),
        pd.DataFrame({"a": pd.Series([big, big + 1], dtype="Int64")}),
    ]:
        assert read(table, categorical_features=[0])[1].ravel().tolist() == [1, 2]


def test_forced_floats_with_nan_code_nan_as_missing():
    X = np.array([[2.5], [NAN], [1.0], [NAN]])
    assert read(X, categorical_features=[0])[1].ravel().tolist() == [2, 3, 1, 3]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_forced_dates_are_categories(make):
    days = [datetime.datetime(2020, 1, 2), None, datetime.datetime(2020, 1, 1)]
    assert read(make({"a": days}), categorical_features=["a"])[1].ravel().tolist() == [2, 3, 1]
    array = np.array([[day] for day in days], dtype="datetime64[ns]")
    assert read(array, categorical_features=[0])[1].ravel().tolist() == [2, 3, 1]


# --- columns with little in them ------------------------------------------------------------------


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
    reader = TableReader().fit(table)
    assert reader.cardinalities_ == [2]
    assert reader.read(table)[1].ravel().tolist() == [1, 1]
    assert reader.read(pd.DataFrame({"a": ["x"]}))[1].ravel().tolist() == [0]


def test_constant_and_one_category_columns():
    numeric, codes = read(pd.DataFrame({"a": [2, 2], "b": ["x", "x"]}))
    assert numeric.tolist() == [[2], [2]]
    assert codes.tolist() == [[1], [1]]


# --- at read --------------------------------------------------------------------------------------


def test_unseen_category_is_code_zero_and_missing_is_the_last():
    reader = TableReader().fit(pd.DataFrame({"a": ["x", "y"]}))
    assert reader.read(pd.DataFrame({"a": ["new", None, "y"]}))[1].ravel().tolist() == [0, 3, 2]


def test_an_unseen_string_does_not_match_another_spelling_of_a_number():
    reader = TableReader().fit(np.array([["7"], ["8"]]))
    assert reader.read(np.array([["07"], ["7"]]))[1].ravel().tolist() == [0, 1]


def test_numeric_column_that_arrives_as_strings_is_parsed():
    reader = TableReader().fit(pd.DataFrame({"a": [1.0, 2.0]}))
    numeric, _ = reader.read(pd.DataFrame({"a": ["1e3", None, "-2"]}))
    np.testing.assert_array_equal(numeric.ravel(), [1000, NAN, -2])


def test_numeric_column_with_words_names_column_value_and_expectation():
    reader = TableReader().fit(pd.DataFrame({"b": ["x"], "a": [1.0]}))
    with pytest.raises(ValueError, match=r"column 'a' \(position 1\) holds 'two', but numbers were expected"):
        reader.read(pd.DataFrame({"b": ["x"], "a": ["two"]}))


# --- what is refused ------------------------------------------------------------------------------


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
        TableReader().fit(table)
    finite = table.copy() if isinstance(table, np.ndarray) else table.clone() if hasattr(table, "clone") else table
    if isinstance(finite, np.ndarray):
        finite[:, 1] = 0
        with pytest.raises(ValueError, match=rf"{label} contains infinity"):
            TableReader().fit(finite).read(table)


def test_infinity_in_a_frame_is_named_at_read():
    reader = TableReader().fit(pd.DataFrame({"b": ["x"], "a": [1.0]}))
    with pytest.raises(ValueError, match=r"column 'a' \(position 1\) contains infinity"):
        reader.read(pd.DataFrame({"b": ["x"], "a": [np.inf]}))
    with pytest.raises(ValueError, match=r"column 'a' \(position 1\) contains infinity"):
        reader.read(pd.DataFrame({"b": ["x"], "a": ["-inf"]}))
    with pytest.raises(ValueError, match=r"column 0 contains infinity"):
        TableReader([0]).fit(np.array([[np.inf]]))
    with pytest.raises(ValueError, match=r"column 0 contains infinity"):
        TableReader([0]).fit(np.array([[1.0]])).read(np.array([[np.inf]]))


def test_huge_finite_numbers_are_accepted_without_a_warning():
    X = np.array([[1e308, 3e38], [1e308, -3e38], [-1e308, 0]])
    np.testing.assert_array_equal(read(X)[0], X)
    halves = np.full((3, 1), 60000, dtype=np.float16)  # their sum overflows
    np.testing.assert_array_equal(read(halves)[0], 60000)


def test_numbers_beyond_float64_are_reported_not_wrapped():
    with pytest.raises(ValueError, match="column 0 contains an integer that float64 turns into infinity"):
        TableReader().fit(np.array([[10**400]], dtype=object))
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        X = np.array([[np.longdouble("1e400")]])
        with pytest.raises(ValueError, match="column 0 contains infinity"):
            TableReader().fit(np.zeros((1, 1))).read(X)


@pytest.mark.parametrize(
    "table",
    [
        np.array([[1j]]),
        np.array([[1j, 2]], dtype=object),
        pd.DataFrame({"a": [1j]}),
        scipy.sparse.csr_array([[1j]]),
    ],
)
def test_complex_numbers_are_refused(table):
    with pytest.raises(ValueError, match="Complex data not supported"):
        TableReader().fit(table)


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
            TableReader(forced).fit(table)
        with pytest.raises(TypeError, match=r"column ('b' \(position 1\)|1) holds .*Expand the column"):
            TableReader(forced).fit(table)


def test_records_are_refused():
    with pytest.raises(TypeError, match=r"column 0 has dtype .* but numbers, strings"):
        TableReader().fit(np.zeros((2, 1), dtype=[("a", int)]))


def free_text(n_distinct, n):
    return [f"text {i % n_distinct}" for i in range(n)]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_free_text_names_the_column_and_what_to_do(make):
    table = make({"note": free_text(101, 101)})
    with pytest.raises(
        ValueError,
        match=r"column 'note' \(position 0\) looks like free text .*101 of its 101 .*"
        r"TextEncoder.*HashingVectorizer.*categorical_features=\['note'\]",
    ):
        TableReader().fit(table)
    assert TableReader(["note"]).fit(table).cardinalities_ == [103]


def test_free_text_limits():
    assert TableReader().fit(pd.DataFrame({"a": free_text(100, 100)})).cardinalities_ == [102]
    assert TableReader().fit(pd.DataFrame({"a": free_text(180, 200)})).cardinalities_ == [182]
    with pytest.raises(ValueError, match="181 of its 200"):
        TableReader().fit(pd.DataFrame({"a": free_text(181, 200)}))
    with pytest.raises(ValueError, match="181 of its 200"):  # missing values do not count
        TableReader().fit(pd.DataFrame({"a": free_text(181, 200) + [None] * 100}))


def test_distinct_numbers_are_never_free_text():
    assert kinds(pd.DataFrame({"a": range(500)})) == ["numeric"]
    assert TableReader([0]).fit(np.arange(500)[:, None]).cardinalities_ == [502]
    assert kinds(pd.DataFrame({"a": pd.Categorical(range(500))})) == ["categorical"]


# --- sparse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, bool])
def test_sparse_becomes_float32_rows(make, dtype):
    dense = np.array([[0, 1], [1, 0], [0, 0]], dtype=dtype)
    reader = TableReader().fit(make(dense))
    rows = reader.read_sparse(make(dense))
    assert reader.sparse_
    assert [column.kind for column in reader.columns_] == ["numeric", "numeric"]
    assert isinstance(rows, scipy.sparse.csr_array)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows.toarray(), dense)


def test_dense_tables_are_not_sparse():
    assert not TableReader().fit(np.zeros((1, 1))).sparse_


def test_sparse_keeps_explicit_nan_and_adds_duplicates_without_touching_the_input():
    X = scipy.sparse.csr_array(
        (np.array([1, 2, NAN], dtype=np.float32), np.array([1, 1, 0]), np.array([0, 3])), shape=(1, 2)
    )
    np.testing.assert_array_equal(TableReader().fit(X).read_sparse(X).toarray(), [[NAN, 3]])
    np.testing.assert_array_equal(X.data, [1, 2, NAN])
    np.testing.assert_array_equal(X.indices, [1, 1, 0])


@pytest.mark.parametrize("value", [np.inf, 1e300])
def test_sparse_infinity_and_float32_overflow_name_the_column(value):
    X = scipy.sparse.coo_array(([value], ([0], [2])), shape=(1, 4))
    with pytest.raises(ValueError, match=r"column 2 contains infinity .* too large for float32"):
        TableReader().read_sparse(X)


def test_sparse_infinity_is_found_in_fit():
    with pytest.raises(ValueError, match="column 0 contains infinity"):
        TableReader().fit(scipy.sparse.csc_array([[np.inf]]))


def test_sparse_columns_cannot_be_forced():
    with pytest.raises(ValueError, match=r"categorical_features=\[0\] names columns of a sparse matrix"):
        TableReader([0]).fit(scipy.sparse.csr_array([[1.0]]))


def test_dense_reader_reads_rows_of_a_sparse_matrix_unless_it_has_categories():
    X = scipy.sparse.csc_array([[0.0, 1.0], [2.0, 0.0]])
    assert TableReader().fit(X.toarray()).read(X, slice(1, 2))[0].tolist() == [[2, 0]]
    with pytest.raises(TypeError, match="a table with categories was fitted"):
        TableReader([0]).fit(X.toarray()).read(X)


# --- the object itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda reader: pickle.loads(pickle.dumps(reader))])
def test_copies_read_the_same(duplicate):
    reader = TableReader().fit(mixed("pandas default"))
    reader.read(mixed("polars"))  # fills the cached lookup
    numeric, codes = duplicate(reader).read(mixed("polars"))
    np.testing.assert_array_equal(numeric, MIXED_NUMERIC)
    assert codes.tolist() == MIXED_CODES


def test_input_is_never_changed():
    for kind in ["pandas object", "pandas category", "numpy object"]:
        X, before = mixed(kind), mixed(kind)
        TableReader().fit(X).read(X)
        if isinstance(X, np.ndarray):
            assert list(map(str, X.ravel())) == list(map(str, before.ravel()))
        else:
            pd.testing.assert_frame_equal(X, before)


def test_arrays_are_read_without_pandas_polars_or_pyarrow(monkeypatch):
    for name in ("pandas", "polars", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    assert read([[1.0, "b"], [None, "a"]])[1].tolist() == [[2], [1]]
