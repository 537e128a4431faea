"""Kinds and categories of the columns of a table, and its cells parsed by them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Hashable, Iterable
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse

from .._errors import level_of_caller, refused_as, shown
from .categories import (
    Column,
    category_codes,
    check_free_text,
    check_known,
    forced_positions,
    sorted_categories,
)
from .cells import PLURALS, quantity_of
from .columns import Labels, Measures, Numbers, column_label, float64_numbers, named_columns, parse_numbers, read_column
from .columns import take as numbers_at
from .csr import real_csr
from .numeric_text import missing_text_message, numbers_of_texts
from .scalars import infinity_message
from .text_columns import check_times, learn_format, reading_of, reading_of_formats

__all__ = ["TableReader", "check_finite"]

# What messages say was expected of a column.
_READABLE = "numbers, strings, booleans, dates or categories, with None or NaN for missing"
# From so many values on, a column of which none is known has probably changed.
_MIN_UNKNOWN = 20


class TableReader:
    """Parse the cells of any table with a given list of columns.

    `numeric` and `categorical` are the positions of these columns; the idle ones are not read. `cardinalities` are the
    numbers of codes of the categorical ones, K + 2: code 0 is unknown, 1 to K are the known categories, K + 1 is
    missing. Missing is None, NaN, NaT, pandas.NA or null. Dates and times become seconds since 1970 (UTC where no zone
    is given), durations and times of day become seconds.

    What is parsed is a list of the columns: each an array or a narwhals Series of shape (n_samples,), numbers of any
    numeric dtype or category codes of any integer dtype, or None if it is idle. Of a table of numbers in one piece
    (`plain_block`) it is the table itself. Numbers stay in their dtype and, if possible, in the memory in which they
    were given.
    """

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns
        self.numeric = [i for i, column in enumerate(columns) if column.kind == "numeric"]
        self.categorical = [i for i, column in enumerate(columns) if column.kind == "categorical"]
        self.cardinalities = [len(columns[i].categories) + 2 for i in self.categorical]
        # Whether all columns that are read were plain numbers in fit; each prediction asks.
        self.reads_plain_numbers = all(
            c.kind == "idle" or (c.kind == "numeric" and c.quantity == "number") for c in columns
        )

    def without(self, idle: Iterable[int]) -> TableReader:
        """A reader that does not read the columns at these positions."""
        idle = set(idle)
        return TableReader([
            dataclasses.replace(column, kind="idle", categories=()) if i in idle else column
            for i, column in enumerate(self.columns)
        ])  # fmt: skip

    @classmethod
    def learn(cls, X: Any, categorical_features: Any) -> tuple[TableReader, list[Numbers] | Any]:
        """Learn kinds and categories of the columns of `as_table`'s X, and parse it. Each cell is parsed once.

        Warns of columns of text that are read as numbers.
        """
        names, values = zip(*named_columns(X), strict=True)
        forced = forced_positions(categorical_features, list(names))
        if isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and not forced:
            columns = [Column(name, "numeric") for name in names]
            check_finite(X, columns)
            return cls(columns), X
        columns, contents, readings = [], [], []
        for position, name in enumerate(names):
            label = column_label(name, position)
            with refused_as(f"X: {label}", _READABLE):
                column, content, reading = _learn(
                    values[position], name, label, categorical_features, position in forced
                )
            columns.append(column)
            contents.append(content)
            if reading:
                readings.append((label, reading))
        _warn_of_texts(readings)
        reader = cls(columns)
        block = plain_block(X) if reader.reads_plain_numbers else None
        return reader, contents if block is None else block

    def parse(self, X: Any) -> list[Numbers | None] | Any:
        """Parse a table of the same columns in the same order. Dtypes and the kind of table may differ."""
        block = plain_block(X) if self.reads_plain_numbers else None
        if block is not None:
            return block
        contents = []
        for position, (column, (_, values)) in enumerate(zip(self.columns, named_columns(X), strict=True)):
            label = column_label(column.name, position)
            with refused_as(f"X: {label}", _READABLE), np.errstate(over="ignore"):
                contents.append(None if column.kind == "idle" else _parse(values, column, label))
        return contents


def plain_block(X: Any) -> Any:
    """X if it is a table of nothing but numbers, which is converted in one step; None for any other table."""
    if type(X) is np.ndarray and X.dtype.kind in "fiub":
        return X
    if nw.dependencies.is_pandas_dataframe(X):
        is_plain = all(isinstance(dtype, np.dtype) and dtype.kind in "fiub" for dtype in X.dtypes)
        return X if is_plain else None
    return real_csr(X) if scipy.sparse.issparse(X) else None


def check_finite(numeric: np.ndarray, columns: list[Column]) -> None:
    """Raise if the numbers (n, n_numeric) of the numeric columns hold infinity."""
    if numeric.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        # One cheap pass in the usual case: a finite sum has only finite terms.
        if np.isfinite(numeric.sum()):
            return
    infinite = np.isinf(numeric)
    if infinite.any():
        row, i = np.argwhere(infinite)[0]
        position = [p for p, column in enumerate(columns) if column.kind == "numeric"][i]
        raise ValueError(infinity_message(column_label(columns[position].name, position), numeric[row, i]))


def _learn(
    values: Any, name: Hashable, label: str, categorical_features: Any, forced: bool
) -> tuple[Column, Numbers, str]:
    """Learn one column, and parse it: numbers of any dtype, or codes; and what a warning says of it, or nothing."""
    content: Any = read_column(values, label, as_labels=forced)
    format_, reading = None, ""
    if isinstance(content, Labels) and categorical_features is None:
        parsed, offender = parse_numbers(content)
        content = Measures(parsed) if offender is None else content
    if isinstance(content, Labels) and not forced:
        check_times(content, name, label)
        spelled = learn_format(content)
        if spelled is None:
            check_free_text(content, name, label)
            reading = reading_of_formats(content, name)
        else:
            format_, parsed = spelled
            reading = reading_of(content, format_, parsed, name)
            content = Measures(parsed)
    if isinstance(content, Labels):
        _check_labels_finite(content, label)
        column = Column(name, "categorical", sorted_categories(content.values))
        return column, category_codes(column, content), reading
    with np.errstate(over="ignore"):
        numbers = float64_numbers(content.numbers)
    if np.isinf(numbers).any():
        raise ValueError(infinity_message(label, numbers[np.isinf(numbers)][0]))
    all_missing = bool(np.isnan(numbers).all())
    return Column(name, "numeric", (), all_missing, content.quantity, format_), content.numbers, reading


def _warn_of_texts(columns: list[tuple[str, str]]) -> None:
    """Warn of columns of text that look like numbers, given as label and what is said of the first one."""
    if not columns:
        return
    (label, reading), *others = columns
    message = f"X: {label} {reading}"
    if others:
        labels = ", ".join(label for label, _ in others[:10])
        more = f" and {len(others) - 10} more" if len(others) > 10 else ""
        message += f" Text that looks numeric is also in {labels}{more}."
    warnings.warn(message, UserWarning, stacklevel=level_of_caller())


def _parse(values: Any, column: Column, label: str) -> Numbers:
    """Parse a column that was learned: numbers of any dtype, or codes."""
    content = read_column(values, label, as_labels=column.kind == "categorical")
    if not isinstance(content, Labels):
        _check_quantity(content, column, label)
        return content.numbers
    if column.kind == "categorical":
        _check_labels_finite(content, label)
        codes = category_codes(column, content)
        if len(content.values) > 1 and len(codes) >= _MIN_UNKNOWN:
            check_known(column, content, codes, label)
        return codes
    if column.all_missing:
        # fit saw no value, so not even the type: a cross-validation fold may well hold strings here.
        return np.full(len(content.positions), np.nan)
    if column.quantity != "number":
        offender, parsed = next(iter(content.values), None), np.full(len(content.positions), np.nan)
    elif column.number_format is None:
        parsed, offender = parse_numbers(content)
    else:
        offender, parsed = next((value for value in content.values if quantity_of(value) != "number"), None), None
    if offender is not None:
        raise ValueError(
            f"X: {label} holds {shown(offender)}, but {PLURALS[column.quantity]} were expected, as in fit. "
            f"{_FIX[column.quantity]}"
        )
    return _spelled(content, column, label) if parsed is None else parsed


def _spelled(labels: Labels, column: Column, label: str) -> np.ndarray:
    """The numbers float64 (n,) of a column of text in the format of fit; a warning names what is missing by it."""
    assert column.number_format is not None
    numbers, other = numbers_of_texts(labels.values, *column.number_format)
    if other is not None:
        warnings.warn(missing_text_message(label, other), UserWarning, stacklevel=level_of_caller())
    return numbers_at(numbers, labels.positions)


_FIX = {
    "number": "Replace it by NaN if it means missing, or fit again with this column in categorical_features.",
    "date": "Convert the column with pd.to_datetime.",
    "duration": "Convert the column with pd.to_timedelta.",
    "time of day": "Convert the column to datetime.time.",
}


def _check_quantity(content: Measures, column: Column, label: str) -> None:
    """Raise if numbers arrive where fit has seen dates, or the other way round."""
    if content.quantity == column.quantity or column.all_missing or np.isnan(float64_numbers(content.numbers)).all():
        return
    fix = "Convert it as before fit." if column.quantity == "number" else _FIX[column.quantity]
    raise ValueError(
        f"X: {label} holds {PLURALS[content.quantity]}, but {PLURALS[column.quantity]} were expected, as in fit. {fix}"
    )


def _check_labels_finite(labels: Labels, label: str) -> None:
    """Raise if one of the labels is infinity."""
    for value in labels.values:
        if isinstance(value, float | np.floating) and np.isinf(value):
            raise ValueError(infinity_message(label, value))
