"""One column of any table, brought into one of two plain forms: numbers, or labels.

``read_column`` reads a column of numpy, pandas, polars or pyarrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Literal, NamedTuple, TypeAlias

import narwhals as nw
import numpy as np
import scipy.sparse

from .._errors import shown
from .cells import PLURALS, array_seconds, is_missing, quantity_of, scalar_seconds
from .scalars import (
    BOOLEAN,
    COMPLEX,
    MISSING,
    NESTED,
    NUMBER,
    TIME,
    complex_message,
    kind_of,
    refuse,
    to_numbers,
)


class Labels(NamedTuple):
    """Distinct values of a column, and where they stand."""

    values: list[Hashable]  # distinct, none of them missing, in no particular order
    positions: np.ndarray  # intp (n,), index into values; -1 is missing
    declared: bool = False  # whether the dtype says that they are categories


class Texts:
    """A column of texts: different ones, and where they stand, intp (n,); -1 is missing. Rows of it share the list.

    Of a categorical column whose texts become features, `codes` (n,) are those of the categories.
    """

    def __init__(self, values: list[str], positions: np.ndarray, codes: np.ndarray | None = None) -> None:
        self.values = values
        self.positions = positions
        self.codes = codes

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: slice | np.ndarray) -> Texts:
        return Texts(self.values, self.positions[rows], None if self.codes is None else self.codes[rows])


# A column of a numeric dtype is no more than referred to: narwhals series may have gaps, arrays have NaN.
Numbers: TypeAlias = "np.ndarray | nw.Series[Any]"
# What numbers are: dates are seconds since 1970, durations and times of day are seconds.
Quantity: TypeAlias = Literal["number", "date", "duration", "time of day"]


class Measures(NamedTuple):
    """Numbers of a column, and what they are."""

    numbers: Numbers  # (n,)
    quantity: Quantity = "number"


Content: TypeAlias = "Measures | Labels"


# --- tables -------------------------------------------------------------------------------------


def named_columns(X: Any) -> list[tuple[Hashable, Any]]:
    """Names and columns of a table as returned by `as_table`, without a copy; positions where it has no names."""
    if scipy.sparse.issparse(X):
        X = X.toarray()
    if isinstance(X, np.ndarray):
        return list(enumerate(X.T))
    if nw.dependencies.is_pandas_dataframe(X):  # narwhals refuses duplicate column names, which pandas allows
        return list(X.items())
    frame = nw.from_native(X, eager_only=True)
    return list(zip(frame.columns, frame.iter_columns(), strict=True))


def column_label(name: Hashable, position: int) -> str:
    """Return how messages call a column."""
    is_position = isinstance(name, int) and name == position
    return f"column {position}" if is_position else f"column {shown(name)} (position {position})"


# --- one column -----------------------------------------------------------------------------------


def read_column(column: Any, label: str, *, as_labels: bool) -> Content:
    """Return a column as numbers of any numeric dtype, or as ``Labels``.

    Numbers of a numeric dtype are not copied.

    ``as_labels`` asks for labels whatever the dtype: integers then stay integers, without a detour over
    float64 that would merge neighbours above 2**53.
    """
    if isinstance(column, np.ndarray):
        return _read_array(column, label, as_labels)
    if isinstance(column, nw.Series):
        return _read_series(column, label, as_labels, lambda: factorize(column.to_list()))
    return _read_pandas(column, label, as_labels)


def _read_array(array: np.ndarray, label: str, as_labels: bool) -> Content:
    """Read a numpy column (n,) of any dtype."""
    kind = array.dtype.kind
    if kind == "c":
        raise ValueError(complex_message(label))
    if kind in "Mm":
        if not as_labels:
            return Measures(array_seconds(array), "date" if kind == "M" else "duration")
        array = array.astype(f"{array.dtype.str[:2]}8[us]")  # tolist() of nanoseconds would give integers
        kind = "O"
    if kind in "OUST":
        return _read_objects(array.tolist(), label, as_labels, booleans_as_labels=False)
    if kind not in "biuf":
        raise TypeError(
            f"X: {label} has dtype {array.dtype}, but numbers, strings, booleans or dates were expected. "
            "Pass each field as a column of its own."
        )
    if not as_labels:
        return Measures(array)
    values, positions = np.unique(array, return_inverse=True)
    if kind == "f" and values.size and np.isnan(values[-1]):  # np.unique puts the one NaN last
        values = values[:-1]
        positions[positions == values.size] = -1
    return Labels(values.tolist(), positions)


def _read_pandas(series: Any, label: str, as_labels: bool) -> Content:
    """Read a pandas Series (n,) of any dtype."""
    dtype = series.dtype
    if type(dtype).__name__ == "PeriodDtype":  # by name, since pandas is optional
        series = series.dt.to_timestamp()
        dtype = series.dtype

    def pandas_factorize() -> Labels:
        positions, values = series.factorize()
        return Labels(values.tolist(), positions)

    if isinstance(dtype, np.dtype):
        if dtype.kind == "O":
            return _read_objects(series.tolist(), label, as_labels, booleans_as_labels=True, find=pandas_factorize)
        if dtype.kind == "b":
            return pandas_factorize()
        return _read_array(series.to_numpy(), label, as_labels)
    return _read_series(nw.from_native(series, series_only=True), label, as_labels, pandas_factorize)


def _read_series(series: nw.Series, label: str, as_labels: bool, find: Callable[[], Labels]) -> Content:
    """Read by narwhals dtype; ``find`` is the fastest way to the labels of this series."""
    dtype = series.dtype
    if isinstance(dtype, nw.String | nw.Categorical | nw.Enum | nw.Boolean):
        return find()._replace(declared=isinstance(dtype, nw.Categorical | nw.Enum))
    if dtype.is_numeric() or isinstance(dtype, nw.Datetime | nw.Date | nw.Duration):
        if as_labels:
            return find()
        if dtype.is_numeric():
            return Measures(series)
        # Microseconds of coarser units may be more than int64 holds.
        fine = getattr(dtype, "time_unit", "ms") in ("us", "ns")
        if isinstance(dtype, nw.Duration):
            ticks = series.dt.total_microseconds() if fine else series.dt.total_milliseconds()
        else:
            ticks = series.dt.timestamp("us" if fine else "ms")
        seconds = ticks.cast(nw.Float64).to_numpy() / (1e6 if fine else 1e3)
        return Measures(seconds, "duration" if isinstance(dtype, nw.Duration) else "date")
    # Lists, structs (both refused there), binary, times of day, null, intervals and plain objects.
    return _read_objects(series.to_list(), label, as_labels, booleans_as_labels=True)


def _read_objects(
    items: list[Any],
    label: str,
    as_labels: bool,
    *,
    booleans_as_labels: bool,
    find: Callable[[], Labels] | None = None,
) -> Content:
    """Read Python objects of any, also mixed, types."""
    types = set(map(type, items))
    if any(t.__name__ == "Period" for t in types):  # of pandas, which has a dtype for these that is read as dates, too
        items, find = [value.to_timestamp() if type(value).__name__ == "Period" else value for value in items], None
        types = set(map(type, items))
    kinds = {kind_of(t) for t in types} - {MISSING}
    if NESTED in kinds or COMPLEX in kinds:
        refuse(items, label)
    if not as_labels:
        if not kinds:
            return Measures(np.full(len(items), np.nan))
        # This early exit saves looking up every distinct number. A NaN among booleans is a float, which is
        # why such columns go the long way.
        if kinds == {NUMBER} or (kinds <= {NUMBER, BOOLEAN} and not booleans_as_labels):
            return Measures(to_numbers(items, label))
    labels = factorize(items) if find is None else find()
    if as_labels:
        return labels
    kinds = {kind_of(type(value)) for value in labels.values}
    if not kinds or (kinds <= {NUMBER, BOOLEAN} and NUMBER in kinds):
        return Measures(take(to_numbers(labels.values, label), labels.positions))
    if kinds == {TIME}:
        quantities = sorted({quantity_of(value) for value in labels.values})
        if len(quantities) > 1:
            raise ValueError(
                f"X: {label} mixes {' and '.join(PLURALS[q] for q in quantities)}. Give each a column of its own."
            )
        seconds = take(np.array([scalar_seconds(value) for value in labels.values]), labels.positions)
        return Measures(seconds, quantities[0])  # pyright: ignore[reportArgumentType]
    return labels


def factorize(items: Iterable[Any]) -> Labels:
    """Return the labels of hashable Python objects."""
    items = list(items)
    index: dict[Any, int] = {}
    values = []
    for value in dict.fromkeys(items):
        if is_missing(value):
            index[value] = -1
        else:
            index[value] = len(values)
            values.append(value)
    # map and fromiter loop in C: 0.1 microseconds a row.
    return Labels(values, np.fromiter(map(index.__getitem__, items), dtype=np.intp, count=len(items)))


def take(table: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return ``table[positions]`` as float64, NaN where the position is -1."""
    return np.append(table.astype(np.float64), np.nan)[positions]


def float64_numbers(numbers: Numbers) -> np.ndarray:
    """Numbers (n,) as float64, missing as NaN."""
    if isinstance(numbers, np.ndarray):
        return numbers.astype(float, copy=False)
    if not isinstance(numbers.dtype, nw.Int64 | nw.UInt64):
        return numbers.cast(nw.Float64).to_numpy()
    missing = numbers.is_null().to_numpy()  # a cast of pyarrow refuses integers beyond 2**53
    values = (numbers.fill_null(0) if missing.any() else numbers).to_numpy().astype(float)
    values[np.asarray(missing, dtype=bool)] = np.nan
    return values


def parse_numbers(labels: Labels) -> tuple[np.ndarray, Any]:
    """Return labels as numbers, float64 (n,), and the first value that is not one (None if all are)."""
    parsed = np.empty(len(labels.values))
    for i, value in enumerate(labels.values):
        if isinstance(value, str) and "_" in value:
            return parsed, value  # float("1_000") is a thousand in Python source, but not in data
        try:
            parsed[i] = float(value)  # type: ignore[arg-type]
        except OverflowError:
            parsed[i] = math.inf
        except (TypeError, ValueError):
            return parsed, value
    return take(parsed, labels.positions), None
