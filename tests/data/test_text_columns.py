"""Columns of text that are no categories: numbers, dates and times."""

import datetime
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from .tables import kinds, learn, parsed, read

NUMBERS = np.round(np.random.default_rng(0).normal(size=60) * 2000, 1)


def swapped(text):
    return text.replace(",", "_").replace(".", ",").replace("_", ".")


SPELLINGS = {
    "plain": str,
    "exponent": "{:.6e}".format,
    "decimal comma": lambda v: f"{v:.1f}".replace(".", ","),
    "thousands": "{:,.1f}".format,
    "points between thousands": lambda v: swapped(f"{v:,.1f}"),
    "spaces between thousands": lambda v: f"{v:,.1f}".replace(",", "\u202f"),
    "percent": "{:.1f} %".format,
    "currency": lambda v: ("-" if v < 0 else "") + f"${abs(v):,.1f}",
    "euro": lambda v: swapped(f"{v:,.1f}") + " €",
    "unit": "{:.1f} kg".format,
    "unit with a point": "{:.1f} kg.".format,
    "unit with a hyphen": "{:.1f} t-m".format,
    "unit on both sides": "${:,.1f} net".format,
    "unit in brackets": "{:.1f} (kg)".format,
    "accounts": lambda v: f"({abs(v):,.1f})" if v < 0 else f"{v:,.1f}",
    "currency of accounts": lambda v: f"(${abs(v):,.1f})" if v < 0 else f"${v:,.1f}",
    "minus of typesetters": lambda v: f"{v:.1f}".replace("-", "\u2212"),
    "sign apart": lambda v: ("- " if v < 0 else "+ ") + str(abs(v)),
    "decimal comma and exponent": lambda v: f"{v:.6e}".replace(".", ","),
    "apostrophes between thousands": lambda v: f"{v:,.1f}".replace(",", "'"),
}
CONTAINERS = {
    "pandas": lambda texts: pd.DataFrame({"amount": texts}),
    "pandas object": lambda texts: pd.DataFrame({"amount": pd.Series(texts, dtype=object)}),
    "pandas arrow": lambda texts: pd.DataFrame({"amount": pd.Series(texts, dtype="string[pyarrow]")}),
    "polars": lambda texts: pl.DataFrame({"amount": texts}),
    "pyarrow": lambda texts: pa.table({"amount": texts}),
    "numpy object": lambda texts: np.array(texts, dtype=object)[:, None],
    "numpy text": lambda texts: np.array(["" if text is None else text for text in texts])[:, None],
    "numpy bytes": lambda texts: np.array(["" if text is None else text for text in texts]).astype("S")[:, None],
    "list": lambda texts: [[text] for text in texts],
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_numbers_as_text_are_numbers_in_every_container(container):
    texts = [*map(str, NUMBERS), "?", None]
    table = CONTAINERS[container](texts)
    with pytest.warns(
        UserWarning, match=r"column ('amount' \(position 0\)|0) is text that was read as numeric"
    ) as told:
        reader = learn(table)
    assert len(told) == 1
    assert re.search(
        r"(1|2) of its 6(1|2) values, such as b?'\??', are not numbers and are missing", str(told[0].message)
    )
    np.testing.assert_array_equal(parsed(reader, table).read()[0].ravel(), [*NUMBERS, np.nan, np.nan])


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_read_and_the_advice_of_the_warning_works(spelling):
    X = pd.DataFrame({"amount": [*map(SPELLINGS[spelling], NUMBERS), "n/a"]})
    with pytest.warns(UserWarning, match=r"X: column 'amount'.*categorical_features=\['amount'\]") as told:
        reader = learn(X)
    expected = np.append(NUMBERS, np.nan)
    np.testing.assert_allclose(parsed(reader, X).read()[0].ravel(), expected)
    exec(re.search(r"as by (.*), or keep", str(told[0].message))[1], {"pd": pd, "X": X})
    np.testing.assert_allclose(X["amount"], expected)
    np.testing.assert_allclose(parsed(reader, pd.DataFrame({"amount": expected})).read()[0].ravel(), expected)


def test_numbers_beside_texts_in_a_column_of_objects():
    table = pd.DataFrame({"amount": pd.Series([*NUMBERS, "?", "1.5"], dtype=object)})
    with pytest.warns(UserWarning, match="such as '1.5' as 1.5; 1 of its 62 values, such as '\\?'"):
        numeric = learn(table)
    np.testing.assert_array_equal(parsed(numeric, table).read()[0].ravel(), [*NUMBERS, np.nan, 1.5])


def test_the_advice_keeps_the_numbers_beside_texts():
    X = pd.DataFrame({"amount": pd.Series([*NUMBERS[:30], *(f"({v} kg)" for v in range(30)), None], dtype=object)})
    with pytest.warns(UserWarning, match="read as numeric") as told:
        expected = read(X)[0].ravel()
    exec(re.search(r"as by (.*), or keep", str(told[0].message))[1], {"pd": pd, "X": X})
    np.testing.assert_array_equal(X["amount"], expected)


def test_numbers_of_several_formats_stay_categories_and_are_named():
    texts = [f"{i} %" if i % 2 else f"0.{i}" for i in range(60)] * 2
    with pytest.warns(
        UserWarning, match=r"column 'a' \(position 0\) looks numeric, but not in one format, such as '0.0' and '1 %'"
    ):
        assert kinds(pd.DataFrame({"a": texts})) == ["categorical"]
    assert kinds(pd.DataFrame({"a": texts}), categorical_features=["a"]) == ["categorical"]


@pytest.mark.parametrize(
    ("spell", "first", "second"),
    [
        (lambda i: f"{i}.5 €" if i % 5 else f"{i}.5 EUR", "0.5 EUR", "1.5 €"),
        (lambda i: f"{i}.5 %" if i % 5 else f"{i},5 %", "0,5 %", "1.5 %"),
        (lambda i: f"{i},5 €" if i % 5 else f"1,{i:03d}.5 €", "1,000.5 €", "1,5 €"),
        (lambda i: f"{i}.5 kg" if i % 5 else f"{i}.5", "0.5", "1.5 kg"),
        (lambda i: f"{i}.5 k" if i % 5 else f"{i}.5 M", "0.5 M", "1.5 k"),
    ],
    ids=["units", "decimals", "decimals of amounts", "unit or none", "letters"],
)  # fmt: skip
def test_numbers_of_several_formats_that_become_free_text_are_named(spell, first, second):
    X = pd.DataFrame({"price": [spell(i) for i in range(300)]})
    message = (
        f"column 'price' (position 0) looks numeric, but not in one format, such as {first!r} and {second!r}, and is"
    )
    with pytest.warns(UserWarning, match=re.escape(message) + r" read as free text.*text_features=\['price'\]"):
        assert kinds(X) == ["text"]
    assert kinds(X, text_features=["price"]) == ["text"]  # warnings are errors


def test_decimals_of_two_kinds_without_a_space_are_an_error_that_says_so():
    X = pd.DataFrame({"price": [f"{i}.5" if i % 5 else f"{i},5" for i in range(300)]})
    with pytest.raises(
        ValueError, match=r"column 'price'.* looks numeric, but not in one format, such as '0,5' and '1.5'"
    ):
        learn(X)


def test_texts_that_begin_with_a_number_are_no_numbers():
    streets = ["High St", "Mill Lane", "Park Road", "The Mews", "Elm Grove", "Old Hill", "West End"]
    assert kinds(pd.DataFrame({"a": [f"{i} {streets[i % 7]}" for i in range(1, 300)]})) == ["text"]


def test_many_columns_are_named_in_one_warning():
    X = pd.DataFrame({f"c{i}": [str(v + i) for v in NUMBERS] for i in range(17)})
    with pytest.warns(
        UserWarning,
        match=r"(?s)column 'c0'.*X: column 'c1' .*such as '252.5' as 252.5.*is also in column 'c5'.* and 2 more\.",
    ) as told:
        learn(X)
    assert len(told) == 1


@pytest.mark.parametrize(
    "texts",
    [
        [str(i % 20) for i in range(100)],  # few
        [f"{i % 40:03d}" for i in range(100)],  # zeros in front: codes
        [str(10**17 + i % 40) for i in range(100)],  # more digits than a float64 holds
        [f"{i % 40}{'abcd'[i % 4]}" for i in range(100)],  # no common unit
        [f"A{i % 40}" for i in range(100)],
        [str(i % 25) if i % 2 else "none of them" for i in range(0, 400)] + ["word"] * 900,  # most rows are words
    ],
    ids=["few", "zeros", "long", "letters", "prefix", "words"],
)
def test_other_texts_stay_categories_without_a_word(texts):
    for make in (lambda t: pd.DataFrame({"a": t}), lambda t: np.array(t, dtype=object)[:, None]):
        assert kinds(make(texts)) == ["categorical"]


def test_columns_that_are_declared_categories_stay_so_without_a_word():
    texts = list(map(str, NUMBERS))
    assert kinds(pd.DataFrame({"a": texts}), categorical_features=["a"]) == ["categorical"]
    assert kinds(pd.DataFrame({"a": pd.Categorical(texts)})) == ["categorical"]
    assert kinds(pl.DataFrame({"a": pl.Series(texts, dtype=pl.Categorical)})) == ["categorical"]


def test_text_that_is_not_a_number_at_predict_is_missing_and_named():
    with pytest.warns(UserWarning, match="read as numeric"):
        reader = learn(pd.DataFrame({"a": [f"{v} %" for v in NUMBERS]}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numeric = parsed(reader, pd.DataFrame({"a": ["1.5 %", "?", None]})).read()[0]
    np.testing.assert_array_equal(numeric.ravel(), [1.5, np.nan, np.nan])
    with pytest.warns(
        UserWarning, match=r"column 'a' \(position 0\) was read as numbers in fit, but holds text such as '0.015'"
    ) as told:
        numeric = parsed(reader, pd.DataFrame({"a": ["0.015"]})).read()[0]
    assert np.isnan(numeric).all()
    assert told[0].filename.endswith("tables.py")  # of the tests, which calls sknn
    with pytest.raises(
        ValueError, match=r"column 'a' \(position 0\) holds dates, but numbers were expected, as in fit"
    ):
        parsed(reader, pd.DataFrame({"a": pd.to_datetime(["2024-01-01"])}))
    for mixed in (pd.Timestamp("2024-01-01"), datetime.timedelta(1), datetime.time(1)):
        with pytest.raises(
            ValueError, match=r"column 'a' \(position 0\) holds .*, but numbers were expected, as in fit"
        ):
            parsed(reader, pd.DataFrame({"a": pd.Series(["1.5 %", mixed], dtype=object)}))


DAYS = pd.date_range("2024-01-30", periods=60)


ISO = ["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f+00:00", "%Y-%m-%dT%H:%M:%SZ"]


@pytest.mark.parametrize("container", [name for name in CONTAINERS if name != "numpy bytes"])
@pytest.mark.parametrize("form", ISO)
def test_dates_of_iso_8601_are_dates_in_every_container_and_a_warning_names_the_column(form, container):
    texts = DAYS.strftime(form).tolist()
    table = CONTAINERS[container]([*texts, "?", None])
    with pytest.warns(
        UserWarning,
        match=r"X: column ('amount' \(position 0\)|0) is text that was read as dates \(such as '2024-.* 6(1|2) values",
    ) as told:
        reader = learn(table)
    assert len(told) == 1
    assert reader.columns[0].quantity == "date"
    seconds = [*(DAYS.as_unit("s").astype("int64") * 1.0), np.nan, np.nan]
    np.testing.assert_array_equal(parsed(reader, table).read()[0].ravel(), seconds)
    np.testing.assert_array_equal(parsed(reader, DAYS.to_frame()).read()[0].ravel(), seconds[:-2])


def test_few_dates_as_text_and_named_ones_stay_categories():
    texts = DAYS.strftime("%Y-%m-%d").tolist()
    assert kinds(pd.DataFrame({"a": texts}), categorical_features=["a"]) == ["categorical"]
    assert kinds(pd.DataFrame({"a": texts[:20] * 3})) == ["categorical"]
    assert kinds(pd.DataFrame({"a": pd.Categorical(texts)})) == ["categorical"]


def test_what_is_no_date_at_predict_is_missing_and_named():
    with pytest.warns(UserWarning, match="read as dates"):
        reader = learn(pd.DataFrame({"a": DAYS.strftime("%Y-%m-%d")}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numeric = parsed(reader, pd.DataFrame({"a": ["1970-01-02T01:00+01:00", "?", None]})).read()[0]
    np.testing.assert_array_equal(numeric.ravel(), [86_400, np.nan, np.nan])
    for text in ("2024-02-30", "02/03/2024", "soon"):
        with pytest.warns(
            UserWarning, match=rf"column 'a' \(position 0\) was read as dates in fit, but holds text such as '{text}'"
        ):
            numeric = parsed(reader, pd.DataFrame({"a": [text]})).read()[0]
        assert np.isnan(numeric).all()
    for other in ([3], [datetime.timedelta(1), "2024-01-01"], [3, "2024-01-01"]):
        with pytest.raises(
            ValueError, match=r"column 'a' \(position 0\) holds .*, but dates were expected, as in fit.*to_datetime"
        ):
            parsed(reader, pd.DataFrame({"a": pd.Series(other, dtype=object)}))


def test_numbers_and_dates_as_text_are_told_apart():
    X = pd.DataFrame(
        {"day": DAYS.strftime("%Y-%m-%d"), "n": [str(v) for v in NUMBERS], "due": DAYS.strftime("%Y-%m-%d")}
    )
    with pytest.warns(UserWarning, match="is text that was read as") as told:
        assert [column.quantity for column in learn(X).columns] == ["date", "number", "date"]
    messages = sorted(str(one.message) for one in told)
    assert len(messages) == 2
    assert messages[0].startswith("X: column 'day' (position 0) is text that was read as dates")
    assert "\nX: column 'due' (position 2) is text that was read as dates" in messages[0]
    assert messages[0].endswith("categorical_features=['due'].")
    assert messages[1].startswith("X: column 'n' (position 1) is text that was read as numeric")


@pytest.mark.parametrize(
    "form",
    ["%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y",
     "%m/%d/%y", "%Y%m%d", "%d %b %Y", "%d-%b-%y", "%B %d, %Y", "%a, %d %b %Y %H:%M:%S"],
)  # fmt: skip
def test_other_dates_as_text_are_refused_with_the_fix(form):
    texts = DAYS.strftime(form).tolist()
    for make in (CONTAINERS["pandas"], CONTAINERS["polars"], CONTAINERS["numpy object"]):
        with pytest.raises(
            ValueError, match=r"X: column ('amount' \(position 0\)|0) holds dates as text, such as .*pd\.to_datetime"
        ):
            learn(make([*texts, None, ""]))
    assert kinds(pd.DataFrame({"a": texts}), categorical_features=["a"]) == ["categorical"]
    assert kinds(pd.DataFrame({"a": texts[:20] * 3})) == ["categorical"]


def remedied(texts: list) -> pd.Series:
    """The column that the remedy in the error, or warning, makes of these texts."""
    X = pd.DataFrame({"a": texts})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, UserWarning), match="Convert (it|them) before fit, as by") as error:
            learn(X)
    exec(str(error.value).split("as by ")[1].split(", or keep")[0], {"X": X, "pd": pd})
    return X["a"]


@pytest.mark.parametrize(
    "form",
    ["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d/%m/%Y", "%d-%m-%Y",
     "%d/%m/%y", "%m/%d/%Y", "%m/%d/%y", "%Y%m%d", "%d %b %Y", "%d-%b-%y", "%B %d, %Y"],
)  # fmt: skip
@pytest.mark.parametrize("missing", [[], [None], [""], ["?"], ["n/a", None]])
def test_the_remedy_for_dates_works_when_copied(form, missing):
    days = pd.date_range("2024-01-01", periods=60)
    column = remedied([*days.strftime(form), *missing])
    assert column[:60].tolist() == days.tolist()
    assert column[60:].isna().all()


def test_the_remedy_for_dates_of_several_zones_works_when_copied():
    days = pd.date_range("2024-01-01", periods=60)
    texts = [
        day.strftime(f"%Y-%m-%d %H:%M:%S{zone}") for day, zone in zip(days, ["+00:00", "-05:00"] * 30, strict=True)
    ]
    with pytest.warns(UserWarning, match="read as dates"):
        seconds = read(pd.DataFrame({"a": texts}))[0].ravel()
    np.testing.assert_array_equal(remedied(texts).astype("datetime64[s, UTC]").astype("int64"), seconds)


def test_the_remedy_for_dates_of_several_forms_works_when_copied():
    days = pd.date_range("2024-01-01", periods=60)
    texts = [day.strftime("%Y-%m-%d %H:%M" if i % 2 else "%Y-%m-%d") for i, day in enumerate(days)]
    assert remedied(texts).tolist() == days.tolist()


@pytest.mark.parametrize("missing", [[], [None], [""], ["?"], ["nan"]])
@pytest.mark.parametrize("form", ["{h:02}:{m:02}", "{h}:{m:02}", "{h:02}:{m:02}:00", "0 days {h:02}:{m:02}:00",
                                  "0 days {h:02}:{m:02}", "{h}:{m:02}:00,0"])  # fmt: skip
def test_the_remedy_for_times_works_when_copied(form, missing):
    minutes = [*range(7, 600, 7)]
    column = remedied([*(form.format(h=t // 60, m=t % 60) for t in minutes), *missing])
    assert (column[: len(minutes)] / pd.Timedelta(minutes=1)).tolist() == minutes
    assert column[len(minutes) :].isna().all()


def test_the_remedy_for_times_with_and_without_seconds_works_when_copied():
    texts = [f"{t // 60:02}:{t % 60:02}{':00' * (t % 2)}" for t in range(600)]
    assert (remedied(texts) / pd.Timedelta(minutes=1)).tolist() == [*range(600)]


@pytest.mark.parametrize("form", ["%I:%M %p", "%I:%M%p", "%I:%M:%S %p"])
def test_the_remedy_for_times_of_twelve_hours_works_when_copied(form):
    times = pd.date_range("1900-01-01", periods=90, freq="7min")
    assert remedied([*times.strftime(form)]).tolist() == times.tolist()


@pytest.mark.parametrize("form", ["%H:%M", "%H:%M:%S"])
def test_times_of_day_and_durations_as_text_are_refused(form):
    times = pd.date_range("2024-01-01", periods=90, freq="7min")
    with pytest.raises(
        ValueError, match=r"holds times as text, such as '.*' *, each.*X\['a'\] = pd\.to_timedelta\(X\['a'\]"
    ):
        learn(pd.DataFrame({"a": times.strftime(form)}))
    with pytest.raises(ValueError, match=r"holds times as text, such as '0 days 00:07:00'"):
        learn(pd.DataFrame({"a": (times - times[0])[1:].astype(str)}))


def test_a_category_that_was_never_seen_is_named_where_none_is_known():
    reader = learn(pd.DataFrame({"answer": ["yes", "no"] * 20}))
    shouted = pd.DataFrame({"answer": ["YES", "NO"] * 20})
    with pytest.warns(
        UserWarning, match=r"column 'answer' \(position 0\) holds no category that was seen in fit.*\['no', 'yes'\]"
    ):
        assert not parsed(reader, shouted).read()[1].any()
    with pytest.warns(UserWarning, match="holds no category that was seen in fit: its values, such as 'YES'"):
        parsed(reader, shouted[::2])  # one value in 20 rows
    gaps = pd.DataFrame({"answer": pd.Series([None] * 40, dtype=object)})
    for few in (shouted[:1], shouted[:38:2], gaps, pd.DataFrame({"answer": ["yes"] + ["a", "b"] * 20})):
        parsed(reader, few)  # warnings are errors


def test_numbers_that_are_categories_and_were_never_seen_are_named():
    with pytest.warns(UserWarning, match="as categories, too"):
        reader = learn(pd.DataFrame({"shop": [str(i % 40) for i in range(200)]}))
    for others in (np.full(30, 77), [str(i) for i in range(50, 80)]):
        with pytest.warns(
            UserWarning,
            match=r"column 'shop'.* such as (77|50).0, count as unknown categories, and as numbers only.*0.0, 1.0",
        ):
            parsed(reader, pd.DataFrame({"shop": others}))
    for few in (np.full(19, 77), [77] * 30 + [3]):
        parsed(reader, pd.DataFrame({"shop": few}))  # warnings are errors


def test_whole_numbers_that_arrive_as_text_are_the_categories_of_fit():
    assert (
        read(pd.DataFrame({"a": ["1", "2"] * 20}), pd.DataFrame({"a": [1, 2]}), ["a"])[1].ravel().tolist()
        == [1, 2] * 20
    )
    assert (
        read(pd.DataFrame({"a": [1, 2] * 20}), pd.DataFrame({"a": ["1", "2"]}), ["a"])[1].ravel().tolist()
        == [1, 2] * 20
    )
