"""Kinds and categories of the columns of a table, and its cells parsed by them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse

from .._errors import refused_as, shown
from .categories import Column, category_codes, check_free_text, forced_positions, sorted_categories
from .columns import Labels, Numbers, column_label, float64_numbers, named_columns, parse_numbers, read_column
from .csr import real_csr
from .scalars import infinity_message

__all__ = ["TableReader", "check_finite"]

# What messages say was expected of a column.
_READABLE = "numbers, strings, booleans, dates or categories, with None or NaN for missing"


class TableReader:
    """Parse the cells of any table with a given list of columns.

    `numeric` and `categorical` are the positions of these columns. `cardinalities` are the numbers of codes of the
    categorical ones, K + 2: code 0 is unknown, 1 to K are the known categories, K + 1 is missing. Missing is None, NaN,
    NaT, pandas.NA or null. Dates and times become seconds since 1970 (UTC where no zone is given), durations and times
    of day become seconds.

    What is parsed is a list of the columns: each an array or a narwhals Series of shape (n_samples,), numbers of any
    numeric dtype or category codes of any integer dtype. Of a table of numbers in one piece (`plain_block`) it is the
    table itself. Numbers stay in their dtype and, if possible, in the memory in which they were given.
    """

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns
        self.numeric = [i for i, column in enumerate(columns) if column.kind == "numeric"]
        self.categorical = [i for i, column in enumerate(columns) if column.kind == "categorical"]
        self.cardinalities = [len(columns[i].categories) + 2 for i in self.categorical]

    @classmethod
    def learn(cls, X: Any, categorical_features: Any) -> tuple[TableReader, list[Numbers] | Any]:
        """Learn kinds and categories of the columns of `as_table`'s X, and parse it. Each cell is parsed once."""
        names, values = zip(*named_columns(X), strict=True)
        forced = forced_positions(categorical_features, list(names))
        if isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and not forced:
            columns = [Column(name, "numeric") for name in names]
            check_finite(X, columns)
            return cls(columns), X
        columns, contents = [], []
        for position, name in enumerate(names):
            with refused_as(f"X: {column_label(name, position)}", _READABLE):
                column, content = _learn(values[position], name, position, categorical_features, position in forced)
            columns.append(column)
            contents.append(content)
        reader = cls(columns)
        block = None if reader.categorical else plain_block(X)
        return reader, contents if block is None else block

    def parse(self, X: Any) -> list[Numbers] | Any:
        """Parse a table of the same columns in the same order. Dtypes and the kind of table may differ."""
        block = None if self.categorical else plain_block(X)
        if block is not None:
            return block
        contents = []
        for position, (column, (_, values)) in enumerate(zip(self.columns, named_columns(X), strict=True)):
            with refused_as(f"X: {column_label(column.name, position)}", _READABLE), np.errstate(over="ignore"):
                contents.append(_parse(values, column, position))
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
    values: Any, name: Hashable, position: int, categorical_features: Any, forced: bool
) -> tuple[Column, Numbers]:
    """Learn one column, and parse it: numbers of any dtype, or codes."""
    label = column_label(name, position)
    content = read_column(values, label, as_labels=forced)
    if isinstance(content, Labels) and categorical_features is None:
        parsed, offender = parse_numbers(content)
        content = parsed if offender is None else content
    if isinstance(content, Labels):
        _check_labels_finite(content, label)
        if not forced:
            check_free_text(content, name, label)
        column = Column(name, "categorical", sorted_categories(content.values))
        return column, category_codes(column, content)
    with np.errstate(over="ignore"):
        numbers = float64_numbers(content)
    if np.isinf(numbers).any():
        raise ValueError(infinity_message(label, numbers[np.isinf(numbers)][0]))
    return Column(name, "numeric", all_missing=bool(np.isnan(numbers).all())), content


def _parse(values: Any, column: Column, position: int) -> Numbers:
    """Parse a column that was learned: numbers of any dtype, or codes."""
    label = column_label(column.name, position)
    content = read_column(values, label, as_labels=column.kind == "categorical")
    if not isinstance(content, Labels):
        return content
    if column.kind == "categorical":
        _check_labels_finite(content, label)
        return category_codes(column, content)
    if column.all_missing:
        # fit saw no value, so not even the type: a cross-validation fold may well hold strings here.
        return np.full(len(content.positions), np.nan)
    parsed, offender = parse_numbers(content)
    if offender is not None:
        raise ValueError(
            f"X: {label} holds {shown(offender)}, but numbers were expected, as in fit. Replace it by NaN if "
            "it means missing, or fit again with this column in categorical_features."
        )
    return parsed


def _check_labels_finite(labels: Labels, label: str) -> None:
    """Raise if one of the labels is infinity."""
    for value in labels.values:
        if isinstance(value, float | np.floating) and np.isinf(value):
            raise ValueError(infinity_message(label, value))
