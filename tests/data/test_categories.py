"""Which columns are categorical, and the codes of their values."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sknn._data.containers import as_table
from sknn._data.table import TableReader
from sknn._data.table_inputs import TableInputs

from .tables import NAN, kinds, learn, parsed, read


@pytest.mark.parametrize(
    "spec", [["b"], [1], np.array([1]), [False, True, False], np.array([False, True, False]), ("b",), {"b"}]
)
def test_categorical_features_force_a_numeric_column_beside_those_of_the_dtype(spec):
    table = pd.DataFrame({"a": [1, 2, 3], "b": [20, 10, 20], "c": ["x", "y", "x"]})
    reader = learn(table, spec)
    assert reader.categorical == [1, 2]
    assert reader.columns[1].categories == (10, 20)
    assert parsed(reader, table).read()[1].tolist() == [[2, 1], [1, 2], [2, 1]]


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
        learn(pd.DataFrame({"a": [1], "b": [2]}), spec)


def test_names_for_an_array_without_names_are_an_error():
    with pytest.raises(ValueError, match=r"names \['a'\].*arrays without column names need positions"):
        learn(np.zeros((2, 2)), ["a"])


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
    reader = learn(np.array([[1], [2]]), [0])
    table = pd.DataFrame({"a": pd.Series([2, 1, 3], dtype=dtype)})
    assert parsed(reader, table).read()[1].ravel().tolist() == [2, 1, 0]
    assert parsed(reader, np.array([["2"], ["1.0"], ["x"]])).read()[1].ravel().tolist() == [2, 1, 0]


def test_string_categories_are_found_when_numbers_arrive():
    reader = learn(np.array([["90210"], ["2.5"]]))
    assert parsed(reader, np.array([[90210.0], [2.5], [1.0]])).read()[1].ravel().tolist() == [2, 1, 0]


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


def test_unseen_category_is_code_zero_and_missing_is_the_last():
    reader = learn(pd.DataFrame({"a": ["x", "y"]}))
    assert parsed(reader, pd.DataFrame({"a": ["new", None, "y"]})).read()[1].ravel().tolist() == [0, 3, 2]


def test_an_unseen_string_does_not_match_another_spelling_of_a_number():
    reader = learn(np.array([["7"], ["8"]]))
    assert parsed(reader, np.array([["07"], ["7"]])).read()[1].ravel().tolist() == [0, 1]


def test_numbers_find_the_text_that_spells_them_in_any_way():
    reader = learn(np.array([["1.50"], ["2.25"], ["3.00"], ["4.10"], ["1e3"], ["07"], ["True"]]))
    spelled = [reader.columns[0].categories.index(text) + 1 for text in ("1.50", "2.25", "3.00", "4.10", "1e3", "07")]
    numbers = np.array([1.5, 2.25, 3, 4.1, 1000, 7])
    for dtype in ("float64", "Float64", object):
        table = pd.DataFrame({"a": pd.Series(numbers, dtype=dtype)})
        assert parsed(reader, table).read()[1].ravel().tolist() == spelled
    assert parsed(reader, np.array([[1.0], [5.0]])).read()[1].ravel().tolist() == [0, 0]


def test_of_two_texts_for_a_number_the_usual_one_is_found():
    reader = learn(np.array([["01"], ["1"], ["1.0"], ["2.00"], ["2.0"]]))
    codes = parsed(reader, np.array([[1], [2]])).read()[1].ravel()
    assert [reader.columns[0].categories[code - 1] for code in codes] == ["1", "2.0"]


def free_text(n_distinct, n):
    return [f"text {i % n_distinct}" for i in range(n)]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
@pytest.mark.parametrize("text_features", [None, []])
def test_free_text_that_is_refused_names_the_column_and_what_to_do(make, text_features):
    table = make({"note": free_text(101, 101)})
    with pytest.raises(
        ValueError,
        match=r"column 'note' \(position 0\) looks like free text .*101 of its 101 .*"
        r"text_features=\['note'\].*categorical_features=\['note'\]",
    ):
        learn(table, text_features=text_features)
    assert learn(table, ["note"]).cardinalities == [103]


def test_free_text_limits():
    for text_features in ("auto", None):
        assert learn(pd.DataFrame({"a": free_text(100, 100)}), text_features=text_features).cardinalities == [102]
        assert learn(pd.DataFrame({"a": free_text(180, 200)}), text_features=text_features).cardinalities == [182]
    for texts in (free_text(181, 200), free_text(181, 200) + [None] * 100):  # missing values do not count
        assert kinds(pd.DataFrame({"a": texts})) == ["text"]
        with pytest.raises(ValueError, match="181 of its 200"):
            learn(pd.DataFrame({"a": texts}), text_features=None)


@pytest.mark.parametrize("code", ["A{}", "{:08d}", "user-{}@example.org", "{0:032x}", " {}X "])
def test_identifiers_are_refused_unless_they_are_named(code):
    table = pd.DataFrame({"id": [code.format(i * 7919 + 10**16) for i in range(150)]})
    with pytest.raises(
        ValueError, match=r"column 'id' \(position 0\) looks like identifiers: 150 of its 150 .*text_features=\['id'\]"
    ):
        learn(table)
    assert kinds(table, text_features=["id"]) == ["text"]
    assert kinds(table, categorical_features=["id"]) == ["categorical"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (["z"], r"text_features=\['z'\] names \['z'\], but the columns of X are \['a', 'b'\]"),
        ([2], r"text_features=\[2\] names the positions \[2\]"),
        ("a", r"text_features='a', but 'auto', None, .* was expected. For one column: \['a'\]"),
        (
            ["b"],
            r"column 'b' \(position 1\) holds 1 of type int, but texts were expected, as it is named in text_features",
        ),
    ],
)
def test_wrong_text_features_say_what_exists(spec, message):
    with pytest.raises(ValueError, match=message):
        learn(pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}), text_features=spec)


def test_a_column_is_a_category_or_a_text():
    with pytest.raises(ValueError, match="both name the column 'a'"):
        learn(pd.DataFrame({"a": ["x", "y"]}), categorical_features=["a"], text_features=["a"])
    with pytest.raises(ValueError, match="column 0 holds 0.0 of type float"):
        learn(np.zeros((3, 1)), text_features=[0])


def test_few_texts_of_several_words_are_free_text_only_by_default():
    texts = [f"the {i}th of many short reports" for i in range(21)]
    kinds = {}
    for name, values in {"prose": texts, "few": [*texts[:20], texts[0]], "words": [f"town {i}" for i in range(21)],
                         "often": texts[:20] * 2}.items():  # fmt: skip
        frame = pd.DataFrame({"a": values})
        kinds[name] = TableReader.learn(frame, "from_dtype", "auto")[0].columns[0].kind
        assert TableReader.learn(frame, "from_dtype", None)[0].columns[0].kind == "categorical"
    assert kinds == {"prose": "text", "few": "categorical", "words": "categorical", "often": "categorical"}


def test_distinct_numbers_are_never_free_text():
    assert kinds(pd.DataFrame({"a": range(500)})) == ["numeric"]
    assert learn(np.arange(500)[:, None], [0]).cardinalities == [502]
    assert kinds(pd.DataFrame({"a": pd.Categorical(range(500))})) == ["categorical"]


def test_categories_of_many_spellings_have_texts_unless_they_are_codes_or_declared():
    def worded(values, **params):
        return learn(pd.DataFrame({"a": values}), **params).columns[0].is_worded

    assert worded(free_text(150, 200))  # half of the rows hold a value that occurs once
    assert not worded(free_text(100, 130))
    assert not worded(free_text(150, 300))
    assert not worded([f"A{i % 150}" for i in range(200)])
    assert not worded(pd.Categorical(free_text(150, 200)))
    assert not worded(free_text(150, 200), categorical_features=["a"])
    assert not worded(free_text(150, 200), text_features=None)


def test_categories_of_many_spellings_are_codes_and_texts():
    X = pd.DataFrame({"a": free_text(150, 200)})
    inputs = TableInputs.read_first(as_table(X)).learn(None, None)
    numeric, codes = inputs.read(pd.DataFrame({"a": ["text 3", "text 1000", None]})).read()
    assert codes.ravel().tolist() == [inputs.reader.columns[0].categories.index("text 3") + 1, 0, 151]
    assert numeric.any(axis=1).tolist() == [True, True, False]
