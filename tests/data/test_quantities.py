"""What the numbers of a column are is learned in fit, and kept at predict: numbers, dates, durations, times of day."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from sknn._data.table_inputs import TableInputs

from .tables import learn, parsed

DAY, SHIFT, CLOCK = datetime.datetime(2024, 5, 1), datetime.timedelta(hours=3), datetime.time(8, 30)
VALUES = {
    "number": [1.5, 2.5, None],
    "date": [DAY, DAY + SHIFT, None],
    "duration": [SHIFT, 2 * SHIFT, None],
    "time of day": [CLOCK, datetime.time(9), None],
}
MAKERS = {
    "pandas": lambda values: pd.DataFrame({"a": values}),
    "pandas object": lambda values: pd.DataFrame({"a": pd.Series(values, dtype=object)}),
    "pandas arrow": lambda values: pa.table({"a": values}).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda values: pl.DataFrame({"a": values}),
    "pyarrow": lambda values: pa.table({"a": values}),
    "numpy object": lambda values: np.array(values, dtype=object)[:, None],
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("quantity", VALUES)
def test_the_quantity_is_learned_and_another_one_is_refused(maker, quantity):
    reader = learn(MAKERS[maker](VALUES[quantity]))
    assert reader.columns[0].quantity == quantity
    for other, values in VALUES.items():
        for make in MAKERS.values():
            if other == quantity:
                assert np.isfinite(parsed(reader, make(values)).read()[0][:2]).all()
                continue
            with pytest.raises(
                ValueError, match=rf"X: column .* holds {other.replace('time', 'times').removesuffix('s')}"
            ):
                parsed(reader, make(values))


@pytest.mark.parametrize("quantity", VALUES)
def test_gaps_are_gaps_in_every_dtype(quantity):
    reader = learn(pd.DataFrame({"a": VALUES[quantity]}))
    nothing = [None, None]
    for column in (
        pd.Series(nothing, dtype=object), pd.Series(nothing, dtype=float), pd.Series(nothing, dtype="Int64"),
        pd.Series(nothing, dtype="datetime64[ns]"), pd.Series(nothing, dtype="timedelta64[s]"), pd.Series(nothing, dtype="string"),
    ):  # fmt: skip
        assert np.isnan(parsed(reader, pd.DataFrame({"a": column})).read()[0]).all()


def test_dates_that_arrive_as_numbers_or_text_name_column_and_fix():
    days = pd.DataFrame({"n": [1.0, 2.0], "visited_on": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    reader = learn(days)
    for unit in ("int64", "float64"):
        late = days.astype({"visited_on": "int64"}).astype({"visited_on": unit})
        with pytest.raises(
            ValueError,
            match=r"column 'visited_on' \(position 1\) holds numbers, but dates were expected, .*pd\.to_datetime",
        ):
            parsed(reader, late)
    with pytest.raises(
        ValueError, match=r"column 'visited_on' \(position 1\) holds '2024-01-01', but dates were expected"
    ):
        parsed(reader, days.astype({"visited_on": str}))
    with pytest.raises(ValueError, match=r"holds numbers, but dates were expected"):
        parsed(reader, days.astype({"visited_on": "int64"}).to_numpy())
    with pytest.raises(ValueError, match="X is sparse, but was a table with categories, dates or texts in fit"):
        TableInputs.read_first(days, None).learn(None, None).read(scipy.sparse.csr_array(np.ones((2, 2))))


def test_a_column_that_mixes_quantities_names_them():
    for values, named in (([DAY, CLOCK], "dates and times of day"), ([SHIFT, CLOCK], "durations and times of day")):
        with pytest.raises(ValueError, match=f"column 'a'.* mixes {named}. Give each"):
            learn(pd.DataFrame({"a": pd.Series(values, dtype=object)}))


def test_numbers_that_arrive_as_dates_are_refused_in_a_table_of_numbers():
    reader = learn(np.ones((2, 2)))
    late = pd.DataFrame({"a": [1, 2], "b": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    with pytest.raises(
        ValueError, match=r"column 1 holds dates, but numbers were expected, as in fit\. Convert it as before"
    ):
        parsed(reader, late)
    with pytest.raises(ValueError, match=r"column 0 holds dates, but numbers were expected"):
        parsed(reader, np.array([["2024-01-01"] * 2] * 2, dtype="datetime64[s]"))


def test_a_column_mixes_dates_and_durations_is_refused():
    with pytest.raises(ValueError, match=r"X: column 0 mixes dates and durations\. Give each a column of its own"):
        learn(np.array([[DAY], [SHIFT]], dtype=object))


def test_dates_of_every_unit_and_zone_are_dates():
    reader = learn(pd.DataFrame({"a": pd.to_datetime(["2024-01-01", None])}))
    expected = [1704067200.0]
    for column in (
        np.array(["2024-01-01"], dtype="datetime64[D]"), pd.Series([datetime.date(2024, 1, 1)]),
        pd.Series(pd.PeriodIndex(["2024-01-01"], freq="D")), pd.Series(pd.to_datetime(["2024-01-01T00:00:00Z"])),
        pl.Series([datetime.date(2024, 1, 1)]),
    ):  # fmt: skip
        table = pl.DataFrame({"a": column}) if isinstance(column, pl.Series) else pd.DataFrame({"a": column})
        assert parsed(reader, table).read()[0].ravel().tolist() == expected


@pytest.mark.parametrize("forced", [[], ["a"]], ids=["dates", "categories"])
def test_periods_are_the_same_as_a_dtype_and_as_objects(forced):
    months = pd.Series(pd.period_range("2024-01", periods=3, freq="M").insert(1, pd.NaT))
    tables = [pd.DataFrame({"a": months}), pd.DataFrame({"a": months.astype(object)})]
    for fitted, other in (tables, tables[::-1]):
        reader = learn(fitted, forced)
        assert reader.columns[0].kind == ("categorical" if forced else "numeric")
        for of_fit, of_other in zip(parsed(reader, fitted).read(), parsed(reader, other).read(), strict=True):
            np.testing.assert_array_equal(of_fit, of_other)
            assert len(np.unique(of_fit)) in (0, 4)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_arrow_integers_that_float64_rounds_are_read_as_numbers_and_as_categories(dtype):
    big = 2**53 if dtype == "int64" else 2**63
    values = [big, big + 1, None, big + 2]
    for table in (
        pa.table({"a": pa.array(values, type=getattr(pa, dtype)())}),
        pd.DataFrame({"a": pd.Series(values, dtype=f"{dtype}[pyarrow]")}),
        pd.DataFrame({"a": pd.Series(values, dtype="Int64" if dtype == "int64" else "UInt64")}),
        pl.DataFrame({"a": pl.Series(values, dtype=pl.Int64 if dtype == "int64" else pl.UInt64)}),
    ):
        numeric = parsed(learn(table), table).read()[0].ravel()
        np.testing.assert_array_equal(numeric, [float(big), float(big + 1), np.nan, float(big + 2)])
        assert parsed(learn(table, ["a"]), table).read()[1].ravel().tolist() == [1, 2, 4, 3]
