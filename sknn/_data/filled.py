"""A table whose gaps are filled: the same container, with every other cell as it was."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

import narwhals.stable.v1 as nw
import numpy as np

from .categories import Column
from .cells import is_missing
from .containers import is_frame
from .text_columns import NumberFormat

__all__ = ["Filling", "as_cells", "filled", "with_columns_behind"]


class Filling(NamedTuple):
    """What goes into one column."""

    rows: np.ndarray  # positions, int64 (n_gaps,)
    values: np.ndarray  # numbers float64 (n_gaps,) as sknn reads them, or categories, object (n_gaps,)
    column: Column


def filled(X: Any, fillings: Mapping[int, Filling]) -> Any:
    """The table with these cells, by the position of their column; X is not changed."""
    if not is_frame(X):
        array = np.array(X, copy=True)
        for i, filling in fillings.items():
            array[filling.rows, i] = _cells(filling, array[:, i])
        return array
    if nw.dependencies.is_pandas_dataframe(X):
        frame = X.copy()
        for i, filling in fillings.items():
            frame.isetitem(i, _pandas_column(X.iloc[:, i], filling))
        return frame
    frame = nw.from_native(X, eager_only=True)
    names, columns = frame.columns, []
    for i, filling in fillings.items():
        cells = frame[names[i]].to_list()
        for row, value in zip(filling.rows.tolist(), _cells(filling, cells), strict=True):
            cells[row] = value.item() if isinstance(value, np.generic) else value
        columns.append(_series(names[i], cells, frame[names[i]]))
    return frame.with_columns(*columns).to_native() if columns else X


def with_columns_behind(X: Any, names: list[str], columns: np.ndarray) -> Any:
    """The table with further columns bool (n_rows, n_columns)."""
    if not is_frame(X):
        return np.hstack([X, columns.astype(X.dtype)])
    if nw.dependencies.is_pandas_dataframe(X):
        return X.assign(**dict(zip(names, columns.T, strict=True)))
    frame = nw.from_native(X, eager_only=True)
    made = [
        nw.new_series(name, values.tolist(), native_namespace=nw.get_native_namespace(frame))
        for name, values in zip(names, columns.T, strict=True)
    ]
    return frame.with_columns(*made).to_native()


def _cells(filling: Filling, column: Any) -> Any:
    """The values in the form of cells: numbers, dates, texts."""
    values, kind = filling.values, filling.column
    if kind.kind == "categorical":
        return values
    if kind.number_format is not None:
        return _spelled(values, kind.number_format, [cell for cell in column if isinstance(cell, str)])
    if kind.quantity == "number":
        dtype = getattr(column, "dtype", None)
        return np.rint(values) if dtype is not None and getattr(dtype, "kind", "f") in "iu" else values
    microseconds = np.rint(values * 1e6).astype(np.int64)
    if kind.is_iso_text:
        length = max((len(cell) for cell in column if isinstance(cell, str)), default=10)
        return np.array([str(date)[:length] for date in microseconds.astype("M8[us]")], dtype=object)
    if kind.quantity == "time of day":
        zero = datetime.datetime(1970, 1, 1)
        return np.array([(zero + datetime.timedelta(microseconds=int(m))).time() for m in microseconds], dtype=object)
    found = microseconds.astype("M8[us]" if kind.quantity == "date" else "m8[us]")
    if isinstance(column, np.ndarray) and column.dtype.kind in "Mm":
        return found.astype(column.dtype)
    found = found.tolist()
    zone = next((cell.tzinfo for cell in column if not is_missing(cell) and getattr(cell, "tzinfo", None)), None)
    if zone is not None:
        found = [date.replace(tzinfo=datetime.UTC).astimezone(zone) for date in found]
    return np.array([*found, None], dtype=object)[:-1]


def _spelled(numbers: np.ndarray, spelling: NumberFormat, examples: list[str]) -> np.ndarray:
    """Numbers as texts in the format of a column."""
    example = examples[0] if examples else ""
    fractions = [text.partition(spelling.decimal)[2].rstrip(f"{spelling.unit} ") for text in examples]
    decimals = max(map(len, fractions), default=0)
    texts = [f"{number:.{decimals}f}".replace(".", spelling.decimal) for number in numbers]
    if spelling.unit:
        space = " " if " " in example.strip() else ""
        is_before = example.strip().startswith(spelling.unit)
        texts = [spelling.unit + space + t if is_before else t + space + spelling.unit for t in texts]
    return np.array([*texts, None], dtype=object)[:-1]


def _pandas_column(column: Any, filling: Filling) -> Any:
    import pandas as pd

    dtype, column = column.dtype, column.copy()
    if isinstance(dtype, pd.CategoricalDtype):
        unknown = [value for value in dict.fromkeys(filling.values.tolist()) if value not in dtype.categories]
        column = column.cat.add_categories(unknown) if unknown else column
    values = filling.values
    if filling.column.kind == "numeric" and filling.column.number_format is None:
        if pd.api.types.is_integer_dtype(dtype):
            values = np.rint(values).astype(np.int64)
        elif isinstance(dtype, pd.DatetimeTZDtype):
            seconds = pd.to_datetime(np.rint(values * 1e6).astype(np.int64), unit="us", utc=True)
            values = seconds.tz_convert(dtype.tz).astype(dtype)
        elif pd.api.types.is_float_dtype(dtype):
            values = values.astype(dtype if isinstance(dtype, np.dtype) else np.float64)
        else:
            values = _cells(filling, column.to_numpy())
    elif filling.column.kind == "numeric":
        values = _cells(filling, column.to_numpy())
    column.iloc[filling.rows] = values
    return column


def _series(name: str, cells: list[Any], like: Any) -> Any:
    """A narwhals series of the dtype of another one."""
    if like.dtype.is_integer():
        cells = [round(cell) if isinstance(cell, float) else cell for cell in cells]
    elif like.dtype == nw.Date:
        cells = [cell.date() if isinstance(cell, datetime.datetime) else cell for cell in cells]
    return nw.new_series(name, cells, dtype=like.dtype, native_namespace=nw.get_native_namespace(like))


def as_cells(filling: Filling, is_whole: bool) -> np.ndarray:
    """The numbers of a new column as cells, object (n_rows,): whole numbers, dates, texts."""
    cells = _cells(filling, np.empty(0, dtype=object))
    if filling.column.quantity == "number" and filling.column.number_format is None:
        cells = [round(number) if is_whole else number for number in filling.values.tolist()]
    return np.array([*cells, None], dtype=object)[:-1]
